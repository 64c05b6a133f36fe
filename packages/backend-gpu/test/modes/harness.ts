/** Runs one kernel on a backend, with views inside larger buffers, and compares with the reference. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type Aval,
  type Backend,
  type CoreName,
  type DType,
  type OpAttrs,
  sizeOf,
  type Shape,
  type TypedArray,
  typedArray,
  type View,
} from '@loretta-ts/core';

export const reference: Backend = referenceBackend();

export type KernelName = Exclude<CoreName, 'reshape'>;

export interface Value extends Aval {
  readonly data: TypedArray;
}

export function value(dtype: DType, shape: Shape, elements: ArrayLike<number>): Value {
  const data = typedArray(dtype, sizeOf(shape));
  data.set(elements);
  return { dtype, shape, data };
}

/** Inputs of a kernel with attributes `A`. */
export interface Case<A> {
  readonly ins: readonly Value[];
  readonly outs: readonly Aval[];
  readonly attrs: A;
}

/** Elements around each view, which kernels must leave alone. */
const margin = 3;
const sentinel = 7;

function place(backend: Backend, v: Aval, data: TypedArray): View {
  const size = sizeOf(v.shape);
  const padded = typedArray(v.dtype, size + 2 * margin).fill(v.dtype === 'bool' ? 1 : sentinel);
  padded.set(data, margin);
  const buffer = backend.alloc(padded.length, v.dtype);
  backend.write(buffer, 0, padded);
  return { buffer, offset: margin, shape: v.shape, dtype: v.dtype, size };
}

/** What the kernel writes; throws when it writes beside its outputs. */
async function run<N extends KernelName>(
  backend: Backend,
  op: N,
  { ins, outs, attrs }: Case<OpAttrs[N]>,
): Promise<TypedArray[]> {
  const inputs = ins.map((v) => place(backend, v, v.data));
  const outputs = outs.map((v) => place(backend, v, typedArray(v.dtype, sizeOf(v.shape)).fill(1)));
  const kernel = backend.kernels[op] as unknown as (
    ins: readonly View[],
    outs: readonly View[],
    attrs: OpAttrs[N],
  ) => void;
  try {
    kernel(inputs, outputs, attrs);
    const results: TypedArray[] = [];
    for (const v of outputs) {
      const all = await backend.read(v.buffer, v.dtype, 0, v.size + 2 * margin);
      const beside = [...all.subarray(0, margin), ...all.subarray(v.size + margin)];
      const untouched = v.dtype === 'bool' ? 1 : sentinel;
      if (beside.some((x) => x !== untouched)) throw new Error(`${op} wrote beside its output`);
      results.push(all.slice(margin, margin + v.size));
    }
    return results;
  } finally {
    for (const v of [...inputs, ...outputs]) backend.free(v.buffer);
  }
}

/** The largest |got - want| / (atol + rtol |want|): at most 1 within the bounds. NaN and infinities must agree. */
export function mismatch(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  [rtol, atol]: readonly [number, number],
): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const g = got[i]!;
    const w = want[i]!;
    if (Object.is(g, w) || g === w) continue;
    const error = Number.isFinite(w) ? Math.abs(g - w) / (atol + rtol * Math.abs(w)) : Number.NaN;
    if (!(error <= worst)) worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return worst;
}

/** Compares a kernel with the reference on one case. */
export async function expectSame<N extends KernelName>(
  backend: Backend,
  op: N,
  c: Case<OpAttrs[N]>,
  tolerance: readonly [number, number],
): Promise<void> {
  const want = await run(reference, op, c);
  const got = await run(backend, op, c);
  for (const [o, w] of want.entries()) {
    if (mismatch(got[o]!, w, tolerance) > 1) {
      const shown = c.ins.map((v) => `${v.dtype}[${v.shape}] ${[...v.data]}`).join('; ');
      throw new Error(
        `${op} of ${shown} ${JSON.stringify(c.attrs)}: output ${o} is ${[...got[o]!]}, not ${[...w]}`,
      );
    }
  }
}
