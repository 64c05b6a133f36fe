/** Binary, comparison, logic, unary and test ops, `where` and `cast`: one strided map each. */
import type { Kernel, Kernels, View } from '@loretta-ts/core';
import { ValueError } from '@loretta-ts/core';
import {
  binaryFormulas,
  compareFormulas,
  integerFormulas,
  testFormulas,
  unaryFormulas,
} from '../formulas';
import { broadcastStrides, coalesce } from '../layout';
import { checkView, type Context, exactFor, launch, type LaunchOptions } from '../launch';
import { coordinates, dotStrides, type KernelSource, sizeNames, strideNames } from '../source';

type BinaryName = keyof typeof binaryFormulas;
type CompareName = keyof typeof compareFormulas;
type UnaryName = keyof typeof unaryFormulas;
type TestName = keyof typeof testFormulas;
type PlainKernel = Kernel<'add'>;
type ElementwiseName = BinaryName | CompareName | 'not' | UnaryName | TestName | 'where' | 'cast';

/** A formula over strided operands: `operands` are the names that its body uses. */
function mapSource(
  name: string,
  operands: readonly string[],
  body: string,
  rank: number,
): KernelSource {
  const loads = operands.map(
    (o) => `const ${o} = in_${o}[o_${o} + ${dotStrides(`_${o}`, rank)}];\n`,
  );
  return {
    name: `${name}/${rank}`,
    arrays: operands.map((o) => `in_${o}`),
    ints: [
      ...sizeNames(rank),
      ...operands.map((o) => `o_${o}`),
      ...operands.flatMap((o) => strideNames(`_${o}`, rank)),
    ],
    floats: [],
    body: coordinates('this.thread.x', rank) + loads.join('') + body,
  };
}

/** An operand of a map: a view, read from `start` elements after its first by strides over the output's axes. */
export interface StridedView {
  readonly view: View;
  readonly start: number;
  readonly strides: readonly number[];
}

/** Runs a formula over operands whose strides refer to the output's shape. */
export function launchMap(
  context: Context,
  formula: { readonly name: string; readonly operands: readonly string[]; readonly body: string },
  operands: readonly StridedView[],
  out: View,
  options: LaunchOptions = {},
): void {
  if (out.size === 0) return;
  const walk = coalesce(
    out.shape,
    operands.map((o) => o.strides),
  );
  const rank = walk.shape.length;
  launch(
    context,
    mapSource(formula.name, formula.operands, formula.body, rank),
    operands.map((o) => o.view),
    out,
    {
      ...options,
      ints: [
        ...walk.shape.slice(1),
        ...operands.map((o) => o.view.offset + o.start),
        ...walk.strides.flat(),
      ],
    },
  );
}

/** The operand broadcast to the output's shape. */
export function broadcast(view: View, out: View): StridedView {
  return { view, start: 0, strides: broadcastStrides(view.shape, out.shape) };
}

function unary(context: Context, name: string, body: string): PlainKernel {
  return ([x], [out]) => {
    launchMap(
      context,
      { name, operands: ['x'], body },
      [broadcast(x!, out!)],
      out!,
      exactFor(name, out!),
    );
  };
}

/** Integers have no infinity to give. */
function nonZero(context: Context, op: string, divisor: View) {
  return checkView(context, op, divisor, (values) => {
    if (values.includes(0)) {
      throw new ValueError(
        op,
        'i32 divisor is 0: cast to a float for infinities or mask the zeros',
      );
    }
  });
}

function binary(context: Context, name: string, body: string, integerBody = body): PlainKernel {
  const divides = name === 'div' || name === 'remainder';
  return ([a, b], [out]) => {
    const integers = a!.dtype === 'i32';
    const own = integers && integerBody !== body;
    const before = integers && divides && out!.size > 0 ? [nonZero(context, name, b!)] : [];
    launchMap(
      context,
      { name: own ? `${name}.i32` : name, operands: ['x', 'y'], body: own ? integerBody : body },
      [broadcast(a!, out!), broadcast(b!, out!)],
      out!,
      { ...exactFor(name, out!), before },
    );
  };
}

function mapTable<K extends string>(
  table: Readonly<Record<K, string>>,
  kernel: (name: K, body: string) => PlainKernel,
): Record<K, PlainKernel> {
  const names = Object.keys(table) as K[];
  return Object.fromEntries(names.map((name) => [name, kernel(name, table[name])])) as Record<
    K,
    PlainKernel
  >;
}

const castBodies = {
  // NaN gives 0; what is too large for i32 here fails the assertion of the result.
  truncate: `if (x > 0) { return Math.floor(x); }
if (x <= 0) { return Math.ceil(x); }
return 0;`,
  nonZero: 'return x === 0 ? 0 : 1;',
  keep: 'return x;',
} as const;

function cast(context: Context): Kernel<'cast'> {
  return ([x], [out], { dtype }) => {
    const truncates = dtype === 'i32' && x!.dtype === 'f32';
    const how = dtype === 'bool' ? 'nonZero' : truncates ? 'truncate' : 'keep';
    launchMap(
      context,
      { name: `cast.${how}`, operands: ['x'], body: castBodies[how] },
      [broadcast(x!, out!)],
      out!,
      truncates ? { exact: 'cast' } : {},
    );
  };
}

function where(context: Context): Kernel<'where'> {
  const formula = { name: 'where', operands: ['c', 'x', 'y'], body: 'return c === 0 ? y : x;' };
  return ([c, x, y], [out]) => {
    launchMap(
      context,
      formula,
      [broadcast(c!, out!), broadcast(x!, out!), broadcast(y!, out!)],
      out!,
    );
  };
}

/** Kernels of the ops that map elements. */
export function elementwiseKernels(context: Context): Pick<Kernels, ElementwiseName> {
  return {
    ...mapTable(binaryFormulas, (name, body) => binary(context, name, body, integerFormulas[name])),
    ...mapTable(compareFormulas, (name, body) => binary(context, name, body)),
    not: unary(context, 'not', 'return 1 - x;'),
    ...mapTable(unaryFormulas, (name, body) => unary(context, name, body)),
    ...mapTable(testFormulas, (name, body) => unary(context, name, body)),
    where: where(context),
    cast: cast(context),
  };
}
