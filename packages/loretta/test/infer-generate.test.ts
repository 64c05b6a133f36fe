/** Any modality from any subset of the others in any order; guidance; chains. */
import { key, ValueError } from '@loretta-ts/core';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ChainStep, generateChain } from '../src/infer/chain';
import { type GenerateBlockOptions, generateBlock } from '../src/infer/generate-block';
import type { GuidanceSetting } from '../src/infer/guidance';
import { Vocabulary } from '../src/vocabulary';
import { blocksOf, checkBlock } from './infer-setup';
import { smallModel, TRIPLE, useCpu } from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);
beforeAll(useCpu);

describe('any modality from any others', () => {
  it('is made of its own ids, for every subset, order, branch and filter', async () => {
    const model = smallModel(vocab, { initStd: 1 });
    const scale = fc.constantFrom(-2, 0, 1, 3);
    const spec = fc.record({
      given: fc.shuffledSubarray(['A', 'B', 'C']),
      target: fc.constantFrom('A', 'B', 'C'),
      branched: fc.boolean(),
      scales: fc.tuple(scale, scale, scale),
      options: fc.constantFrom<GenerateBlockOptions>(
        {},
        { temperature: 0 },
        { topP: 0.5 },
        { temperature: 3 },
      ),
      seed: fc.nat(500),
    });
    await fc.assert(
      fc.asyncProperty(spec, async ({ given, target, branched, scales, options, seed }) => {
        const guidance: GuidanceSetting =
          branched && given.length > 0
            ? given.map((name, i) => ({ given: [name], scale: scales[i]! }))
            : scales[0]!;
        const ids = await generateBlock(model, vocab, blocksOf(vocab, given, 2, seed), target, {
          ...options,
          guidance,
          key: key(seed),
          rows: 2,
        });
        checkBlock(vocab, target, ids, 2);
      }),
      { seed: 71, numRuns: 60 },
    );
    model.dispose();
  }, 30_000);

  it('depends on which conditions there are, and on their order', async () => {
    const model = smallModel(vocab);
    const make = (names: readonly string[]): Promise<Int32Array> => {
      const all = blocksOf(vocab, ['B', 'C'], 6, 4);
      const condition = names.map((name) => all.find((x) => x.modality === name)!);
      return generateBlock(model, vocab, condition, 'A', { key: key(1), rows: 6 });
    };
    const made = await Promise.all([[], ['B'], ['C'], ['B', 'C'], ['C', 'B']].map(make));
    expect(new Set(made.map(String)).size).toBe(5);
    model.dispose();
  });
});

describe('guidance', () => {
  const draw = async (guidance: GuidanceSetting, given = ['C', 'B']): Promise<string> => {
    const model = smallModel(vocab);
    const condition = blocksOf(vocab, given, 6, 9);
    const ids = await generateBlock(model, vocab, condition, 'A', { key: key(2), guidance });
    model.dispose();
    return String(ids);
  };

  it('of scale 1 is none', async () => {
    const plain = await draw(null);
    expect(await draw(1)).toBe(plain);
    expect(await draw([{ given: ['B', 'C'], scale: 1 }])).toBe(plain);
    expect(await draw(2)).not.toBe(plain);
  });

  it('by one branch that sees everything is that of the whole condition', async () => {
    expect(await draw([{ given: ['C', 'B'], scale: 2.5 }])).toBe(await draw(2.5));
  });

  it('by a branch that sees one block is that of this block alone, and of scale 0 nothing', async () => {
    // the row draws of one key are the same
    const alone = await draw(2, ['B']);
    const model = smallModel(vocab);
    const condition = blocksOf(vocab, ['B'], 6, 9);
    const both = [...blocksOf(vocab, ['C'], 6, 3), ...condition];
    const branches = (c: number): GuidanceSetting => [
      { given: ['C'], scale: c },
      { given: ['B'], scale: 2 },
    ];
    const make = async (guidance: GuidanceSetting): Promise<string> =>
      String(await generateBlock(model, vocab, both, 'A', { key: key(2), guidance }));
    expect(await make([{ given: ['B'], scale: 2 }])).toBe(alone);
    expect(await make(branches(0))).toBe(alone);
    expect(await make(branches(1))).not.toBe(alone);
    model.dispose();
  });

  it.each<[string, GuidanceSetting, string]>([
    ['no branch', [], 'no branch'],
    ['a branch that sees nothing', [{ given: [], scale: 2 }], 'sees nothing'],
    ['a branch that sees what is not given', [{ given: ['A'], scale: 2 }], 'sees A'],
    ['a scale that is no number', Number.NaN, 'not a number'],
    ['such a scale of a branch', [{ given: ['B'], scale: Number.NaN }], 'not a number'],
  ])('refuses %s', async (_, guidance, message) => {
    await expect(draw(guidance)).rejects.toThrow(ValueError);
    await expect(draw(guidance)).rejects.toThrow(message);
  });
});

describe('generateChain', () => {
  const steps: readonly ChainStep[] = [
    { target: 'B', from: ['A'], guidance: 2 },
    { target: 'C', from: ['B', 'A'], temperature: 0.5 },
  ];

  it('is its steps done by hand with the same keys', async () => {
    const model = smallModel(vocab);
    const given = blocksOf(vocab, ['A'], 5, 1);
    const made = await generateChain(model, vocab, given, steps, { key: key(7) });
    const ids = await generateBlock(model, vocab, given, 'B', {
      guidance: 2,
      key: key(7).fold(0),
    });
    const b = { modality: 'B', ids, generated: true };
    const c = await generateBlock(model, vocab, [b, given[0]!], 'C', {
      temperature: 0.5,
      key: key(7).fold(1),
    });
    expect(made).toEqual([b, { modality: 'C', ids: c, generated: true }]);
    model.dispose();
  });

  it('starts from nothing', async () => {
    const model = smallModel(vocab);
    const free: ChainStep[] = [{ target: 'C', from: [] }, ...steps.slice(1, 1)];
    const [c] = await generateChain(model, vocab, [], free, { key: key(7), rows: 4 });
    checkBlock(vocab, 'C', c!.ids, 4);
    model.dispose();
  });

  it.each<[string, readonly string[], readonly ChainStep[], string]>([
    ['no step', ['A'], [], 'no step'],
    ['a condition that comes later', ['A'], [{ target: 'B', from: ['C'] }], 'step 0 wants C'],
    ['a target that is given', ['A'], [{ target: 'A', from: [] }], 'is there already'],
    ['a target twice', ['A'], [...steps, { target: 'B', from: ['A'] }], 'step 2 generates B'],
    ['a condition twice', ['A'], [{ target: 'B', from: ['A', 'A'] }], 'twice'],
    ['an unknown target', ['A'], [{ target: 'X', from: ['A'] }], 'no modality X'],
    [
      'a branch of a later step that sees nothing',
      ['A'],
      [
        { target: 'B', from: ['A'] },
        { target: 'C', from: ['B'], guidance: [] },
      ],
      'no branch',
    ],
  ])('refuses %s', async (_, given, wrong, message) => {
    const model = smallModel(vocab);
    const run = (): Promise<unknown> =>
      generateChain(model, vocab, blocksOf(vocab, given, 2, 1), wrong, { key: key(1) });
    await expect(run()).rejects.toThrow(ValueError);
    await expect(run()).rejects.toThrow(message);
    model.dispose();
  });
});
