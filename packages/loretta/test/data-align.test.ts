import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AlignedData, alignByClass, type PairSet, unseenPairs } from '../src/data/align';
import { DataError } from '../src/data/errors';
import type { ModalityData, TokenSet } from '../src/data/modality';
import { assertNeverPaired } from '../src/data/neverPaired';
import { PairSampler } from '../src/data/sampler';

/** A modality whose sequence i holds the tokens [i % 7, class]. */
function modality(name: string, train: readonly number[], test: readonly number[]): ModalityData {
  const set = (counts: readonly number[]): TokenSet => {
    // Classes interleaved, as files have them.
    const labels = Int32Array.from(
      counts
        .flatMap((count, k) => Array.from({ length: count }, (_, i) => ({ k, i })))
        .sort((a, b) => a.i - b.i),
      ({ k }) => k,
    );
    const ids = Int32Array.from({ length: 2 * labels.length }, (_, i) =>
      i % 2 === 0 ? (i / 2) % 7 : labels[i >> 1]!,
    );
    return { ids, length: 2, labels, classes: counts.length };
  };
  return {
    name,
    source: 'test',
    credit: '',
    classes: train.length,
    vocabSize: 16,
    maxLength: 2,
    fixedLength: true,
    describe: '',
    encode: () => new Int32Array(2),
    decode: (ids) => ({ kind: 'tokens', ids: Int32Array.from(ids) }),
    toJSON: () => ({}),
    train: set(train),
    test: set(test),
    raw: () => ({ kind: 'tokens', ids: new Int32Array(2) }),
  };
}

const STAR = [
  ['b', 'a'],
  ['b', 'c'],
] as const;

const star = (a: number[], b: number[], c: number[]) => ({
  a: modality('a', a, a),
  b: modality('b', b, b),
  c: modality('c', c, c),
});

/** Samples of one modality in a pair set. */
function used(pair: PairSet, name: string): Set<number> {
  const side = pair.modalities.indexOf(name);
  if (side < 0) return new Set();
  return new Set(Array.from({ length: pair.size }, (_, n) => pair.index[2 * n + side]!));
}

function expectLawful(data: AlignedData): void {
  for (const pair of data.pairs) {
    for (const side of [0, 1] as const) {
      const { labels } = data.modalities[pair.modalities[side]]!.train;
      for (let n = 0; n < pair.size; n++) {
        expect(labels[pair.index[2 * n + side]!]).toBe(pair.labels[n]);
      }
    }
  }
  for (const name of Object.keys(data.modalities)) {
    const seen = new Set<number>();
    for (const pair of data.pairs) {
      for (const sample of used(pair, name)) {
        expect(seen.has(sample)).toBe(false);
      }
      for (const sample of used(pair, name)) seen.add(sample);
    }
  }
  for (const [x, y] of unseenPairs(data)) {
    expect(data.pairs.some((p) => p.modalities.includes(x) && p.modalities.includes(y))).toBe(
      false,
    );
    expect(() => assertNeverPaired(data, x, y)).not.toThrow();
  }
}

const counts = fc.array(fc.integer({ min: 2, max: 9 }), { minLength: 3, maxLength: 3 });

describe('alignByClass', () => {
  test('pairs agree in class, pair sets share no sample, whatever the class sizes', () => {
    fc.assert(
      fc.property(counts, counts, counts, fc.nat(1000), (a, b, c, seed) => {
        const data = alignByClass(star(a, b, c), { pairs: STAR, seed });
        expectLawful(data);
        expect(unseenPairs(data)).toEqual([['a', 'c']]);
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  test('with reuse any size is met, every share is used, and shares stay disjoint', () => {
    fc.assert(
      fc.property(counts, counts, counts, fc.integer({ min: 9, max: 20 }), (a, b, c, size) => {
        const data = alignByClass(star(a, b, c), {
          pairs: STAR,
          seed: 0,
          pairsPerClass: [size, 2 * size],
          reuse: true,
        });
        expectLawful(data);
        expect(data.pairs.map((p) => p.size)).toEqual([3 * size, 6 * size]);
        expect(used(data.pairs[0]!, 'a').size).toBe(a[0]! + a[1]! + a[2]!);
      }),
      { seed: 2, numRuns: 60 },
    );
  });

  test('a chain of four aligns neighbours only', () => {
    const four = {
      ...star([5, 5, 5], [8, 8, 8], [8, 8, 8]),
      d: modality('d', [5, 5, 5], [2, 2, 2]),
    };
    const pairs = [
      ['a', 'b'],
      ['b', 'c'],
      ['c', 'd'],
    ] as const;
    const data = alignByClass(four, { pairs, seed: 3 });
    expectLawful(data);
    expect(unseenPairs(data)).toEqual([
      ['a', 'c'],
      ['a', 'd'],
      ['b', 'd'],
    ]);
    expect(data.test.size).toBe(6);
  });

  test('test rows agree in class in every modality', () => {
    const { test: rows, modalities } = alignByClass(star([3, 4], [8, 8], [5, 2]), {
      pairs: STAR,
      seed: 5,
    });
    expect(rows.size).toBe(5);
    for (let row = 0; row < rows.size; row++) {
      rows.modalities.forEach((name, m) => {
        expect(modalities[name]!.test.labels[rows.index[3 * row + m]!]).toBe(rows.labels[row]);
      });
    }
  });

  test('is a function of the seed', () => {
    const run = (seed: number) =>
      alignByClass(star([9, 9], [20, 20], [9, 9]), { pairs: STAR, seed });
    expect(run(4).pairs).toEqual(run(4).pairs);
    expect(run(4).test).toEqual(run(4).test);
    expect(run(4).pairs).not.toEqual(run(5).pairs);
  });

  test('names the class and modality that lack samples', () => {
    const lacking = (build: () => unknown): DataError => {
      try {
        build();
      } catch (error) {
        if (error instanceof DataError) return error;
      }
      throw new Error('nothing was refused');
    };
    const empty = lacking(() =>
      alignByClass(star([3, 0, 3], [9, 9, 9], [3, 3, 3]), { pairs: STAR, seed: 0 }),
    );
    expect([empty.kind, empty.where]).toEqual(['class', 'a']);
    expect(empty.message).toContain('class 1');
    const few = lacking(() =>
      alignByClass(star([9, 9], [9, 9], [9, 4]), { pairs: STAR, seed: 0, pairsPerClass: 5 }),
    );
    expect([few.kind, few.where]).toEqual(['class', 'b']);
    expect(few.message).toContain('class 0 has 9 samples');
    const single = lacking(() =>
      alignByClass(star([9], [1], [9]), { pairs: STAR, seed: 0, pairsPerClass: 5, reuse: true }),
    );
    expect([single.kind, single.where]).toEqual(['class', 'b']);
  });

  test('refuses unknown, repeated and reflexive pairs', () => {
    const three = star([4], [4], [4]);
    for (const pairs of [
      [],
      [['a', 'x']],
      [['a', 'a']],
      [
        ['a', 'b'],
        ['b', 'a'],
      ],
    ] as const) {
      expect(() => alignByClass(three, { pairs, seed: 0 })).toThrow(DataError);
    }
  });

  test('oracle pairs exist only for a never-seen pair and agree in class', () => {
    const data = alignByClass(star([6, 6], [20, 20], [4, 4]), { pairs: STAR, seed: 0 });
    const pairs = data.oraclePairs('a', 'c');
    expect(pairs.modalities).toEqual(['a', 'c']);
    expect(pairs.size).toBe(12);
    expect(used(pairs, 'a')).toEqual(used(data.pairs[0]!, 'a'));
    expect(used(pairs, 'c')).toEqual(used(data.pairs[1]!, 'c'));
    for (let n = 0; n < pairs.size; n++) {
      expect(data.modalities['c']!.train.labels[pairs.index[2 * n + 1]!]).toBe(pairs.labels[n]);
    }
    expect(() => data.oraclePairs('a', 'b')).toThrow(DataError);
  });
});

describe('assertNeverPaired', () => {
  const data = alignByClass(star([6, 6], [20, 20], [6, 6]), { pairs: STAR, seed: 0 });
  const leak = (run: () => unknown): void => {
    expect(run).toThrow(expect.objectContaining({ name: 'DataError', kind: 'leak' }));
  };

  test('refuses a pair set that joins the two, a shared sample, and a wrong class', () => {
    leak(() =>
      assertNeverPaired({ ...data, pairs: [...data.pairs, data.oraclePairs('a', 'c')] }, 'a', 'c'),
    );
    leak(() => assertNeverPaired(data, 'a', 'b'));
    const [first, second] = [data.pairs[0]!, data.pairs[1]!];
    const shared = second.index.slice();
    shared[0] = first.index[0]!;
    leak(() =>
      assertNeverPaired({ ...data, pairs: [first, { ...second, index: shared }] }, 'a', 'c'),
    );
    const swapped = first.labels.map((label) => 1 - label);
    leak(() =>
      assertNeverPaired({ ...data, pairs: [{ ...first, labels: swapped }, second] }, 'a', 'c'),
    );
  });

  test('the guard lets honest batches pass and stops dishonest ones', () => {
    const guard = assertNeverPaired(data, 'a', 'c');
    const [ba, bc] = [data.pairs[0]!, data.pairs[1]!];
    for (const pair of data.pairs) {
      const sampler = new PairSampler(data, pair, { batch: 5, seed: 0, repair: true });
      for (let i = 0; i < 6; i++) guard(sampler.next());
    }
    const [b, a, c] = [ba.index[0]!, ba.index[1]!, bc.index[1]!];
    guard({ modalities: ['c', 'a'], index: [-1, a] });
    guard({ modalities: ['a', 'b', 'c'], index: [a, b, -1] });
    leak(() => guard({ modalities: ['a', 'c'], index: [a, c] }));
    leak(() => guard({ modalities: ['a', 'b', 'c'], index: [a, b, -1, a, b, c] }));
    leak(() => guard({ modalities: ['b', 'a'], index: [bc.index[0]!, a] }));
    leak(() => guard({ modalities: ['b', 'a'], index: [b, 999] }));
  });
});
