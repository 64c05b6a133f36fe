import * as core from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agree, input } from './fused-harness';
import { backends, f32, mismatch, reference, run, type Value } from './kernel-harness';

const widths = fc.constantFrom(1, 2, 3, 4, 5, 7, 8, 9, 16, 31, 64, 130);
const rows = fc.constantFrom<number[]>([], [1], [3], [2, 3], [0]);
const seeds = fc.nat(1000);

for (const [level, backend] of Object.entries(backends)) {
  describe(`fused kernels, ${level}: value and gradient`, () => {
    it('softmax and logSoftmax', () => {
      fc.assert(
        fc.property(rows, widths, seeds, fc.constantFrom(1, 30), (outer, n, seed, factor) => {
          const x = input([...outer, n], seed, factor);
          agree(backend, ([t]) => core.softmax(t!), [x]);
          agree(backend, ([t]) => core.logSoftmax(t!), [x], [], 2e-5, 2e-5);
        }),
      );
    });

    it('crossEntropy, with ignored rows', () => {
      fc.assert(
        fc.property(fc.constantFrom(0, 1, 5), widths, seeds, (n, v, seed) => {
          const targets = Int32Array.from({ length: n }, (_, i) =>
            i % 3 === 1 ? -100 : (seed + i) % v,
          );
          const fixed = [{ shape: [n], data: targets }];
          agree(backend, ([x], [t]) => core.crossEntropy(x!, t!), [input([n, v], seed, 5)], fixed);
        }),
      );
    });

    it('layerNorm and rmsNorm', () => {
      fc.assert(
        fc.property(
          rows,
          widths.filter((d) => d > 1),
          seeds,
          (outer, d, seed) => {
            const x = input([...outer, d], seed);
            const w = input([d], seed + 1);
            const b = input([d], seed + 2);
            agree(backend, ([p, q, r]) => core.layerNorm(p!, q!, r!), [x, w, b], [], 5e-5, 2e-5);
            agree(backend, ([p, q]) => core.rmsNorm(p!, q!), [x, w], [], 5e-5, 2e-5);
          },
        ),
      );
    });

    it('selectiveScan, from a state and with starts', () => {
      const states = fc.constantFrom(1, 2, 3, 4, 5, 16, 64, 65, 130);
      const sizes = fc.record({ b: fc.nat(2), d: fc.integer({ min: 1, max: 5 }), l: fc.nat(40) });
      const has = fc.record({ state: fc.boolean(), starts: fc.boolean() });
      fc.assert(
        fc.property(sizes, states, has, seeds, ({ b, d, l }, n, { state, starts }, seed) => {
          const steps = input([b, d, l], seed + 1, 0.1);
          const delta = { ...steps, data: steps.data.map((x) => Math.abs(x)) };
          const rates = input([d, n], seed + 2);
          const A = { ...rates, data: rates.data.map((x) => -Math.abs(x)) };
          const floats = [
            ...[input([b, d, l], seed), delta, A],
            ...[input([b, l, n], seed + 3), input([b, l, n], seed + 4)],
            ...(state ? [input([b, d, n], seed + 5)] : []),
          ];
          const first = Uint8Array.from({ length: b * l }, (_, i) => Number((i + seed) % 7 === 0));
          agree(
            backend,
            ([u, dt, a, B, C, h], [s]) =>
              core.selectiveScan(u!, dt!, a!, B!, C!, {
                ...(h === undefined ? {} : { state: h }),
                ...(s === undefined ? {} : { starts: s }),
              }),
            floats,
            starts ? [{ shape: [b, l], data: first }] : [],
            1e-4,
            1e-4,
          );
        }),
      );
    });

    it('gelu, silu, swiglu', () => {
      fc.assert(
        fc.property(fc.nat(40), seeds, fc.constantFrom(1, 6, 40), (n, seed, factor) => {
          const x = input([n], seed, factor);
          const far = 2e-6 * factor;
          agree(backend, ([t]) => core.gelu(t!, { approximate: true }), [x], [], 2e-5, far);
          agree(backend, ([t]) => core.gelu(t!, { approximate: false }), [x], [], 2e-5, far);
          agree(backend, ([t]) => core.silu(t!), [x], [], 1e-5, far);
          agree(backend, ([g, u]) => core.swiglu(g!, u!), [x, input([n], seed + 1)], [], 1e-5, far);
        }),
      );
    });

    it('rope, both layouts, shared and own positions, part of the head', () => {
      fc.assert(
        fc.property(
          fc.tuple(
            fc.constantFrom(1, 2),
            fc.constantFrom(1, 3),
            fc.constantFrom(1, 2),
            fc.constantFrom(2, 6, 8, 12, 32),
          ),
          fc.boolean(),
          fc.boolean(),
          fc.boolean(),
          seeds,
          (shape, interleaved, shared, part, seed) => {
            const [b, t, , d] = shape;
            const data = Int32Array.from(
              { length: shared ? t : b * t },
              (_, i) => (i * 37 + seed) % 5000,
            );
            const fixed = [{ shape: shared ? [t] : [b, t], data }];
            const options = { interleaved, rotaryDim: part ? 2 : d };
            agree(backend, ([x], [p]) => core.rope(x!, p!, options), [input(shape, seed)], fixed);
          },
        ),
      );
    });
  });

  describe(`fused kernels, ${level}: edges`, () => {
    const inf = Number.POSITIVE_INFINITY;
    const softmax = (data: number[]): ArrayLike<number> =>
      run(
        backend,
        'softmax',
        [{ shape: [data.length], dtype: 'f32', data: Float32Array.from(data) }],
        [{ shape: [data.length], dtype: 'f32' }],
        {},
      )[0]!;

    it('softmax of -inf only is 0, NaN and +inf make NaN', () => {
      expect([...Array.from(softmax([-inf, -inf, -inf, -inf, -inf]))]).toEqual([0, 0, 0, 0, 0]);
      for (const row of [
        [1, Number.NaN, 2],
        [-inf, Number.NaN],
        [1, inf, 2],
      ]) {
        expect(Array.from(softmax(row)).every(Number.isNaN)).toBe(true);
      }
      expect(Array.from(softmax([-inf, 3, -inf]))).toEqual([0, 1, 0]);
      expect(Array.from(softmax([1e30, -1e30]))).toEqual([1, 0]);
    });

    it('crossEntropy refuses a target that is no class', () => {
      for (const bad of [-1, 4]) {
        const t: Value = { shape: [2], dtype: 'i32', data: Int32Array.of(0, bad) };
        const row = { shape: [2], dtype: 'f32' as const };
        expect(() =>
          run(backend, 'crossEntropy', [f32([2, 4], 1), t], [row, row], { ignoreIndex: -100 }),
        ).toThrow(core.ValueError);
        const lse = f32([2], 2);
        const out = { shape: [2, 4], dtype: 'f32' as const };
        expect(() =>
          run(backend, 'crossEntropyGrad', [f32([2, 4], 1), t, lse, lse], [out], {
            ignoreIndex: -100,
          }),
        ).toThrow(core.ValueError);
      }
    });

    it('activations at the ends of the range', () => {
      const data = Float32Array.of(0, -0, 88, -88, 700, -700, 3e38, -3e38, inf, Number.NaN, 1e-40);
      const x: Value = { shape: [data.length], dtype: 'f32', data };
      const outs = [{ shape: x.shape, dtype: 'f32' as const }];
      const one = Float32Array.from(data, () => 1);
      const dy: Value = { ...x, data: one };
      const last = [1, inf, Number.NaN];
      for (const approximate of [true, false]) {
        const [y] = run(backend, 'gelu', [x], outs, { approximate });
        expect(
          mismatch(
            y!,
            [0, 0, 88, 0, 700, 0, data[6]!, 0, last[1]!, last[2]!, data[10]! / 2],
            1e-6,
            1e-7,
          ),
        ).toBeLessThanOrEqual(1);
        const [slope] = run(backend, 'geluGrad', [x, dy], outs, { approximate });
        expect(
          mismatch(slope!, [0.5, 0.5, 1, 0, 1, 0, 1, 0, 1, Number.NaN, 0.5], 1e-6, 1e-7),
        ).toBeLessThanOrEqual(1);
      }
      const [y] = run(backend, 'silu', [x], outs, {});
      expect(
        mismatch(
          y!,
          [0, 0, 88, 0, 700, 0, data[6]!, 0, inf, Number.NaN, data[10]! / 2],
          1e-6,
          1e-7,
        ),
      ).toBeLessThanOrEqual(1);
    });

    it('adamw equals its equations, in place and not', () => {
      fc.assert(
        fc.property(fc.nat(21), seeds, (n, seed) => {
          const v: Value = {
            ...f32([n], seed + 3),
            data: f32([n], seed + 3).data.map((x) => x * x),
          };
          const hyper: Value = {
            shape: [5],
            dtype: 'f32',
            data: Float32Array.of(0.01, 0.271, 0.0297, 0.5, 0.1),
          };
          const ins = [f32([n], seed), f32([n], seed + 1), f32([n], seed + 2), v, hyper];
          const outs = [1, 2, 3].map(() => ({ shape: [n], dtype: 'f32' as const }));
          const attrs = { beta1: 0.9, beta2: 0.99, eps: 1e-8 };
          const fresh = run(backend, 'adamw', ins, outs, attrs);
          expect(run(backend, 'adamw', ins, outs, attrs, [0, 2, 3])).toEqual(fresh);
          const [p, g, m] = ins.map((x) => x.data);
          const [lr, c1, c2, scale, decay] = hyper.data as Float32Array as unknown as [
            number,
            number,
            number,
            number,
            number,
          ];
          for (let i = 0; i < n; i++) {
            const grad = g![i]! * scale;
            const m2 = 0.9 * m![i]! + 0.1 * grad;
            const v2 = 0.99 * v.data[i]! + 0.01 * grad * grad;
            const p2 = p![i]! * (1 - lr * decay) - ((lr / c1) * m2) / (Math.sqrt(v2 / c2) + 1e-8);
            expect(
              mismatch([fresh[0]![i]!, fresh[1]![i]!, fresh[2]![i]!], [p2, m2, v2], 1e-5, 1e-6),
            ).toBeLessThanOrEqual(1);
          }
        }),
      );
    });

    it('has every fused kernel, in f32 only', () => {
      expect(backend.fusedDTypes).toEqual(['f32']);
      const fused = Object.keys(backend.kernels).filter((name) => !(name in reference.kernels));
      expect(fused).toHaveLength(22);
    });
  });
}
