import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AlignedData, alignByClass, type PairSet } from '../src/data/align';
import { DataError } from '../src/data/errors';
import { mislink } from '../src/data/mislink';
import type { ModalityData, TokenSet } from '../src/data/modality';
import { type PairBatch, PairSampler } from '../src/data/sampler';

const LENGTH = 6;

/** Sequences of their own number written in base 10, of varying length where asked. */
function modality(name: string, perClass: number, varying: boolean): ModalityData {
  const n = 3 * perClass;
  const lengths = Int32Array.from({ length: n }, (_, i) => 1 + (i % LENGTH));
  const ids = Int32Array.from({ length: n * LENGTH }, (_, i) => {
    const [row, t] = [Math.floor(i / LENGTH), i % LENGTH];
    return varying && t >= lengths[row]! ? 0 : (Math.floor(row / 10 ** (t % 3)) % 10) + 1;
  });
  const labels = Int32Array.from({ length: n }, (_, i) => i % 3);
  const base = { ids, length: LENGTH, labels, classes: 3 };
  const set: TokenSet = varying ? { ...base, lengths } : base;
  return {
    name,
    source: 'test',
    credit: '',
    classes: 3,
    vocabSize: 12,
    maxLength: LENGTH,
    fixedLength: !varying,
    describe: '',
    encode: () => new Int32Array(LENGTH),
    decode: (tokens) => ({ kind: 'tokens', ids: Int32Array.from(tokens) }),
    toJSON: () => ({}),
    train: set,
    test: set,
    raw: () => ({ kind: 'tokens', ids: new Int32Array(LENGTH) }),
  };
}

const data: AlignedData = alignByClass(
  { a: modality('a', 11, false), b: modality('b', 30, true), c: modality('c', 11, false) },
  {
    pairs: [
      ['b', 'a'],
      ['b', 'c'],
    ],
    seed: 0,
  },
);
const pair: PairSet = data.pairs[0]!;
const rows = (batch: PairBatch): string[] =>
  Array.from({ length: batch.size }, (_, r) => batch.index.slice(2 * r, 2 * r + 2).join());
const all = (set: PairSet): string[] =>
  Array.from({ length: set.size }, (_, n) => set.index.slice(2 * n, 2 * n + 2).join());

describe('PairSampler', () => {
  test('every pair comes once an epoch, whatever the batch size, in a new order each time', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(99), (batch, seed) => {
        const sampler = new PairSampler(data, pair, { batch, seed });
        const drawn: string[] = [];
        while (drawn.length < 2 * pair.size) drawn.push(...rows(sampler.next()));
        const first = drawn.slice(0, pair.size);
        const second = drawn.slice(pair.size, 2 * pair.size);
        expect(first.toSorted()).toEqual(all(pair).toSorted());
        expect(second.toSorted()).toEqual(all(pair).toSorted());
        expect(second).not.toEqual(first);
      }),
      { seed: 1, numRuns: 25 },
    );
  });

  test('resumed at a step it goes on as if it had never stopped', () => {
    fc.assert(
      fc.property(
        fc.nat(30),
        fc.boolean(),
        fc.integer({ min: 1, max: 20 }),
        (step, repair, batch) => {
          const options = { batch, seed: 3, repair, noise: { a: { replace: 0.3, shift: 2 } } };
          const straight = new PairSampler(data, pair, options);
          for (let i = 0; i < step; i++) straight.next();
          const resumed = new PairSampler(data, pair, options);
          resumed.next();
          resumed.resume(step);
          expect(resumed.step).toBe(step);
          expect([resumed.next(), resumed.next()]).toEqual([straight.next(), straight.next()]);
        },
      ),
      { seed: 2, numRuns: 25 },
    );
  });

  test('gives the tokens, lengths and classes of the samples it names', () => {
    const batch = new PairSampler(data, pair, { batch: 40, seed: 1 }).next();
    const [b, a] = [data.modalities['b']!.train, data.modalities['a']!.train];
    for (let r = 0; r < batch.size; r++) {
      const [i, j] = [batch.index[2 * r]!, batch.index[2 * r + 1]!];
      const block = (ids: Int32Array, at: number) => ids.slice(at * LENGTH, (at + 1) * LENGTH);
      expect(block(batch.ids[0], r)).toEqual(block(b.ids, i));
      expect(block(batch.ids[1], r)).toEqual(block(a.ids, j));
      expect(batch.lengths[0]![r]).toBe(b.lengths![i]);
      expect([b.labels[i], a.labels[j]]).toEqual([batch.labels[r], batch.labels[r]]);
    }
    expect(batch.lengths[1]).toBeUndefined();
  });

  test('pairing anew keeps classes and the disjoint samples, and does change partners', () => {
    const sampler = new PairSampler(data, pair, { batch: pair.size, seed: 1, repair: true });
    const batch = sampler.next();
    expect(rows(batch)).not.toEqual(expect.arrayContaining(all(pair)));
    for (const side of [0, 1]) {
      const column = (index: Int32Array) => index.filter((_, i) => i % 2 === side).toSorted();
      expect(column(batch.index)).toEqual(column(pair.index));
    }
    const { labels } = data.modalities['a']!.train;
    batch.labels.forEach((label, r) => {
      expect(labels[batch.index[2 * r + 1]!]).toBe(label);
    });
  });

  test('noise stays in the vocabulary and in its own modality, and comes as often as asked', () => {
    const plain = new PairSampler(data, pair, { batch: 33, seed: 1 });
    const noisy = new PairSampler(data, pair, {
      batch: 33,
      seed: 1,
      noise: { b: { replace: 0.25 } },
    });
    let [changed, total] = [0, 0];
    for (let i = 0; i < 60; i++) {
      const [x, y] = [plain.next(), noisy.next()];
      expect(y.ids[1]).toEqual(x.ids[1]);
      y.ids[0].forEach((id, at) => {
        expect(id >= 0 && id < 12).toBe(true);
        if (at % LENGTH >= x.lengths[0]![Math.floor(at / LENGTH)]!) {
          expect(id).toBe(0);
        } else {
          total++;
          if (id !== x.ids[0][at]) changed++;
        }
      });
    }
    // 0.25 of the tokens are redrawn, one in twelve of them as it was.
    expect(changed / total).toBeCloseTo(0.25 * (11 / 12), 1);
  });

  test('a shift moves a whole sequence and repeats its end', () => {
    const options = { batch: 33, seed: 1 };
    const plain = new PairSampler(data, pair, options).next();
    const moved = new PairSampler(data, pair, { ...options, noise: { a: { shift: 1 } } }).next();
    const offsets = new Set<number>();
    for (let r = 0; r < 33; r++) {
      const x = plain.ids[1].slice(r * LENGTH, (r + 1) * LENGTH);
      const y = moved.ids[1].slice(r * LENGTH, (r + 1) * LENGTH);
      const offset = [0, 1, -1].find((o) =>
        y.every((id, t) => id === x[Math.min(LENGTH - 1, Math.max(0, t - o))]),
      );
      expect(offset).toBeDefined();
      offsets.add(offset!);
    }
    expect(offsets.size).toBe(3);
  });

  test('refuses options out of range before drawing', () => {
    for (const options of [
      { batch: 0, seed: 0 },
      { batch: 1, seed: 0, noise: { a: { replace: 1.5 } } },
      { batch: 1, seed: 0, noise: { a: { shift: -1 } } },
    ]) {
      expect(() => new PairSampler(data, pair, options)).toThrow(DataError);
    }
    const empty = { ...pair, size: 0 };
    expect(() => new PairSampler(data, empty, { batch: 1, seed: 0 })).toThrow(DataError);
  });
});

describe('mislink', () => {
  test('keeps every sample and joins them without regard to class', () => {
    fc.assert(
      fc.property(fc.nat(99), (seed) => {
        const crossed = mislink(pair, seed);
        for (const side of [0, 1]) {
          const column = (set: PairSet): number[] =>
            [...set.index].filter((_, i) => i % 2 === side).sort((x, y) => x - y);
          expect(column(crossed)).toEqual(column(pair));
        }
        const right = data.modalities['a']!.train.labels;
        const same = Array.from(
          { length: crossed.size },
          (_, n) => right[crossed.index[2 * n + 1]!] === crossed.labels[n],
        ).filter(Boolean).length;
        // a third by chance; 33 pairs
        expect(same).toBeLessThan(0.75 * crossed.size);
      }),
    );
  });
});
