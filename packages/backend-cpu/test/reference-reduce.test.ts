import { type DType, type Shape, ShapeError, sizeOf } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  at,
  f32,
  f64,
  i32,
  indices,
  law,
  run,
  shapes,
  special,
  tensors,
  type Values,
} from './reference-harness';

const withAxes = (minSize = 0) =>
  tensors('f64', shapes(4, minSize)).chain((x) =>
    fc.tuple(fc.constant(x), fc.subarray([...x.shape.keys()])),
  );

const withAxis = (minSize = 0) =>
  tensors(
    'f64',
    fc.array(fc.integer({ min: minSize, max: 4 }), { minLength: 1, maxLength: 3 }),
    fc.constantFrom(...special, 0.25, 0.25, -3),
  ).chain((x) => fc.tuple(fc.constant(x), fc.integer({ min: 0, max: x.shape.length - 1 })));

const without = (shape: Shape, axes: readonly number[]): number[] =>
  shape.filter((_, i) => !axes.includes(i));

/** The elements that each output of a reduction sees, outputs and elements in row-major order. */
function groups(x: Values, axes: readonly number[]): number[][] {
  const kept = indices(x.shape.map((d, i) => (axes.includes(i) ? 1 : d)));
  const reduced = indices(x.shape.map((d, i) => (axes.includes(i) ? d : 1)));
  return kept.map((k) =>
    reduced.map((r) =>
      at(
        x,
        k.map((v, i) => v + r[i]!),
      ),
    ),
  );
}

/** A line of x along the axis for every other index. */
const lines = (x: Values, axis: number): number[][] => groups(x, [axis]);

/** Results along the axis, laid out as lines. */
const asLines = (dtype: DType, shape: Shape, data: readonly number[], axis: number): number[][] =>
  lines({ dtype, shape, data: Float64Array.from(data) }, axis);

const nanMax = (xs: readonly number[]): number => Math.max(...xs);

describe('sum, prod, max, min', () => {
  const folds = {
    sum: (xs: readonly number[]) => xs.reduce((s, v) => s + v, 0),
    prod: (xs: readonly number[]) => xs.reduce((s, v) => s * v, 1),
    max: nanMax,
    min: (xs: readonly number[]) => Math.min(...xs),
  } as const;

  it.each(['sum', 'prod', 'max', 'min'] as const)('%s over any axes', (op) => {
    fc.assert(
      fc.property(
        withAxes(op === 'max' || op === 'min' ? 1 : 0),
        fc.boolean(),
        ([x, axes], keepDims) => {
          const shape = keepDims
            ? x.shape.map((d, i) => (axes.includes(i) ? 1 : d))
            : without(x.shape, axes);
          const [got] = run(op, [x], [{ shape, dtype: 'f64' }], { axes, keepDims });
          expect(got).toEqual(groups(x, axes).map(folds[op]));
        },
      ),
      law(),
    );
  });

  it('f32 sums are double sums rounded once', () => {
    const n = 4097;
    const x = f32([n], new Array(n).fill(0.1));
    const [got] = run('sum', [x], [f32([], [0])], { axes: [0], keepDims: false });
    expect(got).toEqual([Math.fround(n * Math.fround(0.1))]);
  });

  it('NaN wins, infinities count', () => {
    const x = f64([3, 3], [1, Number.NaN, 2, -Infinity, 0, 5, Infinity, -Infinity, 1]);
    const out = [f64([3], [0, 0, 0])];
    const attrs = { axes: [1], keepDims: false };
    expect(run('max', [x], out, attrs)[0]).toEqual([Number.NaN, 5, Infinity]);
    expect(run('min', [x], out, attrs)[0]).toEqual([Number.NaN, -Infinity, -Infinity]);
    expect(run('sum', [x], out, attrs)[0]).toEqual([Number.NaN, -Infinity, Number.NaN]);
  });

  it('i32 wraps', () => {
    const attrs = { axes: [0], keepDims: false };
    const x = i32([3], [2147483647, 1, 5]);
    expect(run('sum', [x], [i32([], [0])], attrs)[0]).toEqual([-2147483643]);
    const product = Math.imul(Math.imul(1234567, 7654321), 33);
    const y = i32([3], [1234567, 7654321, 33]);
    expect(run('prod', [y], [i32([], [0])], attrs)[0]).toEqual([product]);
    expect(run('max', [y], [i32([], [0])], attrs)[0]).toEqual([7654321]);
  });

  it('empty sums are 0, empty products 1, and empty extrema throw', () => {
    const x = f64([2, 0], []);
    const out = [f64([2], [5, 5])];
    const attrs = { axes: [1], keepDims: false };
    expect(run('sum', [x], out, attrs)[0]).toEqual([0, 0]);
    expect(run('prod', [x], out, attrs)[0]).toEqual([1, 1]);
    for (const op of ['max', 'min'] as const) {
      expect(() => run(op, [x], out, attrs)).toThrow(ShapeError);
      expect(() => run(op, [x], out, attrs)).toThrow(expect.objectContaining({ op }));
      // No output asks for a value here.
      expect(run(op, [x], [f64([0], [])], { axes: [0], keepDims: false })).toEqual([[]]);
    }
  });
});

describe('argmax and argmin', () => {
  const first = (xs: readonly number[], extremum: number): number => {
    const nan = xs.findIndex(Number.isNaN);
    return nan >= 0 ? nan : xs.indexOf(extremum);
  };

  it('give the first of a tie, and NaN first of all', () => {
    fc.assert(
      fc.property(withAxis(1), ([x, axis]) => {
        const out = [{ shape: without(x.shape, [axis]), dtype: 'i32' as const }];
        expect(run('argmax', [x], out, { axis })[0]).toEqual(
          lines(x, axis).map((l) => first(l, nanMax(l))),
        );
        expect(run('argmin', [x], out, { axis })[0]).toEqual(
          lines(x, axis).map((l) => first(l, Math.min(...l))),
        );
      }),
      law(200),
    );
  });

  it('throw when there is nothing to choose from', () => {
    expect(() => run('argmax', [f64([2, 0], [])], [i32([2], [0, 0])], { axis: 1 })).toThrow(
      ShapeError,
    );
    expect(run('argmax', [f64([2, 0], [])], [i32([0], [])], { axis: 0 })).toEqual([[]]);
  });
});

describe('argsort', () => {
  it.each([false, true])('is a stable order with NaN largest, descending %s', (descending) => {
    fc.assert(
      fc.property(withAxis(), ([x, axis]) => {
        const out = [{ shape: x.shape, dtype: 'i32' as const }];
        const [order] = run('argsort', [x], out, { axis, descending });
        const orders = asLines('i32', x.shape, order!, axis);
        const below = (a: number, b: number): boolean =>
          Number.isNaN(b) ? !Number.isNaN(a) : a < b;
        for (const [row, l] of lines(x, axis).entries()) {
          const picked = orders[row]!;
          expect([...picked].sort((a, b) => a - b)).toEqual([...l.keys()]);
          for (let i = 1; i < picked.length; i++) {
            const [i0, i1] = [picked[i - 1]!, picked[i]!];
            const [a, b] = descending ? [l[i1]!, l[i0]!] : [l[i0]!, l[i1]!];
            expect(below(a, b) || (!below(b, a) && i0 < i1)).toBe(true);
          }
        }
      }),
      law(200),
    );
  });

  it('stays stable on long lines', () => {
    const n = 1000;
    const x = f32(
      [n],
      Array.from({ length: n }, (_, i) => (i * 7) % 5),
    );
    const [order] = run('argsort', [x], [{ shape: [n], dtype: 'i32' }], {
      axis: 0,
      descending: true,
    });
    const want = [...x.data.keys()].sort((i, j) => x.data[j]! - x.data[i]! || i - j);
    expect(order).toEqual(want);
  });
});

describe('cumsum', () => {
  it.each([false, true])('runs along the axis, reverse %s', (reverse) => {
    fc.assert(
      fc.property(withAxis(), ([x, axis]) => {
        const [got] = run('cumsum', [x], [{ shape: x.shape, dtype: 'f64' }], { axis, reverse });
        const want = lines(x, axis).map((l) => {
          const run = reverse ? [...l].reverse() : l;
          let sum = 0;
          const sums = run.map((v) => (sum += v));
          return reverse ? sums.reverse() : sums;
        });
        expect(asLines('f64', x.shape, got!, axis)).toEqual(want);
      }),
      law(),
    );
  });

  it('f32 keeps the running sum in double', () => {
    const n = 3000;
    const x = f32([n], new Array(n).fill(0.1));
    const [got] = run('cumsum', [x], [x], { axis: 0, reverse: false });
    expect(sizeOf(x.shape)).toBe(got!.length);
    expect(got![n - 1]).toBe(Math.fround(Array.from(x.data).reduce((s, v) => s + v, 0)));
  });
});
