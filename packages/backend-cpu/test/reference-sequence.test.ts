import { broadcastShapes } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { at, f32, f64, indices, law, run, tensors, type Values } from './reference-harness';

/** Reproducible numbers in [-1/2, 1/2). */
function noise(n: number, seed: number): Float64Array {
  let s = seed;
  return Float64Array.from({ length: n }, () => {
    s = (Math.imul(s, 1664525) + 1013904223) | 0;
    return s / 2 ** 32;
  });
}

/** X_k = sum_t x_t exp(-2πi kt / n), term by term. */
function naiveTransform(re: ArrayLike<number>, im: ArrayLike<number>): [number[], number[]] {
  const n = re.length;
  const sums: [number[], number[]] = [[], []];
  for (let k = 0; k < n; k++) {
    let x = 0;
    let y = 0;
    for (let t = 0; t < n; t++) {
      const angle = (2 * Math.PI * ((k * t) % n)) / n;
      x += re[t]! * Math.cos(angle) + im[t]! * Math.sin(angle);
      y += im[t]! * Math.cos(angle) - re[t]! * Math.sin(angle);
    }
    sums[0].push(x);
    sums[1].push(y);
  }
  return sums;
}

const norm = (xs: ArrayLike<number>): number => Math.hypot(...Array.from(xs));

function fft(re: Values, im: Values, inverse: boolean): [Values, Values] {
  const [x, y] = run('fft', [re, im], [re, re], { inverse });
  return [
    { ...re, data: Float64Array.from(x!) },
    { ...re, data: Float64Array.from(y!) },
  ];
}

describe('fft', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8, 11, 12, 16, 30, 31, 64, 100, 127, 128, 255, 360])(
    'length %d agrees with the definition',
    (n) => {
      const re = f64([2, n], noise(2 * n, n));
      const im = f64([2, n], noise(2 * n, -n));
      const [x, y] = fft(re, im, false);
      for (const row of [0, 1]) {
        const cut = (v: Values): Float64Array =>
          Float64Array.from(v.data.slice(row * n, (row + 1) * n));
        const [wantRe, wantIm] = naiveTransform(cut(re), cut(im));
        const error = Math.hypot(
          norm(cut(x).map((v, i) => v - wantRe[i]!)),
          norm(cut(y).map((v, i) => v - wantIm[i]!)),
        );
        // The definition itself errs by about n · 2^-53.
        expect(error / norm([...wantRe, ...wantIm])).toBeLessThan(1e-14);
      }
    },
  );

  it.each([4096, 4093, 8190, 8192])('length %d comes back, keeps the energy', (n) => {
    const re = f64([n], noise(n, 3));
    const im = f64([n], noise(n, 4));
    const [x, y] = fft(re, im, false);
    const energy = (a: Values, b: Values): number => norm(a.data) ** 2 + norm(b.data) ** 2;
    expect(energy(x, y) / n / energy(re, im)).toBeCloseTo(1, 13);
    const [backRe, backIm] = fft(x, y, true);
    expect(Math.max(...backRe.data.map((v, i) => Math.abs(v - re.data[i]!)))).toBeLessThan(5e-15);
    expect(Math.max(...backIm.data.map((v, i) => Math.abs(v - im.data[i]!)))).toBeLessThan(5e-15);
  });

  it.each([8192, 8191])('length %d finds a single frequency', (n) => {
    const frequency = 1234;
    const wave = (f: (x: number) => number): Values =>
      f64(
        [n],
        Float64Array.from({ length: n }, (_, t) => f((2 * Math.PI * ((frequency * t) % n)) / n)),
      );
    const [x, y] = fft(wave(Math.cos), wave(Math.sin), false);
    expect(Math.abs(x.data[frequency]! / n - 1)).toBeLessThan(1e-14);
    const rest = x.data.map((v, k) => (k === frequency ? 0 : Math.hypot(v, y.data[k]!)));
    expect(Math.max(...rest) / n).toBeLessThan(1e-14);
  });

  it('quarter turns are exact', () => {
    const [x, y] = fft(f64([4], [1, 2, 3, 4]), f64([4], [0, 0, 0, 0]), false);
    expect(Array.from(x.data)).toEqual([10, -2, -2, -2]);
    expect(Array.from(y.data).map((v) => v + 0)).toEqual([0, 2, 0, -2]);
  });

  it('f32 is the double result rounded', () => {
    const n = 21;
    const re = f32([n], noise(n, 8));
    const im = f32([n], noise(n, 9));
    const exact = fft(f64([n], re.data), f64([n], im.data), false);
    const [x, y] = run('fft', [re, im], [re, re], { inverse: false });
    expect(x).toEqual(Array.from(exact[0].data, Math.fround));
    expect(y).toEqual(Array.from(exact[1].data, Math.fround));
  });

  it('takes tensors without elements', () => {
    const none = f64([0, 3], []);
    expect(run('fft', [none, none], [none, none], { inverse: true })).toEqual([[], []]);
    const empty = f64([2, 0], []);
    expect(run('fft', [empty, empty], [empty, empty], { inverse: false })).toEqual([[], []]);
  });
});

describe('longConv', () => {
  const direct = (u: Values, k: Values, shape: readonly number[]): number[] =>
    indices(shape).map((index) => {
      const t = index[index.length - 1]!;
      const lead = index.slice(0, -1);
      let sum = 0;
      for (let s = 0; s <= t; s++) sum += at(k, [...lead, s]) * at(u, [...lead, t - s]);
      return sum;
    });

  const batches: readonly (readonly [readonly number[], readonly number[]])[] = [
    [[2, 3], [3]],
    [[3], [2, 1]],
    [[], [2]],
    [[0], [0]],
  ];
  const cases = fc
    .tuple(fc.integer({ min: 1, max: 12 }), fc.constantFrom(...batches))
    .chain(([l, [a, b]]) =>
      fc.tuple(tensors('f64', fc.constant([...a, l])), tensors('f64', fc.constant([...b, l]))),
    );

  it('is the causal sum, broadcast over leading axes', () => {
    fc.assert(
      fc.property(cases, ([u, k]) => {
        const batch = broadcastShapes(u.shape.slice(0, -1), k.shape.slice(0, -1))!;
        const shape = [...batch, u.shape[u.shape.length - 1]!];
        const [got] = run('longConv', [u, k], [{ shape, dtype: 'f64' }], {});
        // Grid values: sums are exact.
        expect(got).toEqual(direct(u, k, shape));
      }),
      law(60),
    );
  });

  it.each([64, 65, 100, 257])('length %d by transforms agrees with the sum', (l) => {
    const u = f64([2, 3, l], noise(6 * l, 1));
    const k = f64([3, l], noise(3 * l, 2));
    const [got] = run('longConv', [u, k], [u], {});
    const want = direct(u, k, u.shape);
    expect(norm(got!.map((v, i) => v - want[i]!)) / norm(want)).toBeLessThan(2e-15);
  });
});

describe('linearRecurrence', () => {
  const cases = fc.tuple(...[2, 4, 3].map((max) => fc.integer({ min: 0, max }))).chain((shape) =>
    fc.record({
      a: tensors('f64', fc.constant(shape)),
      b: tensors('f64', fc.constant(shape)),
      reverse: fc.boolean(),
    }),
  );

  it('runs h_t = a_t h_{t-1} + b_t along the last axis but one', () => {
    fc.assert(
      fc.property(cases, ({ a, b, reverse }) => {
        const [got] = run('linearRecurrence', [a, b], [a], { reverse });
        const steps = a.shape[1]!;
        const state = ([i, t, j]: readonly number[]): number => {
          const before = reverse ? t! + 1 : t! - 1;
          const past = before < 0 || before >= steps ? 0 : state([i!, before, j!]);
          return at(a, [i!, t!, j!]) * past + at(b, [i!, t!, j!]);
        };
        expect(got).toEqual(indices(a.shape).map(state));
      }),
      law(),
    );
  });

  it('f32 keeps the state in double', () => {
    const n = 50;
    const a = f32([n, 1], new Array(n).fill(0.9));
    const b = f32([n, 1], new Array(n).fill(0.1));
    const [got] = run('linearRecurrence', [a, b], [a], { reverse: false });
    let h = 0;
    const want = Array.from({ length: n }, () => (h = a.data[0]! * h + b.data[0]!));
    expect(got).toEqual(want.map(Math.fround));
  });
});
