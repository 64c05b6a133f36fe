import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kmeans, TokenizerError } from '../src/index';

fc.configureGlobal({ seed: 20240602, numRuns: 60 });

const problems = fc
  .record({
    dim: fc.integer({ min: 1, max: 10 }),
    n: fc.integer({ min: 1, max: 40 }),
    k: fc.integer({ min: 1, max: 8 }),
    seed: fc.integer(),
  })
  .chain((p) =>
    fc
      .array(fc.integer({ min: -20, max: 20 }), { minLength: p.n * p.dim, maxLength: p.n * p.dim })
      .map((values) => ({ ...p, points: Float32Array.from(values, (v) => v / 4) })),
  );

function squared(
  points: Float32Array,
  i: number,
  centroids: Float32Array,
  c: number,
  dim: number,
): number {
  let sum = 0;
  for (let d = 0; d < dim; d++) sum += (points[i * dim + d]! - centroids[c * dim + d]!) ** 2;
  return sum;
}

/** The oracle: Lloyd's two steps by their definition. */
function nearest(points: Float32Array, centroids: Float32Array, dim: number): number[] {
  return Array.from({ length: points.length / dim }, (_, i) => {
    const distances = Array.from({ length: centroids.length / dim }, (_, c) =>
      squared(points, i, centroids, c, dim),
    );
    return distances.indexOf(Math.min(...distances));
  });
}

describe('kmeans', () => {
  test('ends at a fixed point: every used centroid is the mean of its nearest points', () => {
    fc.assert(
      fc.property(problems, ({ points, dim, k, seed }) => {
        const { centroids } = kmeans(points, dim, k, { seed, iterations: 1000 });
        const owner = nearest(points, centroids, dim);
        for (let c = 0; c < k; c++) {
          const members = owner.flatMap((o, i) => (o === c ? [i] : []));
          if (members.length === 0) continue;
          for (let d = 0; d < dim; d++) {
            const mean = members.reduce((sum, i) => sum + points[i * dim + d]!, 0) / members.length;
            expect(centroids[c * dim + d]).toBeCloseTo(mean, 4);
          }
        }
      }),
    );
  });

  test('reports the mean squared distance to the nearest centroid', () => {
    fc.assert(
      fc.property(problems, ({ points, dim, k, seed }) => {
        const { centroids, inertia } = kmeans(points, dim, k, { seed, iterations: 3 });
        const owner = nearest(points, centroids, dim);
        const total = owner.reduce((sum, c, i) => sum + squared(points, i, centroids, c, dim), 0);
        expect(inertia).toBeCloseTo(total / owner.length, 4);
      }),
    );
  });

  test('more iterations never hurt, and as many codes as distinct points lose nothing', () => {
    fc.assert(
      fc.property(problems, ({ points, dim, seed }) => {
        const losses = [0, 1, 2, 5].map((iterations) => {
          return kmeans(points, dim, 4, { seed, iterations }).inertia;
        });
        for (let i = 1; i < losses.length; i++) {
          expect(losses[i]!).toBeLessThanOrEqual(losses[i - 1]! + 1e-6);
        }
        const full = kmeans(points, dim, points.length / dim, { seed });
        expect(full.inertia).toBe(0);
      }),
    );
  });

  test('same seed, same codebook; the subsample too', () => {
    const points = Float32Array.from({ length: 3000 }, (_, i) => Math.sin(i * 1.7) * 10);
    const run = (seed: number, sample?: number): Float32Array =>
      kmeans(points, 3, 9, { seed, ...(sample === undefined ? {} : { sample }) }).centroids;
    expect(run(5)).toEqual(run(5));
    expect(run(5, 100)).toEqual(run(5, 100));
    expect(run(5)).not.toEqual(run(6));
    expect(run(5)).not.toEqual(run(5, 100));
  });

  test('finds well separated clusters', () => {
    const points = new Float32Array(600);
    for (let i = 0; i < 300; i++) {
      points[2 * i] = (i % 3) * 100 + Math.sin(i);
      points[2 * i + 1] = (i % 3) * -50 + Math.cos(i);
    }
    for (let seed = 0; seed < 10; seed++) {
      const { centroids } = kmeans(points, 2, 3, { seed });
      const firsts = [0, 1, 2].map((c) => Math.round(centroids[2 * c]! / 100)).sort();
      expect(firsts).toEqual([0, 1, 2]);
    }
  });

  test('refuses NaN, ragged and empty points and a bad k', () => {
    const run = (points: number[], dim: number, k: number): unknown =>
      kmeans(Float32Array.from(points), dim, k, { seed: 1 });
    expect(() => run([1, Number.NaN], 1, 1)).toThrow('kmeans: value NaN at 1');
    expect(() => run([1, 2, 3], 2, 1)).toThrow('kmeans: points must hold a positive multiple');
    expect(() => run([], 2, 1)).toThrow(TokenizerError);
    expect(() => run([1], 1, 0)).toThrow('kmeans: k must be an integer in');
    expect(() => kmeans(new Float32Array(2), 1, 1, { seed: 0.5 })).toThrow(TokenizerError);
  });
});
