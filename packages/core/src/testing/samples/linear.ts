/** Samples of choice and indexing, creation, products, windows and sequences. */
import * as fc from 'fast-check';
import type {
  ConvAttrs,
  CreateAttrs,
  IndexAttrs,
  MatmulAttrs,
  OpAttrs,
  SequenceAttrs,
  Window2d,
} from '../../attrs';
import type { Shape } from '../../dtype';
import {
  axisOf,
  bools,
  broadcastable,
  floats,
  indices,
  integers,
  numbers,
  shapes,
} from '../values';
import { type Samples, sample } from './sample';

const small = (min: number, max: number): fc.Arbitrary<number> => fc.integer({ min, max });

/** An index for `gather` along an axis of `shape`: no larger off the axis, of any size along it. */
function indexShape(shape: Shape, axis: number): fc.Arbitrary<number[]> {
  return fc.tuple(
    ...shape.map((d, i) => (i === axis ? small(0, shape[axis] === 0 ? 0 : 4) : small(0, d))),
  );
}

const gathers: Samples<OpAttrs['gather']> = shapes({ minRank: 1, maxRank: 3 }).chain((shape) =>
  axisOf(shape).chain((axis) =>
    indexShape(shape, axis)
      .chain((at) => fc.tuple(numbers(shape), indices(at, shape[axis]!)))
      .map((ins) => sample(ins, { axis })),
  ),
);

const scatters: Samples<OpAttrs['scatterAdd']> = shapes({ minRank: 1, maxRank: 3 }).chain((shape) =>
  axisOf(shape).chain((axis) =>
    indexShape(shape, axis)
      .chain((at) =>
        fc
          .tuple(...at.map((d) => small(d, d + 1)))
          .chain((src) => fc.tuple(floats(shape), indices(at, shape[axis]!), floats(src))),
      )
      .map((ins) => sample(ins, { axis })),
  ),
);

export const indexSamples: { readonly [N in keyof IndexAttrs]: Samples<IndexAttrs[N]> } = {
  where: shapes().chain((shape) =>
    fc
      .tuple(broadcastable(shape), broadcastable(shape))
      .chain(([a, b]) => fc.tuple(bools(shape), floats(a), floats(b)))
      .map((ins) => sample(ins, {})),
  ),
  gather: gathers,
  scatterAdd: scatters,
  embedding: fc
    .tuple(small(1, 5), shapes({ maxRank: 2 }), shapes({ maxRank: 2 }))
    .chain(([rows, row, ids]) => fc.tuple(numbers([rows, ...row]), indices(ids, rows)))
    .map((ins) => sample(ins, {})),
  embeddingGrad: fc
    .tuple(small(1, 5), shapes({ maxRank: 2 }), shapes({ maxRank: 2 }))
    .chain(([rows, row, ids]) =>
      fc.tuple(indices(ids, rows), floats([...ids, ...row])).map((ins) => sample(ins, { rows })),
    ),
  updateSlice: shapes({ minRank: 1, maxRank: 3 }).chain((shape) =>
    axisOf(shape).chain((axis) =>
      small(0, shape[axis]!).chain((size) => {
        const update = shape.map((d, i) => (i === axis ? size : d));
        const start = indices([], shape[axis]! - size + 1);
        return fc.tuple(floats(shape), floats(update), start).map((ins) => sample(ins, { axis }));
      }),
    ),
  ),
};

export const createSamples: { readonly [N in keyof CreateAttrs]: Samples<CreateAttrs[N]> } = {
  fill: fc
    .tuple(
      shapes(),
      fc.constantFrom('float' as const, 'i32' as const, 'bool' as const),
      small(0, 1),
    )
    .map(([shape, kind, value]) => ({
      ins: [],
      attrs: (float) => ({ shape, value, dtype: kind === 'float' ? float : kind }),
    })),
  iota: fc
    .tuple(small(0, 9), fc.boolean(), small(-3, 3), small(-2, 2))
    .map(([size, whole, start, step]) => ({
      ins: [],
      attrs: (float) => ({ size, start, step, dtype: whole ? ('i32' as const) : float }),
    })),
  randomBits: fc
    .tuple(integers([2], fc.integer()), shapes(), small(0, 2))
    .map(([key, shape, stream]) => sample([key], { shape, stream })),
};

export const matmulSamples: { readonly [N in keyof MatmulAttrs]: Samples<MatmulAttrs[N]> } = {
  matmul: fc
    .tuple(shapes({ maxRank: 2, maxDim: 3 }), small(0, 5), small(0, 5), small(0, 5))
    .chain(([batch, m, k, n]) =>
      fc
        .tuple(broadcastable(batch), broadcastable(batch), fc.boolean(), fc.boolean())
        .chain(([left, right, transA, transB]) => {
          const a = [...left, ...(transA ? [k, m] : [m, k])];
          const b = [...right, ...(transB ? [n, k] : [k, n])];
          const real = fc.tuple(floats(a), floats(b));
          const whole = fc.tuple(integers(a), integers(b));
          return fc
            .oneof({ weight: 4, arbitrary: real }, { weight: 1, arbitrary: whole })
            .map((ins) => sample(ins, { transA, transB }));
        }),
    ),
};

/** A window along one axis, and a size that it fits. */
const windowAxis = fc
  .record({
    kernel: small(1, 3),
    stride: small(1, 2),
    padding: small(0, 1),
    dilation: small(1, 2),
    extra: small(0, 3),
  })
  .map((w) => ({
    ...w,
    size: Math.max(1, w.dilation * (w.kernel - 1) + 1 - 2 * w.padding + w.extra),
  }));

interface Windowed {
  readonly window: Window2d;
  readonly size: readonly [number, number];
  readonly positions: number;
}

const windows: fc.Arbitrary<Windowed> = fc.tuple(windowAxis, windowAxis).map(([y, x]) => {
  const count = (w: typeof y): number =>
    Math.floor((w.size + 2 * w.padding - w.dilation * (w.kernel - 1) - 1) / w.stride) + 1;
  return {
    window: {
      kernel: [y.kernel, x.kernel],
      stride: [y.stride, x.stride],
      padding: [y.padding, x.padding],
      dilation: [y.dilation, x.dilation],
    },
    size: [y.size, x.size],
    positions: count(y) * count(x),
  };
});

export const convSamples: { readonly [N in keyof ConvAttrs]: Samples<ConvAttrs[N]> } = {
  unfold: fc
    .tuple(windows, small(0, 2), small(1, 2))
    .chain(([w, b, c]) => floats([b, c, ...w.size]).map((x) => sample([x], w.window))),
  fold: fc.tuple(windows, small(0, 2), small(1, 2)).chain(([w, b, c]) => {
    const rows = c * w.window.kernel[0] * w.window.kernel[1];
    return floats([b, rows, w.positions]).map((x) => sample([x], { ...w.window, size: w.size }));
  }),
};

export const sequenceSamples: { readonly [N in keyof SequenceAttrs]: Samples<SequenceAttrs[N]> } = {
  fft: fc
    .tuple(shapes({ maxRank: 2, maxDim: 3 }), small(1, 9), fc.boolean())
    .chain(([lead, n, inverse]) =>
      fc.tuple(floats([...lead, n]), floats([...lead, n])).map((ins) => sample(ins, { inverse })),
    ),
  longConv: fc
    .tuple(shapes({ maxRank: 2, maxDim: 3 }), small(1, 7))
    .chain(([lead, n]) =>
      broadcastable(lead).chain((other) => fc.tuple(floats([...lead, n]), floats([...other, n]))),
    )
    .map((ins) => sample(ins, {})),
  linearRecurrence: fc
    .tuple(shapes({ maxRank: 2, maxDim: 3 }), small(0, 5), small(0, 3), fc.boolean())
    .chain(([lead, t, n, reverse]) =>
      fc
        .tuple(floats([...lead, t, n]), floats([...lead, t, n]))
        .map((ins) => sample(ins, { reverse })),
    ),
};
