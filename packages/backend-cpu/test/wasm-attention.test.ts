import * as core from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { agree, input } from './fused-harness';
import { backends, f32, run, type Value } from './kernel-harness';

const bools = (shape: readonly number[], seed: number) => ({
  shape,
  data: Uint8Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) =>
    Number((i * 11 + seed) % 7 > 2),
  ),
});

const shapes = fc.record({
  b: fc.constantFrom(1, 2),
  t: fc.constantFrom(1, 2, 5, 8, 9, 16, 67),
  s: fc.constantFrom(1, 3, 8, 17, 130),
  hkv: fc.constantFrom(1, 2),
  group: fc.constantFrom(1, 2),
  d: fc.constantFrom(1, 4, 6, 16),
  dv: fc.constantFrom(1, 4, 7),
});

for (const [level, backend] of Object.entries(backends)) {
  describe(`attention, ${level}: value and gradient`, () => {
    it('plain, causal, windows, offsets, grouped heads', () => {
      fc.assert(
        fc.property(
          shapes,
          fc.boolean(),
          fc.constantFrom(0, 1, 3, 40),
          fc.constantFrom<number | null>(null, 0, 4),
          fc.nat(99),
          ({ b, t, s, hkv, group, d, dv }, causal, window, qOffset, seed) => {
            const q = input([b, t, hkv * group, d], seed);
            const k = input([b, s, hkv, d], seed + 1);
            const v = input([b, s, hkv, dv], seed + 2);
            const options = { causal, window, ...(qOffset === null ? {} : { qOffset }) };
            agree(
              backend,
              ([x, y, z]) => core.attention(x!, y!, z!, options),
              [q, k, v],
              [],
              3e-5,
              1e-5,
            );
          },
        ),
        { numRuns: 60 },
      );
    });

    it('masks, biases, segments and lengths, alone and together', () => {
      const broadcast = fc.tuple(fc.boolean(), fc.boolean(), fc.boolean(), fc.boolean());
      fc.assert(
        fc.property(
          shapes,
          broadcast,
          fc.record({
            mask: fc.boolean(),
            bias: fc.boolean(),
            segments: fc.boolean(),
            lengths: fc.boolean(),
            causal: fc.boolean(),
          }),
          fc.nat(99),
          ({ b, t, s, hkv, group, d, dv }, one, has, seed) => {
            const keys = has.segments ? t : s;
            const h = hkv * group;
            const wide = [b, h, t, keys].map((size, i) => (one[i] ? 1 : size));
            const floats = [
              input([b, t, h, d], seed),
              input([b, keys, hkv, d], seed + 1),
              input([b, keys, hkv, dv], seed + 2),
            ];
            if (has.bias) floats.push(input(wide, seed + 3));
            const segments = Int32Array.from({ length: b * keys }, (_, i) =>
              Math.floor(((i % keys) * 3) / keys),
            );
            const lengths = Int32Array.from({ length: b }, (_, i) => (seed + i * 5) % (keys + 2));
            const fixed = [
              bools(wide, seed),
              { shape: [b, keys], data: segments },
              { shape: [b], data: lengths },
            ];
            agree(
              backend,
              ([q, k, v, bias], [mask, segment, length]) =>
                core.attention(q!, k!, v!, {
                  causal: has.causal,
                  ...(has.mask ? { mask: mask! } : {}),
                  ...(bias ? { bias } : {}),
                  ...(has.segments ? { segments: segment! } : {}),
                  ...(has.lengths ? { lengths: length! } : {}),
                }),
              floats,
              fixed,
              3e-5,
              1e-5,
            );
          },
        ),
        { numRuns: 80 },
      );
    });

    it('many keys cross the blocks, for few queries and many', () => {
      for (const [t, s] of [
        [3, 2100],
        [130, 300],
      ] as const) {
        const floats = [input([1, t, 2, 8], 1), input([1, s, 1, 8], 2), input([1, s, 1, 8], 3)];
        agree(
          backend,
          ([q, k, v]) => core.attention(q!, k!, v!, { causal: true }),
          floats,
          [],
          3e-5,
          1e-5,
        );
      }
    });
  });

  describe(`attention, ${level}: edges`, () => {
    const attrs = {
      causal: true,
      window: 0,
      scale: 1,
      qOffset: -1,
      has: { mask: false, bias: false, segments: false, lengths: false },
    };

    it('a query that sees nothing gives 0 and lse -inf', () => {
      for (const t of [2, 9]) {
        const outs = [
          { shape: [1, t, 1, 4], dtype: 'f32' as const },
          { shape: [1, 1, t], dtype: 'f32' as const },
        ];
        const kv = f32([1, t, 1, 4], 2);
        const [o, lse] = run(backend, 'attention', [f32([1, t, 1, 4], 1), kv, kv], outs, attrs);
        expect([...o!.subarray(0, 4)]).toEqual([0, 0, 0, 0]);
        expect([lse![0], Number.isFinite(lse![1])]).toEqual([Number.NEGATIVE_INFINITY, true]);
        const none = run(
          backend,
          'attention',
          [f32([1, t, 1, 4], 1), f32([1, 0, 1, 4], 1), f32([1, 0, 1, 4], 1)],
          outs,
          attrs,
        );
        expect(none[0]!.every((x) => x === 0)).toBe(true);
        expect(none[1]!.every((x) => x === Number.NEGATIVE_INFINITY)).toBe(true);
      }
    });

    it('keys beyond the lengths are not read: what they hold does not matter', () => {
      const has = { ...attrs.has, lengths: true };
      const outs = [
        { shape: [1, 1, 1, 4], dtype: 'f32' as const },
        { shape: [1, 1, 1], dtype: 'f32' as const },
      ];
      const lengths: Value = { shape: [1], dtype: 'i32', data: Int32Array.of(5) };
      const kv = f32([1, 9, 1, 4], 2);
      const dirty: Value = { ...kv, data: kv.data.map((x, i) => (i < 20 ? x : Number.NaN)) };
      const q = f32([1, 1, 1, 4], 1);
      const clean = run(backend, 'attention', [q, kv, kv, lengths], outs, {
        ...attrs,
        qOffset: 0,
        has,
      });
      expect(
        run(backend, 'attention', [q, dirty, dirty, lengths], outs, { ...attrs, qOffset: 0, has }),
      ).toEqual(clean);
      expect(clean[0]!.every(Number.isFinite)).toBe(true);
    });
  });
}
