/** What kernels share: launching a source over views. */
import type { View } from '@loretta-ts/core';
import { ValueError } from '@loretta-ts/core';
import type { Constants } from './constants';
import type { Check, DeviceArray, KernelExecutor, Range } from './executor';
import { assertExact, type KernelMemory } from './memory';
import type { KernelSource } from './source';

/** Where kernels run and where their operands are. */
export interface Context {
  readonly executor: KernelExecutor;
  readonly memory: KernelMemory;
  /** Tables that ops need again and again. */
  readonly constants: Pick<Constants, 'get'>;
  /**
   * Longest side of an array of elements of four numbers (GL modes): products read and calculate four at a time. 0 where
   * there are none.
   */
  readonly packs: number;
}

/** Scalar arguments and checks of one launch. */
export interface LaunchOptions {
  readonly ints?: readonly number[];
  readonly floats?: readonly number[];
  readonly before?: readonly Check[] | undefined;
  /** Name of an op whose i32 result may leave the integers that f32 holds; the result is then asserted. */
  readonly exact?: string | undefined;
  /** Bounds that all elements of the result are known to lie in, or those of an input that they are taken from. */
  readonly range?: Range | 'first' | undefined;
  /** Elements of a row, where the result is to be indexed by row and column. */
  readonly width?: number | undefined;
  /** As of `Launch`. */
  readonly kept?: boolean;
}

/** Runs a source over arrays; the caller owns the result, unless it is kept. */
export function compute(
  context: Context,
  source: KernelSource,
  arrays: readonly DeviceArray[],
  size: number,
  { ints = [], floats = [], before = [], exact, range, width, kept = false }: LaunchOptions,
): DeviceArray {
  const after =
    exact === undefined ? undefined : (values: Float32Array) => assertExact(exact, values);
  const asked = { source, arrays, ints, floats, size, width, before, after, range, kept };
  return context.executor.run(asked);
}

/** Runs a source over views into `out`; nothing where `out` is empty. */
export function launch(
  context: Context,
  source: KernelSource,
  ins: readonly View[],
  out: View,
  options: LaunchOptions = {},
): void {
  if (out.size === 0) return;
  const arrays = ins.map((v) => context.memory.load(source.name, v));
  context.memory.store(out, compute(context, source, arrays, out.size, options));
}

/** The op's name where its i32 result has to be asserted. */
export function exactFor(op: string, out: View): { readonly exact?: string } {
  return out.dtype === 'i32' ? { exact: op } : {};
}

/** Asserts the elements of a view. */
export function checkView(
  context: Context,
  op: string,
  view: View,
  test: (values: Float32Array) => void,
  within?: Range,
): Check {
  return {
    within,
    array: context.memory.load(op, view),
    test: (values) => test(values.subarray(view.offset, view.offset + view.size)),
  };
}

/** Asserts that indices lie in [0, length). */
export function checkIndices(context: Context, op: string, index: View, length: number): Check {
  const test = (values: Float32Array): void => {
    const i = values.findIndex((v) => !(v >= 0 && v < length));
    if (i < 0) return;
    throw new ValueError(
      op,
      `index ${values[i]} (element ${i}) is outside [0, ${length}): pass indices of that range`,
    );
  };
  return checkView(context, op, index, test, [0, length - 1]);
}

/** An operand of a launch: a view, or what an earlier launch gave. */
export type Operand = View | DeviceArray;

/** Where the elements of an operand are. */
export function located(
  context: Context,
  op: string,
  x: Operand,
): { readonly array: DeviceArray; readonly offset: number } {
  return 'buffer' in x
    ? { array: context.memory.load(op, x), offset: x.offset }
    : { array: x, offset: 0 };
}

/** One launch of a kernel whose arguments go by name; array `x` starts at the integer `o_x`. */
export interface NamedLaunch {
  /** Unique among all sources. */
  readonly name: string;
  readonly arrays: Readonly<Record<string, Operand>>;
  readonly ints?: Readonly<Record<string, number>>;
  readonly floats?: Readonly<Record<string, number>>;
  readonly body: string;
  /** Elements of the result, at least 1. */
  readonly size: number;
  /** Elements of a row, where the result is to be indexed by row and column. */
  readonly width?: number;
  /** Arrays whose elements hold four numbers, indexed by row and column. */
  readonly packed?: readonly string[];
  readonly before?: readonly Check[];
  /** As of `LaunchOptions`. */
  readonly exact?: string;
  /** As of `Launch`. */
  readonly kept?: boolean;
}

/** Runs it; the caller owns the result, unless it is kept. */
export function launchNamed(context: Context, launched: NamedLaunch): DeviceArray {
  const {
    name,
    body,
    size,
    width,
    ints = {},
    floats = {},
    before,
    packed = [],
    exact,
    kept,
  } = launched;
  const names = Object.keys(launched.arrays);
  const operands = Object.values(launched.arrays).map((x) => located(context, name, x));
  const source: KernelSource = {
    ...{ name, body, packed, arrays: names, floats: Object.keys(floats) },
    ints: [...names.map((n) => `o_${n}`), ...Object.keys(ints)],
  };
  const offsets = operands.map(({ offset }) => offset);
  return compute(
    context,
    source,
    operands.map(({ array }) => array),
    size,
    {
      ints: [...offsets, ...Object.values(ints)],
      floats: Object.values(floats),
      before,
      exact,
      width,
      kept: kept ?? false,
    },
  );
}

/** One number everywhere; the caller owns it. */
export function filled(context: Context, value: number, size: number): DeviceArray {
  return launchNamed(context, {
    ...{ name: 'fill', arrays: {}, floats: { value }, size },
    body: 'return value;',
  });
}

/** Stores results in their views, and gives back what was only needed on the way. */
export function finish(
  context: Context,
  results: readonly (readonly [out: View, array: DeviceArray])[],
  temporary: readonly DeviceArray[] = [],
): void {
  for (const [out, array] of results) context.memory.store(out, array);
  for (const array of temporary) context.executor.release(array);
}
