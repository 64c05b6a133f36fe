/** Masked modelling by an encoder. */
import { tidy, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { packedLoss } from '../src/loss';
import { bidirectional, maskInPlace } from '../src/objectives/bidirectional';
import { Vocabulary } from '../src/vocabulary';
import {
  chainContext,
  chiSquare,
  randomBatch,
  smallModel,
  TRIPLE,
  useCpu,
} from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);
const contextOf = (model: Decoder, seed = 1) => chainContext(vocab, model, seed);

beforeAll(useCpu);

describe('bidirectional', () => {
  it('masks content only, with the token that was there as its target', async () => {
    const model = smallModel(vocab, { causal: false });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 1000 }),
        fc.constantFrom(0.15, 1, 'cosine' as const),
        async (seed, ratio) => {
          const batch = randomBatch(vocab, ['B', 'C'], 3, seed);
          const context = contextOf(model, seed);
          const { packed, generated } = await bidirectional({ ratio })(batch, context);
          expect(generated).toEqual([]);
          for (let row = 0; row < packed.b; row++) {
            const at = (i: number): number => row * packed.t + i;
            const ids = [...packed.ids.subarray(at(0), at(packed.t))];
            const masked = ids.flatMap((id, i) => (id === Vocabulary.MASK ? [i] : []));
            expect(masked.length).toBeGreaterThan(0);
            const restored = ids.map((id, i) =>
              id === Vocabulary.MASK ? packed.targets[at(i)]! : id,
            );
            const real = [...batch.blocks['B']!.subarray(row * 2, row * 2 + 2)];
            const rest = [...batch.blocks['C']!.subarray(row * 3, row * 3 + 3)].filter(
              (id) => id !== 0,
            );
            expect(restored.filter((id) => id !== 0)).toEqual([
              vocab.start('B'),
              ...real,
              vocab.start('C'),
              ...rest,
            ]);
            ids.forEach((id, i) => {
              expect(packed.targets[at(i)]! >= 0).toBe(id === Vocabulary.MASK);
            });
            if (ratio === 1) expect(masked.length).toBe(2 + rest.length);
          }
        },
      ),
      { seed: 2, numRuns: 40 },
    );
    model.dispose();
  });

  it('is refused by a causal model, and for a ratio out of range', async () => {
    const model = smallModel(vocab);
    await expect(
      bidirectional()(randomBatch(vocab, ['A'], 2, 1), contextOf(model)),
    ).rejects.toThrow('causal: false');
    for (const ratio of [0, -0.1, 1.1, Number.NaN]) {
      expect(() => bidirectional({ ratio })).toThrow(ValueError);
    }
    expect(() => bidirectional({ ratio: 1 })).not.toThrow();
    model.dispose();
  });

  it.each([
    [0.5, [2, 1]],
    [0.3, [1, 1]],
    [1, [4, 2]],
    [0.01, [1, 1]],
  ] as const)('masks a share of %d of each row, rounded, one at least', async (ratio, expected) => {
    const model = smallModel(vocab, { causal: false });
    const masksOf = async (name: string): Promise<number> => {
      const { packed } = await bidirectional({ ratio })(
        randomBatch(vocab, [name], 1),
        contextOf(model),
      );
      return packed.ids.filter((id) => id === Vocabulary.MASK).length;
    };
    expect([await masksOf('A'), await masksOf('B')]).toEqual(expected);
    model.dispose();
  });

  it('draws the places uniformly and, with cosine, the share of each row anew', async () => {
    const model = smallModel(vocab, { causal: false });
    const b = 4000;
    const count = async (ratio: number | 'cosine') => {
      const { packed } = await bidirectional({ ratio })(
        randomBatch(vocab, ['A'], b),
        contextOf(model),
      );
      const places = [0, 0, 0, 0];
      const rows = [0, 0, 0, 0, 0];
      for (let row = 0; row < b; row++) {
        let masks = 0;
        for (let i = 0; i < 4; i++) {
          if (packed.ids[row * packed.t + 1 + i] !== Vocabulary.MASK) continue;
          places[i]!++;
          masks++;
        }
        rows[masks]!++;
      }
      return { places, rows };
    };
    const { places } = await count(0.25);
    expect(chiSquare(places, [b / 4, b / 4, b / 4, b / 4])).toBeLessThan(21.1); // χ²(3), p = 1e-4
    const { rows } = await count('cosine');
    // round(4 cos(π u / 2)) is below k + 1/2 with probability 1 − acos((k + 1/2) / 4) / (π / 2); none counts as one
    const below = [0, 1, 2, 3].map((k) => 1 - Math.acos((k + 0.5) / 4) / (Math.PI / 2));
    const expected = [below[1]!, below[2]! - below[1]!, below[3]! - below[2]!, 1 - below[3]!];
    expect(rows[0]).toBe(0);
    expect(
      chiSquare(
        rows.slice(1),
        expected.map((p) => p * b),
      ),
    ).toBeLessThan(21.1);
    model.dispose();
  });

  it('keeps places, and counts each target for its modality, padding for none', () => {
    const rows = [
      { ids: [7, 8, 9], within: [1, 2, 3], counts: [-1, 0, 0] },
      { ids: [11, 12], within: [5, 6], counts: [-1, 1] },
    ];
    const packed = maskInPlace(rows, [[2], [1]]);
    expect(packed).toEqual({
      b: 2,
      t: 3,
      ids: Int32Array.of(7, 8, Vocabulary.MASK, 11, Vocabulary.MASK, 0),
      within: Int32Array.of(1, 2, 3, 5, 6, 0),
      targets: Int32Array.of(-100, -100, 9, -100, 12, -100),
      weightsKey: Int8Array.of(-1, -1, 0, -1, 1, -1),
    });
  });

  it('refuses vectors, which have no mask', async () => {
    const model = smallModel(vocab, { causal: false });
    const batch = { ...randomBatch(vocab, ['A'], 2), latents: { A: new Float32Array(16) } };
    await expect(bidirectional()(batch, contextOf(model))).rejects.toThrow(
      'bidirectional: masks ids, and the batch has vectors',
    );
    model.dispose();
  });

  it('does not depend on padding behind a row', () => {
    const model = smallModel(vocab, { causal: false });
    const of = (ids: number[], t: number) => {
      const padded = Int32Array.from({ length: t }, (_, i) => ids[i] ?? 0);
      const targets = new Int32Array(t).fill(-100);
      const weightsKey = new Int8Array(t).fill(-1);
      targets[1] = ids[1]!;
      weightsKey[1] = 0;
      const within = Int32Array.from({ length: t }, (_, i) => (i < ids.length ? i + 1 : 0));
      return tidy(() =>
        packedLoss(model, vocab, {
          b: 1,
          t,
          ids: padded,
          within,
          targets,
          weightsKey,
        }).loss.itemSync(),
      );
    };
    const row = [vocab.start('A'), ...vocab.toJoint('A', Int32Array.of(0, 1, 2, 3))];
    expect(of(row, 9)).toBeCloseTo(of(row, 5), 6);
    // and does on what stands on its right
    expect(Math.abs(of(row.with(4, row[4]! + 1), 5) - of(row, 5))).toBeGreaterThan(1e-3);
    model.dispose();
  });
});
