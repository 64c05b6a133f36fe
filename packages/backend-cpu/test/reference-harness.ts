/** What the tests of the reference share: tensors by value, naive indexing, arbitraries. */
import type {
  Aval,
  Backend,
  CoreName,
  DType,
  Kernel,
  OpAttrs,
  Shape,
  TypedArray,
  View,
} from '@loretta-ts/core';
import { sizeOf, typedArray } from '@loretta-ts/core';
import fc from 'fast-check';
import { referenceBackend } from '../src/reference';

export interface Values extends Aval {
  readonly data: TypedArray;
}

function values(dtype: DType, shape: Shape, elements: ArrayLike<number>): Values {
  const data = typedArray(dtype, sizeOf(shape));
  if (elements.length !== data.length) throw new Error(`${elements.length} for [${shape}]`);
  data.set(elements);
  return { dtype, shape, data };
}

export const f64 = (shape: Shape, elements: ArrayLike<number>): Values =>
  values('f64', shape, elements);
export const f32 = (shape: Shape, elements: ArrayLike<number>): Values =>
  values('f32', shape, elements);
export const i32 = (shape: Shape, elements: ArrayLike<number>): Values =>
  values('i32', shape, elements);
export const bool = (shape: Shape, elements: ArrayLike<number>): Values =>
  values('bool', shape, elements);

export const backend: Backend = referenceBackend();

/** A view of new memory, one element off the start so that offsets count. */
export function upload(x: Values): View {
  const size = x.data.length;
  const buffer = backend.alloc(size + 1, x.dtype);
  backend.write(buffer, 1, x.data);
  return { buffer, offset: 1, shape: x.shape, dtype: x.dtype, size };
}

export function download(view: View): TypedArray {
  const read = backend.readSync;
  if (read === undefined) throw new Error('the reference reads at once');
  return read(view.buffer, view.dtype, view.offset, view.size);
}

type KernelName = Exclude<CoreName, 'reshape'>;

/** Runs one kernel on fresh memory that held other numbers before. */
export function run<N extends KernelName>(
  op: N,
  ins: readonly Values[],
  outs: readonly Aval[],
  attrs: OpAttrs[N],
): readonly number[][] {
  const from = ins.map(upload);
  const to = outs.map((o) =>
    upload({ ...o, data: typedArray(o.dtype, sizeOf(o.shape)).fill(o.dtype === 'bool' ? 1 : 77) }),
  );
  try {
    const kernel = backend.kernels[op] as Kernel<N>;
    kernel(from, to, attrs);
    return to.map((v) => Array.from(download(v)));
  } finally {
    for (const v of [...from, ...to]) backend.free(v.buffer);
  }
}

/** All index tuples of a shape in row-major order. */
export function indices(shape: Shape): number[][] {
  return shape.reduce<number[][]>(
    (tuples, d) => tuples.flatMap((t) => Array.from({ length: d }, (_, i) => [...t, i])),
    [[]],
  );
}

/** The element at a tuple that may be longer than the rank and may run over axes of size 1. */
export function at(x: Values, index: readonly number[]): number {
  const own = index.slice(index.length - x.shape.length);
  let offset = 0;
  for (const [i, d] of x.shape.entries()) offset = offset * d + (d === 1 ? 0 : own[i]!);
  return x.data[offset]!;
}

export const special: readonly number[] = [
  0,
  -0,
  1,
  -1,
  0.5,
  -0.5,
  1.5,
  2.5,
  -2.5,
  3,
  1e-40,
  -5e-324,
  1e300,
  Infinity,
  -Infinity,
  Number.NaN,
];

export const shapes = (maxRank = 4, min = 0): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min, max: 4 }), { maxLength: maxRank });

/** Half-offset grid: no ties with 0, exact in f32. */
const grid = fc.integer({ min: -64, max: 63 }).map((k) => (k + 0.5) / 16);

export function tensors(
  dtype: DType,
  shape: fc.Arbitrary<readonly number[]> = shapes(),
  element: fc.Arbitrary<number> = dtype === 'bool'
    ? fc.integer({ min: 0, max: 1 })
    : dtype === 'i32'
      ? fc.integer({ min: -9, max: 9 })
      : grid,
): fc.Arbitrary<Values> {
  return shape.chain((s) =>
    fc
      .array(element, { minLength: sizeOf(s), maxLength: sizeOf(s) })
      .map((e) => values(dtype, s, e)),
  );
}

/** Several shapes that broadcast to the first, which is given too. */
export const broadcastable = (count: number): fc.Arbitrary<number[][]> =>
  shapes().chain((full) =>
    fc
      .tuple(
        ...Array.from({ length: count }, () =>
          fc.tuple(
            fc.integer({ min: 0, max: full.length }),
            fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
          ),
        ),
      )
      .map((cuts) => cuts.map(([drop, ones]) => full.map((d, i) => (ones[i] ? 1 : d)).slice(drop))),
  );

export const law = (runs = 100): { readonly seed: number; readonly numRuns: number } => ({
  seed: 20240229,
  numRuns: runs,
});
