import { hostRandom, ValueError } from '@loretta-ts/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Block,
  concatPacked,
  pack,
  packRows,
  packSegments,
  sameOrder,
  unpackRows,
} from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';
import { randomBlock, TRIPLE } from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);
const real = (modality: string, ids: Int32Array): Block => ({ modality, ids, generated: false });
const [a, b, c] = ['A', 'B', 'C'].map((name) => vocab.start(name)) as [number, number, number];
const [endC] = [vocab.end('C')];

describe('pack', () => {
  it('puts a modality token before each block, shifts by one and keeps modality tokens out of the loss', () => {
    const blocks = [
      real('A', Int32Array.of(a + 1, a + 2, a + 3, a + 4)),
      real('B', Int32Array.of(b + 1, b + 2)),
    ];
    const packed = pack(vocab, blocks, [[1, 0]], { lossOn: 'real' });
    expect({ ...packed }).toMatchObject({ b: 1, t: 7 });
    expect([...packed.ids]).toEqual([b, b + 1, b + 2, a, a + 1, a + 2, a + 3]);
    expect([...packed.targets]).toEqual([b + 1, b + 2, -100, a + 1, a + 2, a + 3, a + 4]);
    expect([...packed.weightsKey]).toEqual([1, 1, -1, 0, 0, 0, 0]);
    expect([...packed.within]).toEqual([
      ...[0, 1, 2].map((i) => vocab.within('B', i)),
      ...[0, 1, 2, 3].map((i) => vocab.within('A', i)),
    ]);
    expect([...packed.last!]).toEqual([a + 4]);
  });

  it('takes each row in its own order', () => {
    const blocks = [
      real('A', Int32Array.of(a + 1, a + 1, a + 1, a + 1, a + 2, a + 2, a + 2, a + 2)),
      real('B', Int32Array.of(b + 1, b + 1, b + 2, b + 2)),
    ];
    const { ids } = pack(
      vocab,
      blocks,
      [
        [0, 1],
        [1, 0],
      ],
      { lossOn: 'real' },
    );
    expect([...ids.subarray(0, 7)]).toEqual([a, a + 1, a + 1, a + 1, a + 1, b, b + 1]);
    expect([...ids.subarray(7)]).toEqual([b, b + 2, b + 2, a, a + 2, a + 2, a + 2]);
  });

  it('closes up shorter rows of a variable modality: the end token is a target, PAD never is', () => {
    const blocks = [
      real('C', Int32Array.of(c + 1, endC, 0, c + 1, c + 2, c + 3)),
      real('B', Int32Array.of(b + 1, b + 2, b + 1, b + 2)),
    ];
    const { t, ids, targets, weightsKey } = pack(vocab, blocks, sameOrder(2, [0, 1]), {
      lossOn: 'real',
    });
    expect(t).toBe(6);
    expect([...ids.subarray(0, t)]).toEqual([c, c + 1, endC, b, b + 1, 0]);
    expect([...targets.subarray(0, t)]).toEqual([c + 1, endC, -100, b + 1, b + 2, -100]);
    expect([...ids.subarray(t)]).toEqual([c, c + 1, c + 2, c + 3, b, b + 1]);
    expect([...targets].includes(Vocabulary.PAD)).toBe(false);
    expect([...targets].every((id, i) => id >= 0 === weightsKey[i]! >= 0)).toBe(true);
  });

  it.each([
    ['real', [-1, -1, -1, 1, 1]],
    ['all', [2, 2, -1, 1, 1]],
  ] as const)('with loss on %s counts a generated block accordingly', (lossOn, keys) => {
    const blocks = [
      { modality: 'C', ids: Int32Array.of(c + 1, endC, 0), generated: true },
      real('B', Int32Array.of(b + 1, b + 2)),
    ];
    const packed = pack(vocab, blocks, [[0, 1]], { lossOn });
    expect([...packed.weightsKey]).toEqual(keys);
    expect([...packed.targets].map((id) => id >= 0)).toEqual(keys.map((m) => m >= 0));
  });

  const block = real('B', Int32Array.of(b + 1, b + 2));
  it.each([
    ['no rows', [block], [], 'no rows'],
    ['a row of nothing', [block], [[]], 'row 0 has no block'],
    ['a block that is not there', [block], [[1]], 'row 0 wants block 1 of 1'],
    ['rows that do not divide', [block], [[0], [0], [0]], 'are not 3 rows'],
    [
      'a fixed block that is too short',
      [real('B', Int32Array.of(b + 1))],
      [[0]],
      'are not 1 rows of 2',
    ],
    [
      'a foreign id',
      [real('B', Int32Array.of(b + 1, a + 1))],
      [[0]],
      `id ${a + 1} at row 0, place 1`,
    ],
    ['padding in a fixed block', [real('B', Int32Array.of(b + 1, 0))], [[0]], 'id 0 at row 0'],
    ['tokens behind the end', [real('C', Int32Array.of(c + 1, endC, c + 1))], [[0]], 'place 2'],
    ['padding without an end', [real('C', Int32Array.of(c + 1, 0, 0))], [[0]], 'place 1'],
    ['a second end', [real('C', Int32Array.of(c + 1, endC, endC))], [[0]], 'place 2'],
    ['the id behind its own', [real('B', Int32Array.of(b + 1, b + 4))], [[0]], 'place 1'],
    ['a block of nothing', [real('C', new Int32Array(0))], [[0]], 'at most 3'],
    ['a block that is too long', [real('C', new Int32Array(4).fill(c + 1))], [[0]], 'at most 3'],
    ['a fixed one', [real('B', new Int32Array(3).fill(b + 1))], [[0]], 'are not 1 rows of 2'],
  ] as const)('refuses %s', (_, blocks, order, message) => {
    const make = (): unknown => pack(vocab, blocks, order, { lossOn: 'real' });
    expect(make).toThrow(ValueError);
    expect(make).toThrow(message);
  });
});

describe('rows', () => {
  const arbitrary = fc.record({ seed: fc.nat(1000), b: fc.integer({ min: 1, max: 4 }) });
  const packs = ({ seed, b: rows }: { seed: number; b: number }) => {
    const random = hostRandom(seed);
    const blocks = ['A', 'B', 'C'].map((name) =>
      real(name, randomBlock(vocab, name, rows, random)),
    );
    const order = Array.from({ length: rows }, () => [0, 1, 2].slice(random.int(3)));
    return { blocks, order, packed: pack(vocab, blocks, order, { lossOn: 'real' }) };
  };

  it('unpack to what was packed', () => {
    fc.assert(
      fc.property(arbitrary, (spec) => {
        const { blocks, order, packed } = packs(spec);
        const rows = unpackRows(vocab, packed);
        rows.forEach(({ ids, within, counts }, row) => {
          const expected = order[row]!.flatMap((i) => {
            const { modality, ids: all } = blocks[i]!;
            const { length } = vocab.modality(modality);
            const content = [...all.subarray(row * length, (row + 1) * length)].filter(
              (id) => id > 0,
            );
            return [vocab.start(modality), ...content].map((id, j) => ({
              id,
              within: vocab.within(modality, j),
              counts: j === 0 ? -1 : vocab.index(modality),
            }));
          });
          expect(ids).toEqual(expected.map((token) => token.id));
          expect(within).toEqual(expected.map((token) => token.within));
          expect(counts).toEqual(expected.map((token) => token.counts));
        });
      }),
      { seed: 31 },
    );
  });

  it('stay the same when packs are concatenated, but for padding without loss', () => {
    fc.assert(
      fc.property(fc.array(arbitrary, { minLength: 1, maxLength: 3 }), (specs) => {
        const list = specs.map((spec) => packs(spec).packed);
        const joined = concatPacked(list);
        expect(unpackRows(vocab, joined)).toEqual(list.flatMap((p) => unpackRows(vocab, p)));
        const targets = (p: { targets: Int32Array }): number =>
          p.targets.filter((id) => id >= 0).length;
        expect(targets(joined)).toBe(list.reduce((n, p) => n + targets(p), 0));
      }),
      { seed: 32 },
    );
  });

  it('share rows as segments that keep every token, its place and its target', () => {
    fc.assert(
      fc.property(arbitrary, (spec) => {
        const { packed } = packs(spec);
        const dense = packSegments(packed, 24);
        const tokens = (p: typeof packed): string[] =>
          [...p.ids].flatMap((id, i) =>
            id > 0 ? [`${id} ${p.within[i]} ${p.targets[i]} ${p.weightsKey[i]}`] : [],
          );
        expect(tokens(dense).sort()).toEqual(tokens(packed).sort());
        for (let i = 0; i < dense.ids.length; i++) {
          const opens = i % 24 === 0 || dense.segments![i] !== dense.segments![i - 1];
          if (dense.ids[i] !== 0)
            expect(dense.positions![i]).toBe(opens ? 0 : dense.positions![i - 1]! + 1);
        }
        const both = concatPacked([dense, packed]);
        expect(both.segments!.subarray(dense.b * 24).every((s) => s === 0)).toBe(true);
        expect(both.positions!.subarray(0, dense.b * 24)).toEqual(dense.positions);
      }),
      { seed: 33 },
    );
  });

  it('fill rows to their last place, first fit, and padding is no segment', () => {
    const row = (n: number, first: number) => ({
      ids: Array.from({ length: n }, (_, i) => first + i),
      within: Array.from({ length: n }, (_, i) => i),
      counts: Array.from({ length: n }, (_, i) => (i === 0 ? -1 : 0)),
    });
    // of n tokens n − 1 are inputs: 4, 3, 1 and 2
    const packed = packRows([row(5, 10), row(4, 20), row(2, 30), row(3, 40)]);
    const dense = packSegments(packed, 4);
    expect(dense.b).toBe(3);
    expect([...dense.ids]).toEqual([...[10, 11, 12, 13], ...[20, 21, 22, 30], ...[40, 41, 0, 0]]);
    expect([...dense.segments!]).toEqual([...[0, 0, 0, 0], ...[0, 0, 0, 1], ...[0, 0, -1, -1]]);
    expect([...dense.positions!]).toEqual([...[0, 1, 2, 3], ...[0, 1, 2, 0], ...[0, 1, 0, 0]]);
    const both = concatPacked([dense, packRows([row(6, 50)])]);
    expect([...both.segments!.subarray(0, 5)]).toEqual([0, 0, 0, 0, -1]);
    expect([...both.segments!.subarray(15)]).toEqual([0, 0, 0, 0, 0]);
    expect([...both.positions!.subarray(15)]).toEqual([0, 1, 2, 3, 4]);
  });

  it('come back with the place of a last token that is of no modality', () => {
    const masked = {
      ids: [a, Vocabulary.MASK, a + 2, Vocabulary.MASK, a + 1, Vocabulary.EOSS],
      within: [0, 0, 2, 0, 1, 0].map((i) => vocab.within('A', i)).with(5, 0),
      counts: [-1, -1, 0, -1, 0, 0],
    };
    expect(unpackRows(vocab, packRows([masked]))).toEqual([masked]);
  });

  it('refuse what cannot be', () => {
    expect(() => packRows([{ ids: [a], within: [0], counts: [-1] }])).toThrow('two at least');
    const { packed } = packs({ seed: 1, b: 2 });
    expect(() => concatPacked([])).toThrow(ValueError);
    expect(() => packSegments(packed, 2)).toThrow('does not fit 2');
    expect(() => packSegments(packSegments(packed, 24), 48)).toThrow('segments already');
    expect(() => unpackRows(vocab, packSegments(packed, 24))).toThrow('several segments');
  });
});
