/** The mixture of Gaussians: a density, its gradient, and draws that follow it. */
import { cpu } from '@loretta-ts/backend-cpu';
import {
  key,
  ShapeError,
  setBackend,
  type Tensor,
  tensor,
  tidy,
  ValueError,
  valueAndGrad,
} from '@loretta-ts/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { LOG_SCALE_BOUND, mixtureNll, mixtureSize, sampleMixture } from '../src/index';

beforeAll(() => {
  setBackend(cpu());
});

const f64 = (values: readonly number[], ...shape: number[]): Tensor =>
  tensor(Float64Array.from(values), { shape, dtype: 'f64' });

const number = fc.double({ min: -1.5, max: 1.5, noNaN: true });
const numbers = (n: number): fc.Arbitrary<number[]> =>
  fc.array(number, { minLength: n, maxLength: n });
const bounded = (s: number): number => LOG_SCALE_BOUND * Math.tanh(s / LOG_SCALE_BOUND);
const read = (make: () => Tensor): number[] => {
  using t = tidy(make);
  return Array.from(t.dataSync(), Number);
};

describe('mixtureNll', () => {
  it('is the log-density of one Gaussian for k = 1', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }).chain((z) => numbers(1 + 3 * z)),
        (values) => {
          const dim = (values.length - 1) / 3;
          const [params, z] = [values.slice(0, 1 + 2 * dim), values.slice(1 + 2 * dim)];
          const [got] = read(() =>
            mixtureNll(f64(params, 1, params.length), f64(z, 1, dim)).reshape(1),
          );
          const want = z.reduce(
            (sum, x, i) => {
              const s = bounded(params[1 + dim + i]!);
              return sum + 0.5 * ((x - params[1 + i]!) / Math.exp(s)) ** 2 + s;
            },
            0.5 * dim * Math.log(2 * Math.PI),
          );
          expect(got).toBeCloseTo(want, 9);
        },
      ),
      { numRuns: 50, seed: 1 },
    );
  });

  it('integrates to 1 in one dimension', () => {
    const [low, high, points] = [-45, 45, 9001];
    const grid = Array.from({ length: points }, (_, i) => low + ((high - low) * i) / (points - 1));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }).chain((k) => numbers(3 * k)),
        (params) => {
          const rows = grid.flatMap(() => params);
          const nll = read(() =>
            mixtureNll(f64(rows, points, params.length), f64(grid, points, 1)),
          );
          const mass =
            nll.reduce((sum, x) => sum + Math.exp(-x), 0) * ((high - low) / (points - 1));
          expect(mass).toBeCloseTo(1, 6);
        },
      ),
      { numRuns: 12, seed: 2 },
    );
  });

  it('has the gradient of finite differences, in parameters and vectors', () => {
    const [dim, k] = [2, 3];
    const size = mixtureSize(dim, k);
    fc.assert(
      fc.property(numbers(2 * size + 2 * dim), (values) => {
        const loss = (v: readonly number[]): number =>
          read(() =>
            mixtureNll(f64(v.slice(0, 2 * size), 2, size), f64(v.slice(2 * size), 2, dim)),
          ).reduce((a, b) => a + b, 0);
        const params = f64(values.slice(0, 2 * size), 2, size);
        const z = f64(values.slice(2 * size), 2, dim);
        const { value, grads } = valueAndGrad([params, z], () => mixtureNll(params, z).sum());
        const got = [params, z].flatMap((x) => Array.from(grads.get(x).dataSync(), Number));
        got.forEach((slope, i) => {
          const moved = (by: number): number[] => values.map((v, j) => (j === i ? v + by : v));
          const want = (loss(moved(1e-5)) - loss(moved(-1e-5))) / 2e-5;
          expect(Math.abs(slope - want)).toBeLessThan(1e-6 * (1 + Math.abs(want)));
        });
        grads.dispose();
        for (const t of [value, params, z]) t.dispose();
      }),
      { numRuns: 5, seed: 3 },
    );
  });

  it('is finite in f32, and has finite gradients, for parameters far out', () => {
    const size = mixtureSize(3, 2);
    const params = tensor(
      Float32Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 1 : -1) * 200),
      { shape: [1, size] },
    );
    const { value, grads } = valueAndGrad([params], () =>
      mixtureNll(params, tensor(Float32Array.of(0, 1, 2), { shape: [1, 3] })).sum(),
    );
    expect(Number.isFinite(value.dataSync()[0])).toBe(true);
    expect(Array.from(grads.get(params).dataSync()).every(Number.isFinite)).toBe(true);
    grads.dispose();
    for (const t of [value, params]) t.dispose();
  });
});

describe('sampleMixture', () => {
  const n = 40_000;
  /** Two dimensions, components of weight 1/4 and 3/4. */
  const params = [0, Math.log(3), -2, 1, 1, 3, Math.log(0.5), 0, 0, Math.log(0.25)];
  const [low, high] = [-2, 1];
  const many = (): Tensor =>
    tensor(
      Float32Array.from({ length: n * params.length }, (_, i) => params[i % params.length]!),
      {
        shape: [n, params.length],
      },
    );
  const draw = (temperature: number, seed = 1): number[] =>
    read(() => sampleMixture(many(), 2, key(seed), { temperature }));

  it.each([1, 0.5])('has the moments of the mixture; σ times %s', (temperature) => {
    const made = draw(temperature);
    const first = made.filter((_, i) => i % 2 === 0);
    const mean = first.reduce((a, b) => a + b, 0) / n;
    const variance = first.reduce((a, b) => a + (b - mean) ** 2, 0) / n;
    const wantMean = 0.25 * low + 0.75 * high;
    const [s, u] = [Math.exp(bounded(Math.log(0.5))), 1].map((x) => temperature * x);
    const wantVariance =
      0.25 * (s! ** 2 + (low - wantMean) ** 2) + 0.75 * (u! ** 2 + (high - wantMean) ** 2);
    expect(Math.abs(mean - wantMean)).toBeLessThan(5 * Math.sqrt(wantVariance / n));
    expect(variance / wantVariance).toBeGreaterThan(0.95);
    expect(variance / wantVariance).toBeLessThan(1.05);
  });

  it('draws the two numbers of a vector from one component', () => {
    // at a tenth of σ the components lie apart
    const made = draw(0.1);
    const pairs = Array.from({ length: n }, (_, i) => [made[2 * i]! < -0.5, made[2 * i + 1]! < 2]);
    expect(pairs.every(([a, b]) => a === b)).toBe(true);
    const share = pairs.filter(([a]) => a).length / n;
    expect(Math.abs(share - 0.25)).toBeLessThan(5 * Math.sqrt(0.1875 / n));
  });

  it('is the mean of the most probable component at 0, and a function of its key', () => {
    expect(draw(0).slice(0, 4)).toEqual([1, 3, 1, 3]);
    expect(draw(1, 4)).toEqual(draw(1, 4));
    expect(draw(1, 4)).not.toEqual(draw(1, 5));
  });
});

describe('refused', () => {
  const zeros = (...shape: number[]): Tensor =>
    tensor(new Float32Array(shape.reduce((a, b) => a * b, 1)), { shape });
  it.each([
    [() => mixtureNll(zeros(2, 6), zeros(2, 2)), ShapeError, /not \[\.\.\., k \(1 \+ 2 z\)\]/],
    [() => mixtureNll(zeros(2, 5), zeros(3, 2)), ShapeError, /differ before the last axis/],
    [() => sampleMixture(zeros(2, 5), 0, key(1)), ShapeError, /for z = 0/],
    [
      () => sampleMixture(zeros(2, 5), 2, key(1), { temperature: Number.NaN }),
      ValueError,
      /temperature is NaN/,
    ],
  ])('%#', (run, error, message) => {
    expect(() => tidy(run)).toThrow(error);
    expect(() => tidy(run)).toThrow(message);
  });
});
