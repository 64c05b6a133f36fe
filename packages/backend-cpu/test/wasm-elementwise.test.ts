import { broadcastShapes, type OpAttrs, sizeOf } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { backends, f32, mismatch, reference, run, type Value } from './kernel-harness';

const binary = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const;
const compare = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;
const exact = [
  'neg',
  'abs',
  'square',
  'sqrt',
  'reciprocal',
  'relu',
  'sign',
  'floor',
  'ceil',
  'round',
] as const;
const rounded = ['rsqrt', 'exp', 'log', 'tanh', 'sigmoid', 'softplus', 'erf'] as const;

const dims = fc.array(fc.constantFrom(1, 2, 3, 4, 5, 9), { maxLength: 4 });
/** Two shapes that broadcast, each axis whole or 1 on either side. */
const pairs = fc
  .tuple(dims, fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 4, maxLength: 4 }), fc.nat(4))
  .map(([out, how, drop]) => {
    const a = out.map((d, i) => (how[i] === 1 ? 1 : d));
    const b = out.map((d, i) => (how[i] === 2 ? 1 : d)).slice(Math.min(drop, out.length));
    return { a, b, out: broadcastShapes(a, b)! };
  });

/** NaN, infinities, signed zeros, subnormals, both ends of the range, and the seams of the polynomials. */
const special = Float32Array.of(
  ...[
    0,
    -0,
    1,
    -1,
    0.5,
    -0.5,
    1.5,
    2.5,
    -2.5,
    3.5,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
  ],
  ...[
    Number.NaN,
    1.1754943508222875e-38,
    -1.1754943508222875e-38,
    1.401298464324817e-45,
    3e38,
    -3e38,
  ],
  ...[
    88, -88, 88.7, 88.73, -87.3, -87.34, -103, -104, 104, 700, -700, 1e-8, -1e-8, 0.3466, -0.3466,
  ],
  ...[
    0.625, 0.6251, -0.625, 0.9277, 0.928, -0.928, 3.9, 4.1, -4.1, 16777217, 8388609, 0.70710677,
    0.7071068,
  ],
);

for (const [level, backend] of Object.entries(backends)) {
  describe(`elementwise, ${level}`, () => {
    it('binary ops equal the reference under every broadcast', () => {
      fc.assert(
        fc.property(fc.constantFrom(...binary), pairs, fc.nat(99), (name, { a, b, out }, seed) => {
          const ins = [f32(a, seed), f32(b, seed + 1)];
          const outs = [{ shape: out, dtype: 'f32' as const }];
          const [got] = run(backend, name, ins, outs, {});
          const [want] = run(reference, name, ins, outs, {});
          expect(mismatch(got!, want!, 0, 0)).toBe(0);
        }),
        { numRuns: 300 },
      );
    });

    it('binary ops, comparisons and where agree on special values', () => {
      const n = special.length;
      const a: Value = { shape: [n, 1], dtype: 'f32', data: special };
      const b: Value = { shape: [n], dtype: 'f32', data: special };
      for (const name of binary) {
        const outs = [{ shape: [n, n], dtype: 'f32' as const }];
        const [got] = run(backend, name, [a, b], outs, {});
        const [want] = run(reference, name, [a, b], outs, {});
        expect(mismatch(got!, want!, 0, 0), name).toBe(0);
      }
      const turned: Value = { ...b, data: special.slice().reverse() };
      for (const name of compare) {
        for (const other of [
          turned,
          b,
          { shape: [], dtype: 'f32', data: Float32Array.of(1) } as Value,
        ]) {
          for (const ins of [
            [b, other],
            [other, b],
          ]) {
            const outs = [{ shape: [n], dtype: 'bool' as const }];
            expect(run(backend, name, ins, outs, {}), name).toEqual(
              run(reference, name, ins, outs, {}),
            );
          }
        }
      }
    });

    it('where selects, with whole operands and single values', () => {
      fc.assert(
        fc.property(fc.nat(21), fc.boolean(), fc.boolean(), fc.nat(99), (n, oneA, oneB, seed) => {
          const cond = Uint8Array.from({ length: n }, (_, i) => ((i * 7 + seed) % 3 === 0 ? 1 : 0));
          const ins: Value[] = [
            { shape: [n], dtype: 'bool', data: cond },
            f32(oneA ? [] : [n], seed),
            f32(oneB ? [1] : [n], seed + 1),
          ];
          const outs = [{ shape: [n], dtype: 'f32' as const }];
          expect(run(backend, 'where', ins, outs, {})).toEqual(
            run(reference, 'where', ins, outs, {}),
          );
        }),
      );
    });

    it('unary ops are exact or within 4e-6, special values included', () => {
      const grid = Float32Array.from({ length: 4001 }, (_, i) => (i - 2000) / 40 + 1e-5);
      const tiny = Float32Array.from(
        { length: 600 },
        (_, i) => (i % 2 ? -1 : 1) * 1.17 ** (i - 500),
      );
      for (const data of [special, grid, tiny, grid.subarray(0, 1), grid.subarray(0, 0)]) {
        const x: Value = { shape: [data.length], dtype: 'f32', data };
        const outs = [{ shape: x.shape, dtype: 'f32' as const }];
        const pair = (name: keyof OpAttrs & (typeof exact | typeof rounded)[number]) =>
          [run(backend, name, [x], outs, {})[0]!, run(reference, name, [x], outs, {})[0]!] as const;
        for (const name of exact) expect(mismatch(...pair(name), 0, 0), name).toBe(0);
        for (const name of rounded) {
          expect(mismatch(...pair(name), 1e-6, 1.2e-38), name).toBeLessThanOrEqual(1);
        }
      }
    });

    it('i32 ops and comparisons wrap and equal the reference under every broadcast', () => {
      const i32 = (shape: readonly number[], seed: number): Value => {
        const data = Int32Array.from(f32(shape, seed).data, (x) =>
          Math.trunc(x * 2 ** (seed % 31)),
        );
        return { shape, dtype: 'i32', data };
      };
      fc.assert(
        fc.property(pairs, fc.nat(99), ({ a, b, out }, seed) => {
          const ins = [i32(a, seed), i32(b, seed + 1)];
          for (const name of ['add', 'sub', 'mul', 'maximum', 'minimum'] as const) {
            const outs = [{ shape: out, dtype: 'i32' as const }];
            expect(run(backend, name, ins, outs, {}), name).toEqual(
              run(reference, name, ins, outs, {}),
            );
          }
          const outs = [{ shape: out, dtype: 'bool' as const }];
          const small = ins.map((x) => ({ ...x, data: Int32Array.from(x.data, (v) => v % 2) }));
          const floats = small.map(
            (x): Value => ({ ...x, dtype: 'f32', data: Float32Array.from(x.data) }),
          );
          for (const name of compare) {
            for (const sides of [ins, small, floats]) {
              expect(run(backend, name, sides, outs, {}), name).toEqual(
                run(reference, name, sides, outs, {}),
              );
            }
          }
        }),
      );
    });

    it('where broadcasts, and selects i32', () => {
      fc.assert(
        fc.property(pairs, dims, fc.nat(7), fc.nat(99), ({ a, b, out }, _, bits, seed) => {
          const bool = (shape: readonly number[]): Value => ({
            shape,
            dtype: 'bool',
            data: Uint8Array.from(f32(shape, seed).data, (x) => Number(x > 0)),
          });
          const third = out.map((d, i) => (bits & (1 << i) ? 1 : d));
          const trio = [
            bool(bits % 2 ? third : a),
            f32(b, seed),
            f32(bits % 2 ? a : third, seed + 1),
          ];
          const outs = [{ shape: out, dtype: 'f32' as const }];
          if (bits % 2) trio[0] = bool(out);
          else trio[2] = f32(out, seed + 1);
          expect(run(backend, 'where', trio, outs, {})).toEqual(
            run(reference, 'where', trio, outs, {}),
          );
        }),
      );
    });

    it('logic and tests', () => {
      fc.assert(
        fc.property(fc.array(fc.nat(3), { maxLength: 40 }), (bits) => {
          const n = bits.length;
          const bool = (k: number): Value => ({
            shape: [n],
            dtype: 'bool',
            data: Uint8Array.from(bits, (v) => (v >> k) & 1),
          });
          const outs = [{ shape: [n], dtype: 'bool' as const }];
          for (const name of ['and', 'or', 'xor'] as const) {
            expect(run(backend, name, [bool(0), bool(1)], outs, {})).toEqual(
              run(reference, name, [bool(0), bool(1)], outs, {}),
            );
          }
          expect(run(backend, 'not', [bool(0)], outs, {})).toEqual(
            run(reference, 'not', [bool(0)], outs, {}),
          );
        }),
      );
      const x: Value = { shape: [special.length], dtype: 'f32', data: special };
      const outs = [{ shape: x.shape, dtype: 'bool' as const }];
      for (const name of ['isNaN', 'isInf', 'isFinite'] as const) {
        expect(run(backend, name, [x], outs, {})).toEqual(run(reference, name, [x], outs, {}));
      }
    });

    it("remainder by any divisor keeps the divisor's sign", () => {
      const data = Int32Array.of(-9, -8, -1, 0, 1, 7, 8, 9, 2 ** 31 - 1, -(2 ** 31));
      const x: Value = { shape: [10], dtype: 'i32', data };
      const outs = [{ shape: [10], dtype: 'i32' as const }];
      for (const by of [1, 2, 8, 2 ** 24, 3, -4, -3]) {
        const ins: Value[] = [x, { shape: [], dtype: 'i32', data: Int32Array.of(by) }];
        expect(run(backend, 'remainder', ins, outs, {})).toEqual(
          run(reference, 'remainder', ins, outs, {}),
        );
      }
    });

    it('random bits are those of the reference', () => {
      fc.assert(
        fc.property(fc.nat(40), fc.integer(), fc.integer(), fc.nat(), (n, k0, k1, stream) => {
          const key: Value = { shape: [2], dtype: 'i32', data: Int32Array.of(k0, k1) };
          const outs = [{ shape: [n], dtype: 'i32' as const }];
          const attrs = { shape: [n], stream };
          expect(run(backend, 'randomBits', [key], outs, attrs)).toEqual(
            run(reference, 'randomBits', [key], outs, attrs),
          );
        }),
      );
    });

    it('argsort is stable, NaN is largest, zeros tie', () => {
      const value = fc.constantFrom(
        0,
        -0,
        1,
        -1,
        2,
        1e-40,
        -1e-40,
        3e38,
        Number.NaN,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
      );
      fc.assert(
        fc.property(
          fc.array(value, { minLength: 1, maxLength: 30 }),
          fc.boolean(),
          (line, descending) => {
            const n = line.length;
            const x: Value = {
              shape: [2, n],
              dtype: 'f32',
              data: Float32Array.from([...line, ...line.toReversed()]),
            };
            const outs = [{ shape: [2, n], dtype: 'i32' as const }];
            const attrs = { axis: 1, descending };
            expect(run(backend, 'argsort', [x], outs, attrs)).toEqual(
              run(reference, 'argsort', [x], outs, attrs),
            );
          },
        ),
      );
      const long = f32([1, 3000], 7);
      const outs = [{ shape: [1, 3000], dtype: 'i32' as const }];
      const attrs = { axis: 1, descending: false };
      expect(run(backend, 'argsort', [long], outs, attrs)).toEqual(
        run(reference, 'argsort', [long], outs, attrs),
      );
    });

    it('other dtypes run on the reference', () => {
      const x: Value = { shape: [3], dtype: 'i32', data: Int32Array.of(-7, 2 ** 30, 5) };
      const outs = [{ shape: [3], dtype: 'i32' as const }];
      for (const name of ['div', 'remainder'] as const) {
        expect(run(backend, name, [x, x], outs, {})).toEqual(
          run(reference, name, [x, x], outs, {}),
        );
      }
      expect(sizeOf(x.shape)).toBe(3);
    });
  });
}
