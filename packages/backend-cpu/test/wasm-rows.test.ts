import { type Aval, type DType, type TypedArray, sizeOf, ValueError } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backends, f32, mismatch, reference, run, type Value } from './kernel-harness';

const dims = fc.array(fc.constantFrom(1, 2, 3, 4, 5, 8, 17), { minLength: 1, maxLength: 4 });

function ids(shape: readonly number[], data: readonly number[]): Value {
  return { shape, dtype: 'i32', data: Int32Array.from(data) };
}

function anyDType(shape: readonly number[], dtype: DType, seed: number): Value {
  const base = f32(shape, seed).data;
  const data: TypedArray =
    dtype === 'i32'
      ? Int32Array.from(base, (x) => x * 1000)
      : dtype === 'bool'
        ? Uint8Array.from(base, (x) => Number(x > 0))
        : dtype === 'f64'
          ? Float64Array.from(base)
          : base;
  return { shape, dtype, data };
}
const dtypes = fc.constantFrom<DType>('f32', 'i32', 'bool', 'f64');

for (const [level, backend] of Object.entries(backends)) {
  const same = (name: Parameters<typeof run>[1], ins: Value[], out: Aval, attrs: object): void => {
    const got = run(backend, name, ins, [out], attrs as never);
    const want = run(reference, name, ins, [out], attrs as never);
    expect(got).toEqual(want);
  };

  describe(`reductions, ${level}`, () => {
    it('sum, max and min equal the reference along any axes', () => {
      fc.assert(
        fc.property(dims, fc.nat(15), fc.boolean(), fc.nat(99), (shape, bits, keepDims, seed) => {
          const axes = shape.map((_, i) => i).filter((i) => bits & (1 << i));
          const rest = shape.flatMap((d, i) => (axes.includes(i) ? (keepDims ? [1] : []) : [d]));
          const x = f32(shape, seed);
          const outs = [{ shape: rest, dtype: 'f32' as const }];
          for (const name of ['sum', 'max', 'min'] as const) {
            const [got] = run(backend, name, [x], outs, { axes, keepDims });
            const [want] = run(reference, name, [x], outs, { axes, keepDims });
            expect(mismatch(got!, want!, 1e-6, 1e-5), name).toBeLessThanOrEqual(1);
          }
        }),
        { numRuns: 200 },
      );
    });

    it('long sums stay accurate, NaN and infinities come through', () => {
      const n = 300_001;
      const data = f32([n], 5).data.map((x) => x + 1000);
      for (const shape of [[n], [n, 1]]) {
        const outs = [{ shape: [1], dtype: 'f32' as const }];
        const x: Value = { shape, dtype: 'f32', data };
        const [got] = run(backend, 'sum', [x], outs, { axes: [0], keepDims: true });
        const [want] = run(reference, 'sum', [x], outs, { axes: [0], keepDims: true });
        expect(mismatch(got!, want!, 2e-7, 0)).toBeLessThanOrEqual(1);
      }
      const rows = [
        [1, Number.NaN, 3],
        [Number.NEGATIVE_INFINITY, 2, 1],
        [4, Number.POSITIVE_INFINITY, 1],
      ];
      const x: Value = { shape: [3, 3], dtype: 'f32', data: Float32Array.from(rows.flat()) };
      for (const name of ['sum', 'max', 'min'] as const) {
        for (const axes of [[0], [1]])
          same(name, [x], { shape: [3], dtype: 'f32' }, { axes, keepDims: false });
      }
    });
  });

  describe(`moves, ${level}`, () => {
    it('permute equals the reference', () => {
      fc.assert(
        fc.property(dims, dtypes, fc.nat(23), fc.nat(99), (shape, dtype, shuffle, seed) => {
          const axes = shape
            .map((_, i) => i)
            .sort((a, b) => ((a * 7 + shuffle) % 5) - ((b * 7 + shuffle) % 5));
          const out = { shape: axes.map((a) => shape[a]!), dtype };
          same('permute', [anyDType(shape, dtype, seed)], out, { axes });
        }),
        { numRuns: 200 },
      );
    });

    it('large transposes cross the blocks', () => {
      same('permute', [f32([67, 130], 1)], { shape: [130, 67], dtype: 'f32' }, { axes: [1, 0] });
      same(
        'permute',
        [f32([2, 33, 3, 40], 1)],
        { shape: [2, 3, 33, 40], dtype: 'f32' },
        { axes: [0, 2, 1, 3] },
      );
      same(
        'permute',
        [f32([2, 33, 3, 40], 1)],
        { shape: [40, 3, 33, 2], dtype: 'f32' },
        { axes: [3, 2, 1, 0] },
      );
    });

    it('slice, with steps of either sign', () => {
      const axis = fc.tuple(
        fc.constantFrom(1, 2, 3, 5, 9),
        fc.nat(8),
        fc.constantFrom(1, 1, 2, -1, -2),
        fc.nat(9),
      );
      fc.assert(
        fc.property(fc.array(axis, { minLength: 1, maxLength: 3 }), dtypes, (axes, dtype) => {
          const shape = axes.map(([d]) => d);
          const starts = axes.map(([d, s]) => s % d);
          const steps = axes.map(([, , step]) => step);
          const sizes = axes.map(([d, , step, want], i) => {
            const room =
              step > 0 ? (d - starts[i]! + step - 1) / step : (starts[i]! - step) / -step;
            return Math.min(want, Math.floor(room));
          });
          same(
            'slice',
            [anyDType(shape, dtype, 3)],
            { shape: sizes, dtype },
            { starts, sizes, steps },
          );
        }),
        { numRuns: 200 },
      );
    });

    it('broadcastTo and concat', () => {
      fc.assert(
        fc.property(dims, dtypes, fc.nat(15), fc.nat(3), (shape, dtype, bits, drop) => {
          const small = shape
            .map((d, i) => (bits & (1 << i) ? 1 : d))
            .slice(Math.min(drop, shape.length));
          const full = shape.map((d, i) => (i < shape.length - small.length ? d : d));
          same('broadcastTo', [anyDType(small, dtype, 1)], { shape: full, dtype }, { shape: full });
          const axis = drop % shape.length;
          const other = shape.map((d, i) => (i === axis ? d + 2 : d));
          const joined = shape.map((d, i) => (i === axis ? 2 * d + 2 : d));
          const parts = [anyDType(shape, dtype, 1), anyDType(other, dtype, 2)];
          same('concat', parts, { shape: joined, dtype }, { axis });
        }),
        { numRuns: 150 },
      );
    });

    it('casts truncate, saturate and take NaN to 0', () => {
      const data = Float32Array.of(
        1.9,
        -1.9,
        Number.NaN,
        3e9,
        -3e9,
        Number.POSITIVE_INFINITY,
        -0.5,
      );
      const x: Value = { shape: [7], dtype: 'f32', data };
      same('cast', [x], { shape: [7], dtype: 'i32' }, { dtype: 'i32' });
      same('cast', [x], { shape: [7], dtype: 'bool' }, { dtype: 'bool' });
      same(
        'cast',
        [ids([5], [1, -2, 2 ** 31 - 1, 16777217, 0])],
        { shape: [5], dtype: 'f32' },
        { dtype: 'f32' },
      );
      same('cast', [anyDType([9], 'bool', 2)], { shape: [9], dtype: 'f32' }, { dtype: 'f32' });
    });
  });

  describe(`tables, ${level}`, () => {
    it('embedding and its gradient', () => {
      fc.assert(
        fc.property(
          fc.constantFrom(1, 2, 3, 7, 16, 133),
          fc.array(fc.nat(4), { maxLength: 9 }),
          (d, list) => {
            const shape = [list.length, d];
            same(
              'embedding',
              [f32([5, d], 1), ids([list.length], list)],
              { shape, dtype: 'f32' },
              {},
            );
            const grad = run(
              backend,
              'embeddingGrad',
              [ids([list.length], list), f32(shape, 2)],
              [{ shape: [5, d], dtype: 'f32' }],
              { rows: 5 },
            );
            const want = run(
              reference,
              'embeddingGrad',
              [ids([list.length], list), f32(shape, 2)],
              [{ shape: [5, d], dtype: 'f32' }],
              { rows: 5 },
            );
            expect(mismatch(grad[0]!, want[0]!, 1e-6, 1e-6)).toBeLessThanOrEqual(1);
          },
        ),
      );
    });

    it('a bad index throws before anything is written', () => {
      for (const list of [[5], [0, -1], [2, 2147483647]]) {
        const out = { shape: [list.length, 3], dtype: 'f32' as const };
        const at = ids([list.length], list);
        expect(() => run(backend, 'embedding', [f32([5, 3], 1), at], [out], {})).toThrow(
          ValueError,
        );
        expect(() =>
          run(
            backend,
            'embeddingGrad',
            [at, f32([list.length, 3], 1)],
            [{ shape: [5, 3], dtype: 'f32' }],
            { rows: 5 },
          ),
        ).toThrow(ValueError);
      }
    });

    it('updateSlice writes in place and copies, along any axis', () => {
      for (const axis of [0, 1, 2]) {
        for (const start of [0, 1, 2]) {
          const shape = [4, 5, 3].map((d, i) => (i === axis ? d - 2 : d));
          const ins = [f32([4, 5, 3], 1), f32(shape, 2), ids([], [start])];
          const out = { shape: [4, 5, 3], dtype: 'f32' as const };
          if (start + shape[axis]! > [4, 5, 3][axis]!) continue;
          same('updateSlice', ins, out, { axis });
          const [donated] = run(backend, 'updateSlice', ins, [out], { axis }, [0]);
          expect(donated).toEqual(run(reference, 'updateSlice', ins, [out], { axis })[0]);
        }
      }
      const bad = [f32([4], 1), f32([2], 2), ids([], [3])];
      expect(() =>
        run(backend, 'updateSlice', bad, [{ shape: [4], dtype: 'f32' }], { axis: 0 }),
      ).toThrow(ValueError);
      expect(sizeOf([4])).toBe(4);
    });
  });
}
