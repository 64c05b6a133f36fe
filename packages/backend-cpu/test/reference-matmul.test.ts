import { broadcastShapes, type Shape } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  at,
  broadcastable,
  f32,
  f64,
  indices,
  law,
  run,
  tensors,
  type Values,
} from './reference-harness';

/** The matrix at a batch index, entry (i, j) of it before any transposition. */
const entry = (x: Values, batch: readonly number[], i: number, j: number): number => {
  const own = batch.slice(batch.length - (x.shape.length - 2));
  return at(x, [...own, i, j]);
};

function naive(
  a: Values,
  b: Values,
  batch: Shape,
  [m, n, k]: Shape,
  transA: boolean,
  transB: boolean,
) {
  return indices([...batch, m!, n!]).map((index) => {
    const [i, j] = index.slice(-2) as [number, number];
    const lead = index.slice(0, -2);
    let sum = 0;
    for (let p = 0; p < k!; p++) {
      const x = transA ? entry(a, lead, p, i) : entry(a, lead, i, p);
      const y = transB ? entry(b, lead, j, p) : entry(b, lead, p, j);
      sum += x * y;
    }
    return sum;
  });
}

const product = (dtype: 'f32' | 'f64') =>
  fc
    .record({
      batches: broadcastable(2),
      size: fc.tuple(...[0, 1, 2].map(() => fc.integer({ min: 0, max: 9 }))),
      transA: fc.boolean(),
      transB: fc.boolean(),
    })
    .chain(({ batches, size: [m, n, k], transA, transB }) => {
      const shapeA = [...batches[0]!.slice(-2), ...(transA ? [k!, m!] : [m!, k!])];
      const shapeB = [...batches[1]!.slice(-2), ...(transB ? [n!, k!] : [k!, n!])];
      return fc.record({
        a: tensors(dtype, fc.constant(shapeA)),
        b: tensors(dtype, fc.constant(shapeB)),
        size: fc.constant([m!, n!, k!]),
        transA: fc.constant(transA),
        transB: fc.constant(transB),
      });
    });

describe('matmul', () => {
  it.each(['f64', 'f32'] as const)('is the double sum over k, %s', (dtype) => {
    fc.assert(
      fc.property(product(dtype), ({ a, b, size, transA, transB }) => {
        const batch = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
        fc.pre(batch !== null);
        const shape = [...batch!, size[0]!, size[1]!];
        const [got] = run('matmul', [a, b], [{ shape, dtype }], { transA, transB });
        const want = naive(a, b, batch!, size, transA, transB);
        expect(got).toEqual(dtype === 'f32' ? want.map(Math.fround) : want);
      }),
      law(300),
    );
  });

  it('gives zeros where there is nothing to sum', () => {
    const attrs = { transA: false, transB: false };
    const [got] = run(
      'matmul',
      [f64([2, 0], []), f64([0, 3], [])],
      [f64([2, 3], new Array(6).fill(5))],
      attrs,
    );
    expect(got).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('spreads NaN and infinities along rows and columns only', () => {
    const a = f64([2, 2], [Number.NaN, 1, 2, 3]);
    const b = f64([2, 2], [1, 0, Infinity, 1]);
    const [got] = run('matmul', [a, b], [a], { transA: false, transB: false });
    expect(got).toEqual([Number.NaN, Number.NaN, Infinity, 3]);
  });

  it('cancels in f32 as double does', () => {
    const a = f32([1, 3], [1e8, 1, -1e8]);
    const b = f32([3, 1], [1, 1, 1]);
    expect(run('matmul', [a, b], [f32([1, 1], [0])], { transA: false, transB: false })[0]).toEqual([
      1,
    ]);
  });
});

describe('unfold and fold', () => {
  const windows = fc
    .record({
      batch: fc.integer({ min: 0, max: 2 }),
      channels: fc.integer({ min: 1, max: 2 }),
      size: fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 6 })),
      kernel: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      stride: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
      padding: fc.tuple(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 2 })),
      dilation: fc.tuple(fc.integer({ min: 1, max: 2 }), fc.integer({ min: 1, max: 2 })),
    })
    .map((w) => {
      const out = ([0, 1] as const).map((i) =>
        Math.floor(
          (w.size[i] + 2 * w.padding[i] - w.dilation[i] * (w.kernel[i] - 1) - 1) / w.stride[i] + 1,
        ),
      ) as [number, number];
      return { ...w, out };
    })
    .filter((w) => w.out[0] > 0 && w.out[1] > 0)
    .chain((w) => {
      const columns = [w.batch, w.channels * w.kernel[0] * w.kernel[1], w.out[0] * w.out[1]];
      return fc.record({
        w: fc.constant(w),
        x: tensors('f64', fc.constant([w.batch, w.channels, ...w.size])),
        dy: tensors('f64', fc.constant(columns)),
      });
    });

  it('unfold lays out patches as columns', () => {
    fc.assert(
      fc.property(windows, ({ w, x, dy }) => {
        const [got] = run('unfold', [x], [dy], w);
        const inner = [w.batch, w.channels, ...w.kernel, ...w.out];
        const want = indices(inner).map(([b, c, ky, kx, oy, ox]) => {
          const row = oy! * w.stride[0] - w.padding[0] + ky! * w.dilation[0];
          const column = ox! * w.stride[1] - w.padding[1] + kx! * w.dilation[1];
          const inside = row >= 0 && row < w.size[0] && column >= 0 && column < w.size[1];
          return inside ? at(x, [b!, c!, row, column]) : 0;
        });
        expect(got).toEqual(want);
      }),
      law(150),
    );
  });

  it('fold is its adjoint: <unfold x, dy> = <x, fold dy>', () => {
    fc.assert(
      fc.property(windows, ({ w, x, dy }) => {
        const columns = run('unfold', [x], [dy], w)[0]!;
        const image = run('fold', [dy], [x], w)[0]!;
        const left = columns.reduce((s, v, i) => s + v * dy.data[i]!, 0);
        const right = image.reduce((s, v, i) => s + v * x.data[i]!, 0);
        // Grid values: both sums are exact.
        expect(right).toBe(left);
      }),
      law(150),
    );
  });
});
