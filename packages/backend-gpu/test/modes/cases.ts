/** Random inputs for every kernel: sizes up to 5, ranks up to 4, values off the half grid where ties or kinks matter. */
import {
  type Aval,
  type Axes,
  broadcastShapes,
  type DType,
  type None,
  type OpAttrs,
  type Shape,
  sizeOf,
} from '@loretta-ts/core';
import fc from 'fast-check';
import { type Case, type KernelName, type Value, value } from './harness';

/** Halves of sixteenths, never 0: exact in f32, no kinks. */
const grid = fc.integer({ min: -64, max: 63 }).map((k) => (k + 0.5) / 16);
const positive = fc.integer({ min: 0, max: 63 }).map((k) => (k + 0.5) / 16);
const special = fc.constantFrom(0, 1, -1, 0.5, 2.5, Infinity, -Infinity, Number.NaN);
const mixed = fc.oneof({ weight: 3, arbitrary: grid }, { weight: 1, arbitrary: special });

const elements: Readonly<Record<Exclude<DType, 'f64'>, fc.Arbitrary<number>>> = {
  f32: grid,
  i32: fc.integer({ min: -9, max: 9 }),
  bool: fc.integer({ min: 0, max: 1 }),
};

type Held = Exclude<DType, 'f64'>;

function values(
  dtype: Held,
  shape: Shape,
  element: fc.Arbitrary<number> = elements[dtype],
): fc.Arbitrary<Value> {
  const length = sizeOf(shape);
  return fc
    .array(element, { minLength: length, maxLength: length })
    .map((e) => value(dtype, shape, e));
}

const shapes = (minRank = 0, min = 0): fc.Arbitrary<number[]> =>
  fc.array(fc.integer({ min, max: 5 }), { minLength: minRank, maxLength: 4 });

/** A shape and `count` shapes that broadcast to it, at least one of them whole. */
const broadcastable = (count: number): fc.Arbitrary<number[][]> =>
  shapes().chain((full) =>
    fc
      .array(
        fc.tuple(
          fc.integer({ min: 0, max: full.length }),
          fc.array(fc.boolean(), { minLength: full.length, maxLength: full.length }),
        ),
        { minLength: count, maxLength: count },
      )
      .map((cuts) => cuts.map(([drop, ones]) => full.map((d, i) => (ones[i] ? 1 : d)).slice(drop))),
  );

function broadcastOf(ins: readonly Value[]): number[] {
  return ins.reduce<number[]>((shape, v) => broadcastShapes(shape, v.shape)!, []);
}

const none = {} as const;

function unary(
  out: (dtype: DType) => DType,
  dtypes: readonly Held[] = ['f32'],
  element?: fc.Arbitrary<number>,
): fc.Arbitrary<Case<None>> {
  return fc
    .tuple(fc.constantFrom(...dtypes), shapes())
    .chain(([dtype, shape]) => values(dtype, shape, dtype === 'f32' ? element : undefined))
    .map((x) => ({ ins: [x], outs: [{ shape: x.shape, dtype: out(x.dtype) }], attrs: none }));
}

function binary(
  out: (dtype: DType) => DType,
  dtypes: readonly Held[],
  element?: fc.Arbitrary<number>,
  second: fc.Arbitrary<number> | undefined = element,
): fc.Arbitrary<Case<None>> {
  return fc
    .tuple(fc.constantFrom(...dtypes), broadcastable(2))
    .chain(([dtype, [a, b]]) => fc.tuple(values(dtype, a!, element), values(dtype, b!, second)))
    .map((ins) => ({
      ins,
      outs: [{ shape: broadcastOf(ins), dtype: out(ins[0].dtype) }],
      attrs: none,
    }));
}

const same = (dtype: DType): DType => dtype;
const truth = (): DType => 'bool';
const numbers = ['f32', 'i32'] as const;

const floatPairs = (element = grid, second = element) => binary(same, ['f32'], element, second);
/** Integers divided by what is not 0, and floats. */
const divided = fc.oneof(
  floatPairs(),
  binary(
    same,
    ['i32'],
    elements.i32,
    fc.integer({ min: 1, max: 9 }).chain((d) => fc.constantFrom(d, -d)),
  ),
);
const comparison = fc.oneof(binary(truth, ['f32'], mixed), binary(truth, ['i32', 'bool']));
const logic = binary(truth, ['bool']);
const floatUnary = (element: fc.Arbitrary<number> = mixed) => unary(same, ['f32'], element);
const signed = unary(same, numbers, mixed);
const test = unary(truth, ['f32'], mixed);

/** A value with at least one axis, and one of its axes. */
const withAxis = (dtypes: readonly Held[], element?: fc.Arbitrary<number>, min = 0) =>
  fc
    .tuple(fc.constantFrom(...dtypes), shapes(1, min))
    .chain(([dtype, shape]) =>
      fc.tuple(
        values(dtype, shape, dtype === 'f32' ? element : undefined),
        fc.nat(shape.length - 1),
      ),
    );

function reduced(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((d, i) => (axes.includes(i) ? 1 : d))
    : shape.filter((_, i) => !axes.includes(i));
}

function fold(min: number, element?: fc.Arbitrary<number>): fc.Arbitrary<Case<Axes>> {
  return fc
    .tuple(fc.constantFrom(...numbers), shapes(0, min))
    .chain(([dtype, shape]) =>
      fc.tuple(
        values(dtype, shape, dtype === 'f32' ? element : fc.integer({ min: -3, max: 3 })),
        fc.subarray([...shape.keys()]),
        fc.boolean(),
      ),
    )
    .map(([x, axes, keepDims]) => ({
      ins: [x],
      outs: [{ shape: reduced(x.shape, axes, keepDims), dtype: x.dtype }],
      attrs: { axes, keepDims },
    }));
}

const argExtremum = withAxis(numbers, mixed, 1).map(([x, axis]) => ({
  ins: [x],
  outs: [{ shape: x.shape.filter((_, i) => i !== axis), dtype: 'i32' as const }],
  attrs: { axis },
}));

/** One input, and attributes that decide the output. */
function moved<A>(
  attrs: (shape: Shape) => fc.Arbitrary<A>,
  shape: (from: Shape, attrs: A) => Shape,
): fc.Arbitrary<{ ins: Value[]; outs: Aval[]; attrs: A }> {
  return fc
    .tuple(fc.constantFrom('f32' as const, 'i32' as const, 'bool' as const), shapes())
    .chain(([dtype, s]) => fc.tuple(values(dtype, s), attrs(s)))
    .map(([x, a]) => ({
      ins: [x],
      outs: [{ shape: shape(x.shape, a), dtype: x.dtype }],
      attrs: a,
    }));
}

const perAxis = <T>(shape: Shape, f: (d: number) => fc.Arbitrary<T>): fc.Arbitrary<T[]> =>
  shape.length === 0 ? fc.constant([]) : fc.tuple(...shape.map(f));

/** start, size and step of a part of an axis. */
const partOf = (d: number) =>
  fc
    .record({ size: fc.integer({ min: 0, max: d }), step: fc.constantFrom(1, -1, 2, -2) })
    .chain(({ size, step }) => {
      const reach = Math.max(size - 1, 0) * Math.abs(step);
      if (reach >= d) return fc.constant({ start: 0, size: Math.min(size, 1, d), step });
      const start = step > 0 ? [0, d - 1 - reach] : [reach, d - 1];
      return fc
        .integer({ min: start[0]!, max: start[1]! })
        .map((from) => ({ start: from, size, step }));
    });

const indexed = (dtypes: readonly Held[]) =>
  withAxis(dtypes, undefined, 1).chain(([x, axis]) =>
    perAxis(x.shape, (d) => fc.integer({ min: 1, max: d })).chain((sizes) =>
      fc
        .integer({ min: 0, max: 6 })
        .map((n) => sizes.map((d, i) => (i === axis ? n : d)))
        .chain((shape) =>
          fc.tuple(
            fc.constant(x),
            fc.constant(axis),
            values('i32', shape, fc.nat(x.shape[axis]! - 1)),
            values(x.dtype as Held, shape),
          ),
        ),
    ),
  );

const rowsAndIds = fc
  .tuple(fc.integer({ min: 1, max: 6 }), shapes(), fc.constantFrom([], [3], [2, 3]))
  .chain(([rows, idShape, row]) =>
    fc.tuple(
      values('f32', [rows, ...row]),
      values('i32', idShape, fc.nat(rows - 1)),
      values('f32', [...idShape, ...row]),
    ),
  );

const matmul = fc
  .tuple(
    broadcastable(2),
    fc.tuple(
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 9 }),
      fc.integer({ min: 0, max: 6 }),
    ),
    fc.boolean(),
    fc.boolean(),
    fc.constantFrom(...numbers),
  )
  .chain(([[p, q], [m, k, n], transA, transB, dtype]) =>
    fc.tuple(
      values(dtype, [...p!.slice(-2), ...(transA ? [k, m] : [m, k])]),
      values(dtype, [...q!.slice(-2), ...(transB ? [n, k] : [k, n])]),
      fc.constant({ m, n, transA, transB }),
    ),
  )
  .map(([a, b, { m, n, transA, transB }]) => {
    const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2))!;
    return {
      ins: [a, b],
      outs: [{ shape: [...batch, m, n], dtype: a.dtype }],
      attrs: { transA, transB },
    };
  });

const pair = (min: number, max: number) =>
  fc.tuple(fc.integer({ min, max }), fc.integer({ min, max }));

/** An image, a window that fits, and the shape of its columns. */
const windowed = fc
  .record({
    kernel: pair(1, 3),
    stride: pair(1, 2),
    padding: pair(0, 2),
    dilation: pair(1, 2),
    more: pair(0, 3),
    planes: pair(1, 2),
  })
  .map(({ kernel, stride, padding, dilation, more, planes: [b, c] }) => {
    const size = [0, 1].map((i) =>
      Math.max(dilation[i]! * (kernel[i]! - 1) + 1 + more[i]! - 2 * padding[i]!, 1),
    );
    const out = [0, 1].map(
      (i) =>
        Math.floor(
          (size[i]! + 2 * padding[i]! - dilation[i]! * (kernel[i]! - 1) - 1) / stride[i]!,
        ) + 1,
    );
    return {
      image: [b, c, size[0]!, size[1]!],
      columns: [b, c * kernel[0] * kernel[1], out[0]! * out[1]!],
      attrs: { kernel, stride, padding, dilation },
    };
  });

const unfold = windowed.chain(({ image, columns, attrs }) =>
  values('f32', image).map((x) => ({
    ins: [x],
    outs: [{ shape: columns, dtype: 'f32' as const }],
    attrs,
  })),
);

const foldBack = windowed.chain(({ image, columns, attrs }) =>
  values('f32', columns).map((x) => ({
    ins: [x],
    outs: [{ shape: image, dtype: 'f32' as const }],
    attrs: { ...attrs, size: [image[2]!, image[3]!] as [number, number] },
  })),
);

const lines = fc
  .tuple(shapes(2), fc.boolean())
  .map(([shape, flag]) => ({ shape, flag }))
  .chain(({ shape, flag }) =>
    fc.tuple(values('f32', shape), values('f32', shape), fc.constant(flag)),
  );

const longConv = fc
  .tuple(broadcastable(2), fc.integer({ min: 1, max: 9 }))
  .chain(([[p, q], l]) => fc.tuple(values('f32', [...p!, l]), values('f32', [...q!, l])))
  .map((ins) => ({ ins, outs: [{ shape: broadcastOf(ins), dtype: 'f32' as const }], attrs: none }));

/** Every kernel that runs; the type forgets none. */
export const cases: {
  readonly [N in KernelName]: fc.Arbitrary<Case<OpAttrs[N]>>;
} = {
  add: binary(same, numbers),
  sub: binary(same, numbers),
  mul: binary(same, numbers),
  div: divided,
  maximum: fc.oneof(floatPairs(mixed), binary(same, ['i32'])),
  minimum: fc.oneof(floatPairs(mixed), binary(same, ['i32'])),
  pow: fc.oneof(
    floatPairs(positive, grid),
    floatPairs(
      fc.constantFrom(-2, -1, 0, 1, 3, Number.NaN),
      fc.constantFrom(-2, 0, 1, 2, 3, 0.5, Number.NaN),
    ),
  ),
  atan2: fc.oneof(floatPairs(), floatPairs(special)),
  remainder: divided,
  eq: comparison,
  ne: comparison,
  lt: comparison,
  le: comparison,
  gt: comparison,
  ge: comparison,
  and: logic,
  or: logic,
  xor: logic,
  not: unary(truth, ['bool']),
  neg: signed,
  abs: signed,
  sign: signed,
  square: signed,
  relu: signed,
  exp: floatUnary(),
  expm1: floatUnary(),
  log: floatUnary(fc.oneof(positive, fc.constantFrom(0, 1, 0.99, 1.01, Infinity, Number.NaN))),
  log1p: floatUnary(fc.oneof(positive, fc.constantFrom(-1, -0.5, 0, 1e-4, Infinity, Number.NaN))),
  sqrt: floatUnary(fc.oneof(positive, fc.constantFrom(0, Infinity, Number.NaN))),
  rsqrt: floatUnary(fc.oneof(positive, fc.constantFrom(Infinity, Number.NaN))),
  reciprocal: floatUnary(fc.oneof(grid, fc.constantFrom(Infinity, -Infinity, Number.NaN))),
  sin: floatUnary(grid),
  cos: floatUnary(grid),
  tanh: floatUnary(fc.oneof(mixed, fc.constantFrom(1e-4, 60, -60))),
  sigmoid: floatUnary(fc.oneof(mixed, fc.constantFrom(60, -60))),
  softplus: floatUnary(fc.oneof(mixed, fc.constantFrom(60, -60))),
  erf: floatUnary(fc.oneof(mixed, fc.constantFrom(1e-4, 3.9, 5))),
  floor: floatUnary(),
  ceil: floatUnary(),
  round: floatUnary(fc.oneof(mixed, fc.constantFrom(-0.5, 1.5, -2.5, 1e9))),
  isNaN: test,
  isInf: test,
  isFinite: test,
  sum: fold(0),
  prod: fold(0, fc.constantFrom(0.5, 1.5, -1.25)),
  max: fold(1, mixed),
  min: fold(1, mixed),
  argmax: argExtremum,
  argmin: argExtremum,
  argsort: fc.tuple(withAxis(numbers, mixed), fc.boolean()).map(([[x, axis], descending]) => ({
    ins: [x],
    outs: [{ shape: x.shape, dtype: 'i32' as const }],
    attrs: { axis, descending },
  })),
  cumsum: fc.tuple(withAxis(numbers), fc.boolean()).map(([[x, axis], reverse]) => ({
    ins: [x],
    outs: [{ shape: x.shape, dtype: x.dtype }],
    attrs: { axis, reverse },
  })),
  cast: fc
    .tuple(
      fc.constantFrom('f32' as const, 'i32' as const, 'bool' as const),
      fc.constantFrom('f32' as const, 'i32' as const, 'bool' as const),
      shapes(),
    )
    .chain(([from, dtype, shape]) =>
      fc.tuple(
        values(
          from,
          shape,
          from === 'f32' ? fc.oneof(grid, fc.constantFrom(0, Number.NaN)) : undefined,
        ),
        fc.constant(dtype),
      ),
    )
    .filter(([x, dtype]) => !(dtype === 'f32' && x.data.some((v) => Number.isNaN(v))))
    .map(([x, dtype]) => ({ ins: [x], outs: [{ shape: x.shape, dtype }], attrs: { dtype } })),
  permute: moved(
    (shape) =>
      fc
        .shuffledSubarray([...shape.keys()], { minLength: shape.length, maxLength: shape.length })
        .map((axes) => ({ axes })),
    (shape, { axes }) => axes.map((a) => shape[a]!),
  ),
  slice: moved(
    (shape) =>
      perAxis(shape, partOf).map((parts) => ({
        starts: parts.map((p) => p.start),
        sizes: parts.map((p) => p.size),
        steps: parts.map((p) => p.step),
      })),
    (_, { sizes }) => sizes,
  ),
  pad: moved(
    (shape) =>
      fc.record({
        before: perAxis(shape, () => fc.nat(2)),
        after: perAxis(shape, () => fc.nat(2)),
        value: fc.integer({ min: -2, max: 2 }),
      }),
    (shape, { before, after }) => shape.map((d, i) => d + before[i]! + after[i]!),
  ),
  concat: fc
    .tuple(shapes(1), fc.array(fc.nat(3), { minLength: 1, maxLength: 5 }))
    .chain(([shape, sizes]) =>
      fc.nat(shape.length - 1).chain((axis) =>
        fc.tuple(
          fc.constant(axis),
          fc.tuple(
            ...sizes.map((n) =>
              values(
                'f32',
                shape.map((d, i) => (i === axis ? n : d)),
              ),
            ),
          ),
        ),
      ),
    )
    .map(([axis, ins]) => {
      const length = ins.reduce((n, x) => n + x.shape[axis]!, 0);
      const shape = ins[0]!.shape.map((d, i) => (i === axis ? length : d));
      return { ins, outs: [{ shape, dtype: 'f32' as const }], attrs: { axis } };
    }),
  broadcastTo: fc
    .tuple(broadcastable(1), shapes())
    .chain(([[s], lead]) => fc.tuple(values('f32', s!), fc.constant(lead)))
    .map(([x, lead]) => {
      const shape = [...lead, ...x.shape.map((d) => (d === 1 ? 3 : d))];
      return { ins: [x], outs: [{ shape, dtype: 'f32' as const }], attrs: { shape } };
    }),
  flip: moved(
    (shape) => fc.subarray([...shape.keys()]).map((axes) => ({ axes })),
    (shape) => shape,
  ),
  where: broadcastable(3)
    .chain(([c, a, b]) =>
      fc.tuple(values('bool', c!), values('f32', a!, mixed), values('f32', b!, mixed)),
    )
    .map((ins) => ({
      ins,
      outs: [{ shape: broadcastOf(ins), dtype: 'f32' as const }],
      attrs: none,
    })),
  gather: indexed(['f32', 'i32']).map(([x, axis, index]) => ({
    ins: [x, index],
    outs: [{ shape: index.shape, dtype: x.dtype }],
    attrs: { axis },
  })),
  scatterAdd: indexed(['f32', 'i32']).map(([x, axis, index, src]) => ({
    ins: [x, index, src],
    outs: [{ shape: x.shape, dtype: x.dtype }],
    attrs: { axis },
  })),
  embedding: rowsAndIds.map(([table, ids]) => ({
    ins: [table, ids],
    outs: [{ shape: [...ids.shape, ...table.shape.slice(1)], dtype: 'f32' as const }],
    attrs: none,
  })),
  embeddingGrad: rowsAndIds.map(([table, ids, dy]) => ({
    ins: [ids, dy],
    outs: [{ shape: table.shape, dtype: 'f32' as const }],
    attrs: { rows: table.shape[0]! },
  })),
  updateSlice: withAxis(['f32'], undefined, 1)
    .chain(([x, axis]) =>
      fc.integer({ min: 0, max: x.shape[axis]! }).chain((n) =>
        fc.tuple(
          fc.constant(x),
          fc.constant(axis),
          values(
            'f32',
            x.shape.map((d, i) => (i === axis ? n : d)),
          ),
          values('i32', [], fc.nat(x.shape[axis]! - n)),
        ),
      ),
    )
    .map(([x, axis, update, start]) => ({
      ins: [x, update, start],
      outs: [{ shape: x.shape, dtype: 'f32' as const }],
      attrs: { axis },
    })),
  fill: fc
    .tuple(
      shapes(),
      fc.constantFrom('f32' as const, 'i32' as const, 'bool' as const),
      fc.integer({ min: -2, max: 2 }),
    )
    .map(([shape, dtype, v]) => ({
      ins: [],
      outs: [{ shape, dtype }],
      attrs: { shape, dtype, value: v },
    })),
  iota: fc
    .record({
      size: fc.nat(9),
      dtype: fc.constantFrom('f32' as const, 'i32' as const),
      start: fc.integer({ min: -5, max: 5 }),
      step: fc.integer({ min: -3, max: 3 }),
    })
    .map((attrs) => ({
      ins: [],
      outs: [{ shape: [attrs.size], dtype: attrs.dtype }],
      attrs,
    })),
  matmul,
  unfold,
  fold: foldBack,
  fft: lines.map(([re, im, inverse]) => ({ ins: [re, im], outs: [re, im], attrs: { inverse } })),
  longConv,
  linearRecurrence: lines.map(([a, b, reverse]) => ({
    ins: [a, b],
    outs: [a],
    attrs: { reverse },
  })),
  randomBits: fc
    .tuple(
      values('i32', [2], fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
      shapes(),
      fc.nat(3),
    )
    .map(([key, shape, stream]) => ({
      ins: [key],
      outs: [{ shape, dtype: 'i32' as const }],
      attrs: { shape, stream },
    })),
};
