/** Commutative and transitive modelling train with every mixer, generation included. */
import { key, tidy, valueAndGrad, ValueError } from '@loretta-ts/core';
import { AdamW, type DecoderConfig } from '@loretta-ts/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateBlock } from '../src/infer/generate-block';
import { packedLoss } from '../src/loss';
import { commutative } from '../src/objectives/commutative';
import { transitive } from '../src/objectives/transitive';
import { type Block, pack, packSegments, sameOrder } from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';
import { chainContext, randomBatch, smallModel, TRIPLE, useCpu } from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);

beforeAll(useCpu);

const mixers: readonly (readonly [string, Partial<DecoderConfig>])[] = [
  ['attention', {}],
  ['attention in a window', { window: 6 }],
  ['mamba', { mixer: 'mamba', stateDim: 4, positions: ['within-block'] }],
  ['hyena', { mixer: 'hyena', filterDim: 8, positions: ['within-block'] }],
];

describe.each(mixers)('with %s', (_, options) => {
  it('steps of both objectives lower the loss, and what is generated is of its modality', async () => {
    const model = smallModel(vocab, { initStd: 0.1, ...options });
    const live = (): number => model.parameters()[0]!.value.backend.memory().buffers;
    const optimizer = new AdamW(model.namedParameters(), { lr: 1e-2 });
    const context = chainContext(vocab, model);
    const losses: Record<string, number[]> = { commutative: [], transitive: [] };
    let generated = 0;
    let before = 0;
    for (let step = 0; step < 6; step++) {
      for (const [name, objective] of [
        ['commutative', commutative()],
        ['transitive', transitive({ guidance: 2 })],
      ] as const) {
        const result = await objective(randomBatch(vocab, ['A', 'B'], 8), {
          ...context,
          key: key(step),
        });
        for (const { modality, ids } of result.generated) {
          generated += ids.length;
          const { length } = vocab.modality(modality);
          const made: Block = { modality, ids, generated: true };
          expect(
            pack(vocab, [made], sameOrder(ids.length / length, [0]), { lossOn: 'all' }).b,
          ).toBe(8);
        }
        const { value, grads } = valueAndGrad(
          model.parameters(),
          () => packedLoss(model, vocab, result.packed).loss,
        );
        losses[name]!.push(value.itemSync());
        optimizer.step(grads);
        value.dispose();
        grads.dispose();
      }
      if (step === 2) before = live();
    }
    expect(generated).toBeGreaterThan(0);
    for (const list of Object.values(losses)) expect(list.at(-1)!).toBeLessThan(list[0]! - 0.1);
    expect(live()).toBe(before);
    optimizer.dispose();
    model.dispose();
  });

  it('a block for rows of other lengths is that of each row alone', async () => {
    const model = smallModel(vocab, options);
    const { blocks } = randomBatch(vocab, ['C'], 6, 3);
    const { length } = vocab.modality('C');
    const block = (from: number, to: number): Block => ({
      modality: 'C',
      ids: blocks['C']!.slice(from * length, to * length),
      generated: false,
    });
    const settings = { temperature: 0, guidance: 1.5 };
    const together = await generateBlock(model, vocab, [block(0, 6)], 'A', settings);
    const alone: number[] = [];
    for (let row = 0; row < 6; row++) {
      alone.push(...(await generateBlock(model, vocab, [block(row, row + 1)], 'A', settings)));
    }
    expect([...together]).toEqual(alone);
    model.dispose();
  });
});

it('rows of several segments have the loss of rows of one, but with Hyena, which refuses them', () => {
  const { blocks } = randomBatch(vocab, ['A', 'B'], 4, 2);
  const real = ['A', 'B'].map((m): Block => ({ modality: m, ids: blocks[m]!, generated: false }));
  const plain = pack(vocab, real, sameOrder(4, [0, 1]), { lossOn: 'real' });
  const joined = packSegments(plain, 2 * plain.t);
  for (const [name, options] of mixers) {
    const model = smallModel(vocab, options);
    const loss = (packed: typeof plain): number =>
      tidy(() => packedLoss(model, vocab, packed).loss.itemSync());
    if (name === 'hyena') {
      expect(() => loss(joined)).toThrow(ValueError);
      expect(() => loss(joined)).toThrow('give each sequence a row');
    } else expect(loss(joined)).toBeCloseTo(loss(plain), 4);
    model.dispose();
  }
});
