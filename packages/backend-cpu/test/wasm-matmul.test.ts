import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backends, f32, mismatch, reference, run, type Value } from './kernel-harness';

const size = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 12, 17, 33);
const inner = fc.constantFrom(0, 1, 3, 4, 5, 8, 31, 64, 260);
const batches = fc.constantFrom<[number[], number[], number[]]>(
  [[], [], []],
  [[3], [], [3]],
  [[], [2], [2]],
  [[2, 1], [3], [2, 3]],
  [
    [2, 3],
    [2, 3],
    [2, 3],
  ],
  [
    [1, 3],
    [2, 1],
    [2, 3],
  ],
  [[0], [], [0]],
);

for (const [level, backend] of Object.entries(backends)) {
  describe(`matmul, ${level}`, () => {
    it('equals the reference for all shapes, transpositions and batches', () => {
      fc.assert(
        fc.property(
          fc.tuple(size, size, inner, fc.boolean(), fc.boolean(), batches, fc.nat(50)),
          ([m, n, k, transA, transB, [ba, bb, bc], seed]) => {
            const a = f32([...ba, ...(transA ? [k, m] : [m, k])], seed);
            const b = f32([...bb, ...(transB ? [n, k] : [k, n])], seed + 1);
            const outs = [{ shape: [...bc, m, n], dtype: 'f32' as const }];
            const [got] = run(backend, 'matmul', [a, b], outs, { transA, transB });
            const [want] = run(reference, 'matmul', [a, b], outs, { transA, transB });
            expect(mismatch(got!, want!, 1e-5, 4e-6 * Math.sqrt(k + 1))).toBeLessThanOrEqual(1);
          },
        ),
        { numRuns: 250 },
      );
    });

    it('crosses the edges of the panels', () => {
      for (const [m, n, k] of [
        [131, 1037, 7],
        [9, 1025, 259],
        [260, 11, 513],
      ] as const) {
        for (const transA of [false, true]) {
          for (const transB of [false, true]) {
            const a = f32(transA ? [k, m] : [m, k], 1);
            const b = f32(transB ? [n, k] : [k, n], 2);
            const outs = [{ shape: [m, n], dtype: 'f32' as const }];
            const [got] = run(backend, 'matmul', [a, b], outs, { transA, transB });
            const [want] = run(reference, 'matmul', [a, b], outs, { transA, transB });
            expect(mismatch(got!, want!, 1e-5, 3e-5)).toBeLessThanOrEqual(1);
          }
        }
      }
    });

    it('carries NaN and infinities to their rows and columns only', () => {
      for (const n of [3, 9]) {
        const data = f32([n, n], 3).data;
        data[1] = Number.NaN;
        data[n] = Number.POSITIVE_INFINITY;
        const a: Value = { shape: [n, n], dtype: 'f32', data };
        const b = f32([n, n], 4);
        const outs = [{ shape: [n, n], dtype: 'f32' as const }];
        for (const transA of [false, true]) {
          const [got] = run(backend, 'matmul', [a, b], outs, { transA, transB: false });
          const [want] = run(reference, 'matmul', [a, b], outs, { transA, transB: false });
          expect(mismatch(got!, want!, 1e-5, 1e-5)).toBeLessThanOrEqual(1);
        }
      }
    });
  });
}
