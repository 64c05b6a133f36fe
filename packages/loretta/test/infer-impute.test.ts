/** Missing modalities: what is present stays, what is missing comes by the route that was asked for. */
import { hostRandom, key, ValueError } from '@loretta-ts/core';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { ModalityGraph } from '../src/graph';
import { generateChain } from '../src/infer/chain';
import { type ImputeOptions, impute, type PartialRow } from '../src/infer/impute';
import { planImputation } from '../src/infer/impute-plan';
import { Vocabulary } from '../src/vocabulary';
import { checkBlock, slowLogLikelihood } from './infer-setup';
import { randomBlock, smallModel, TRIPLE, useCpu } from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);
const graph = new ModalityGraph(
  ['A', 'B', 'C'],
  [
    ['A', 'B'],
    ['B', 'C'],
  ],
);
beforeAll(useCpu);

const rowOf = (names: readonly string[], seed: number): PartialRow => {
  const random = hostRandom(seed);
  return Object.fromEntries(names.map((name) => [name, randomBlock(vocab, name, 1, random)]));
};

describe('impute', () => {
  it('leaves what is present alone, and fills in the rest with whole blocks', async () => {
    const model = smallModel(vocab, { initStd: 0.8 });
    const spec = fc.record({
      present: fc.array(fc.subarray(['A', 'B', 'C'], { minLength: 1 }), {
        minLength: 1,
        maxLength: 4,
      }),
      targets: fc.option(fc.subarray(['A', 'B', 'C']), { nil: undefined }),
      route: fc.constantFrom('direct' as const, 'chain' as const),
      pick: fc.constantFrom('single' as const, 'best' as const, 'consensus' as const),
      guidance: fc.constantFrom(1, 2),
      seed: fc.nat(300),
    });
    await fc.assert(
      fc.asyncProperty(spec, async ({ present, targets, seed, ...options }) => {
        const rows = present.map((names, i) => rowOf(names, seed + i));
        const before = JSON.stringify(rows);
        const found = await impute(model, vocab, graph, rows, {
          ...options,
          n: 3,
          key: key(seed),
          ...(targets === undefined ? {} : { targets }),
        });
        expect(JSON.stringify(rows)).toBe(before);
        found.forEach(({ row, imputed }, i) => {
          const names = present[i]!;
          const missing = (targets ?? ['A', 'B', 'C']).filter((name) => !names.includes(name));
          expect(Object.keys(imputed).sort()).toEqual(missing.sort());
          expect(Object.keys(row).sort()).toEqual([...names, ...missing].sort());
          for (const name of names) expect(row[name]).toEqual(rows[i]![name]);
          for (const [name, x] of Object.entries(imputed)) {
            expect(row[name]).toBe(x.ids);
            checkBlock(vocab, name, x.ids, 1);
            expect(x.confidence >= 0 && x.confidence <= 1).toBe(true);
          }
        });
      }),
      { seed: 91, numRuns: 25 },
    );
    model.dispose();
  }, 40_000);

  it('of one sample along the route is the chain by hand, with its likelihoods', async () => {
    const model = smallModel(vocab);
    const rows = [rowOf(['A'], 1), rowOf(['A'], 2)];
    const options: ImputeOptions = { route: 'chain', guidance: 2, temperature: 0 };
    const found = await impute(model, vocab, graph, rows, options);
    const block = (modality: string, ids: Int32Array) => ({ modality, ids, generated: true });
    const given = block('A', Int32Array.from(rows.flatMap((row) => [...row['A']!])));
    const [b, c] = await generateChain(
      model,
      vocab,
      [given],
      [
        { target: 'B', from: ['A'], guidance: 2, temperature: 0 },
        { target: 'C', from: ['B'], guidance: 2, temperature: 0 },
      ],
    );
    found.forEach(({ row, imputed }, i) => {
      expect(row['B']).toEqual(b!.ids.slice(2 * i, 2 * i + 2));
      expect(row['C']).toEqual(c!.ids.slice(3 * i, 3 * i + 3));
      const x = imputed['C']!;
      expect(x.from).toEqual(['B']);
      const target = block('C', x.ids);
      const given = slowLogLikelihood(model, vocab, [block('B', row['B']!)], target);
      const prior = slowLogLikelihood(model, vocab, [], target);
      expect(x.conditional).toBeCloseTo(given, 4);
      expect(x.prior).toBeCloseTo(prior, 4);
      const [p, q] = [Math.exp(given), Math.exp(prior)];
      expect(x.confidence).toBeCloseTo(p / (p + q), 4);
    });
    model.dispose();
  });

  it('gives the votes as confidence where there was a vote', async () => {
    const model = smallModel(vocab);
    const rows = [rowOf(['A'], 1), rowOf(['A', 'B'], 2)];
    const found = await impute(model, vocab, graph, rows, {
      pick: 'consensus',
      n: 4,
      key: key(1),
      targets: ['C'],
      vote: async (_, ids) => Array.from({ length: ids.length / 3 }, (_, i) => (i % 4 > 0 ? 1 : 0)),
    });
    for (const { imputed } of found) expect(imputed['C']!.confidence).toBe(0.75);
    model.dispose();
  });

  it('repeats itself for the same key, and differs for another', async () => {
    const model = smallModel(vocab);
    const rows = Array.from({ length: 70 }, (_, i) => rowOf(['B'], i)); // more than a chunk
    const make = async (seed: number): Promise<string> =>
      JSON.stringify(await impute(model, vocab, graph, rows, { key: key(seed), targets: ['A'] }));
    expect(await make(1)).toBe(await make(1));
    expect(await make(1)).not.toBe(await make(2));
    model.dispose();
  });

  const apart = new ModalityGraph(['A', 'B', 'C'], [['A', 'B']]);
  it.each<[string, PartialRow, ImputeOptions, ModalityGraph, string]>([
    ['a row of nothing', {}, {}, graph, 'row 1 has nothing'],
    ['an unknown modality', { X: new Int32Array(1) }, {}, graph, 'no modality X'],
    ['an unknown target', rowOf(['A'], 1), { targets: ['X'] }, graph, 'no modality X'],
    ['a block that is too short', { A: new Int32Array(3) }, {}, graph, 'row 1 has 3 ids of A'],
    ['a foreign id', { A: new Int32Array(4) }, {}, graph, 'id 0 at row 0'],
    ['what no route leads to', rowOf(['A'], 1), { route: 'chain' }, apart, 'no chain of observed'],
    ['no candidates', rowOf(['A'], 1), { n: 0 }, graph, 'positive integer'],
    ['guidance that is no number', rowOf(['A'], 1), { guidance: Number.NaN }, graph, 'guidance'],
    ['sampling without a key', rowOf(['A'], 1), { key: undefined } as object, graph, 'key'],
  ])('refuses %s', async (_, row, options, links, message) => {
    const model = smallModel(vocab);
    const run = (): Promise<unknown> =>
      impute(model, vocab, links, [rowOf(['A'], 9), row], { key: key(1), ...options });
    await expect(run()).rejects.toThrow(ValueError);
    await expect(run()).rejects.toThrow(message);
    model.dispose();
  });
});

describe('planImputation', () => {
  const path = new ModalityGraph(
    ['A', 'B', 'C', 'D'],
    [
      ['A', 'B'],
      ['B', 'C'],
      ['C', 'D'],
    ],
  );
  const plan = (present: readonly string[], targets: readonly string[], together = false) =>
    planImputation(path, present, targets, { route: 'chain', guidance: 3, together }).map(
      ({ steps, wanted }) => [
        steps.map((s) => `${s.from.join('+')}>${s.target}`).join(' '),
        wanted.join(),
      ],
    );

  it.each([
    [['A'], ['D'], [['A>B B>C C>D', 'D']]],
    [['A'], ['B'], [['A>B', 'B']]],
    [['A', 'C'], ['B'], [['A+C>B', 'B']]],
    [['A', 'D'], ['C'], [['D>C', 'C']]],
    [
      ['A'],
      ['B', 'C'],
      [
        ['A>B', 'B'],
        ['A>B B>C', 'C'],
      ],
    ],
    [['A', 'B'], ['A'], []],
  ])('of %j to %j is %j', (present, targets, wanted) => {
    expect(plan(present, targets)).toEqual(wanted);
  });

  it('is one chain for all targets together', () => {
    expect(plan(['A'], ['C', 'B'], true)).toEqual([['A>B B>C', 'B,C']]);
  });

  it('weighs several conditions as a product', () => {
    const [direct] = planImputation(path, ['A', 'D'], ['B'], {
      route: 'direct',
      guidance: 2,
      together: false,
    });
    expect(direct!.steps).toEqual([
      {
        target: 'B',
        from: ['A', 'D'],
        guidance: [
          { given: ['A'], scale: 2 },
          { given: ['D'], scale: 2 },
        ],
      },
    ]);
  });
});
