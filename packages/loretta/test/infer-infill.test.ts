/** Spans filled in: what is outside stays, what is inside is what the model says. */
import { hostRandom, key, tensor, tidy, ValueError, valueAndGrad } from '@loretta-ts/core';
import { AdamW, type Decoder } from '@loretta-ts/nn';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { infill } from '../src/infer/infill';
import { infillByImportance } from '../src/infer/infill-importance';
import { packedLoss } from '../src/loss';
import { causal } from '../src/objectives/causal';
import { masked, type Span } from '../src/objectives/masked';
import type { Block } from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';
import { blocksOf, checkBlock, everyBlock, PAIR, slowLogLikelihood, wide } from './infer-setup';
import { chainContext, smallModel, TRIPLE, useCpu } from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);
beforeAll(useCpu);
const contentOf = ({ ids, modality }: Block, b: number): number[][] => {
  const [from, to] = vocab.content(modality);
  const { length } = vocab.modality(modality);
  return Array.from({ length: b }, (_, row) =>
    [...ids.subarray(row * length, (row + 1) * length)].filter((id) => id >= from && id < to),
  );
};
const given = fc.shuffledSubarray(['A', 'B', 'C']);
const cases = fc.record({ given, target: fc.constantFrom('A', 'B', 'C'), seed: fc.nat(300) });

/** A block and a span that every row has. */
function spanOf(target: string, seed: number): { block: Block; span: Span } {
  const [block] = blocksOf(vocab, [target], 2, seed);
  const n = Math.min(...contentOf(block!, 2).map((x) => x.length));
  const start = seed % n;
  return { block: block!, span: [start, start + 1 + ((seed >> 3) % (n - start))] };
}

describe('infill', () => {
  it('keeps all that is outside the span, and fills in ids of the modality alone', async () => {
    const model = smallModel(vocab, { initStd: 1 });
    await fc.assert(
      fc.asyncProperty(cases, async ({ given, target, seed }) => {
        const { block, span } = spanOf(target, seed);
        const [start, end] = span;
        const condition = blocksOf(vocab, given, 2, seed + 1);
        const importance = seed % 2 === 0;
        const ids = importance
          ? (
              await infillByImportance(model, vocab, condition, block, span, {
                n: 3,
                key: key(seed),
              })
            ).ids
          : await infill(model, vocab, condition, block, span, { key: key(seed) });
        checkBlock(vocab, target, ids, 2);
        const { length } = vocab.modality(target);
        ids.forEach((id, i) => {
          const place = i % length;
          if (place < start || place >= end) expect(id).toBe(block.ids[i]);
        });
      }),
      { seed: 81, numRuns: 40 },
    );
    model.dispose();
  }, 30_000);

  it('of free length ends where the model says, with room for what follows', async () => {
    const model = smallModel(vocab, { initStd: 1.5 });
    const block: Block = {
      modality: 'C',
      ids: vocab.toJoint('C', Int32Array.of(0, 1, 2, 3, 3, 3)),
      generated: false,
    };
    block.ids[2] = vocab.end('C'); // rows [0, 1] and [3, 3, 3]: one token may become as many as there is room for
    const lengths = new Set<number>();
    for (let seed = 0; seed < 12; seed++) {
      const options = { key: key(seed), length: 'free' as const };
      const short = { ...block, ids: block.ids.slice(0, 3) };
      const ids = await infill(model, vocab, [], short, [0, 1], options);
      checkBlock(vocab, 'C', ids, 1);
      const [content] = contentOf({ ...short, ids }, 1);
      expect(content!.at(-1)).toBe(block.ids[1]);
      lengths.add(content!.length);
      const both = await infill(model, vocab, [], block, [1, 2], options);
      checkBlock(vocab, 'C', both, 2);
      expect([both[0], both[3]]).toEqual([block.ids[0], block.ids[3]]);
      expect(both[5]).toBe(block.ids[5]);
    }
    expect([...lengths].sort()).toEqual([2, 3]);
    model.dispose();
  });

  it('is greedy decoding of [conditions, block with mask, mask] by hand', async () => {
    const model = smallModel(vocab);
    const condition = blocksOf(vocab, ['C', 'B'], 3, 5);
    const [block] = blocksOf(vocab, ['A'], 3, 6);
    const ids = await infill(model, vocab, condition, block!, [1, 3], { temperature: 0 });
    for (let row = 0; row < 3; row++) {
      const tokens = condition.flatMap((x) =>
        [vocab.start(x.modality), ...contentAndEnd(x, row)].map(
          (id, i) => [id, vocab.within(x.modality, i)] as [number, number],
        ),
      );
      const a = block!.ids.subarray(row * 4, row * 4 + 4);
      const at = (i: number): number => vocab.within('A', i);
      tokens.push([vocab.start('A'), at(0)], [a[0]!, at(1)]);
      tokens.push([Vocabulary.MASK, at(1)], [a[3]!, at(4)], [Vocabulary.MASK, at(1)]);
      const made = [2, 3].map((place) => {
        const id = greedy(model, tokens, vocab.content('A'));
        tokens.push([id, at(place)]);
        return id;
      });
      expect([...ids.subarray(row * 4, row * 4 + 4)]).toEqual([a[0], ...made, a[3]]);
    }
    model.dispose();
  });

  it('of a model trained with causal masking knows what only the right side tells', async () => {
    const copy = new Vocabulary([{ name: 'X', vocabSize: 4, length: 3, variable: false }]);
    const model = smallModel(copy, { initStd: 0.1, layers: 2 });
    const optimizer = new AdamW(model.namedParameters(), { lr: 1e-2 });
    const random = hostRandom(3);
    const draw = (b: number): Int32Array =>
      copy.toJoint(
        'X',
        Int32Array.from(
          Array.from({ length: b }, () => {
            const [first, middle] = [random.int(4), random.int(4)];
            return [first, middle, first]; // the third token is the first again
          }).flat(),
        ),
      );
    const objective = masked(causal({ order: ['X'] }), { probability: 1 });
    for (let step = 0; step < 150; step++) {
      const context = chainContext(copy, model, step);
      const { packed } = await objective({ b: 32, blocks: { X: draw(32) } }, context);
      tidy(() => {
        const { grads } = valueAndGrad(
          model.parameters(),
          () => packedLoss(model, copy, packed).loss,
        );
        optimizer.step(grads);
      });
    }
    const ids = draw(40);
    const hidden: Block = { modality: 'X', ids: ids.slice(), generated: false };
    const [from] = copy.content('X');
    for (let row = 0; row < 40; row++) hidden.ids[3 * row] = from; // what was there is not looked at
    const found = await infill(model, copy, [], hidden, [0, 1], { temperature: 0 });
    const right = Array.from({ length: 40 }, (_, row) => found[3 * row] === ids[3 * row]);
    expect(right.filter(Boolean).length).toBeGreaterThan(36); // chance is 10
    optimizer.dispose();
    model.dispose();
  }, 30_000);

  const wrong: readonly (readonly [string, string, Span, object, string])[] = [
    ['an empty span', 'A', [1, 1], {}, 'empty or no span'],
    ['one that is reversed', 'A', [2, 1], {}, 'empty or no span'],
    ['one that starts before the block', 'A', [-1, 1], {}, 'empty or no span'],
    ['one that ends behind the block', 'A', [1, 5], {}, 'not inside row 0 of 4'],
    ['fractions', 'A', [0, 1.5], {}, 'empty or no span'],
    ['a free length of a fixed modality', 'A', [0, 1], { length: 'free' }, 'fixed length'],
  ];
  it.each(wrong)('refuses %s', async (_, target, span, options, message) => {
    const model = smallModel(vocab);
    const [block] = blocksOf(vocab, [target], 2, 1);
    const run = (): Promise<unknown> =>
      infill(model, vocab, [], block!, span, { key: key(1), ...options });
    await expect(run()).rejects.toThrow(ValueError);
    await expect(run()).rejects.toThrow(message);
    model.dispose();
  });
});

describe('infillByImportance', () => {
  it.each([
    ['X', [0, 2], ['Z'], 400, 0.12],
    ['V', [0, 1], [], 200, 0.04],
  ] as const)(
    'of %s, span %j, given %j samples from the posterior of the span',
    async (name, span, names, b, apart) => {
      const model = smallModel(PAIR, { initStd: 0.3 }); // every span has its chance among few candidates
      const { length } = PAIR.modality(name);
      const condition = blocksOf(PAIR, names, 1, 3);
      const all = everyBlock(PAIR, name);
      const start = all.length - length; // the last block: full length
      const block: Block = { modality: name, ids: all.slice(start), generated: false };
      const rest = String(block.ids.slice(span[1]));
      const fits = Array.from({ length: all.length / length }, (_, i) =>
        all.slice(i * length, (i + 1) * length),
      ).filter((ids) => String(ids.slice(span[1])) === rest);
      const p = fits.map((ids) =>
        Math.exp(slowLogLikelihood(model, PAIR, condition, { ...block, ids })),
      );
      const total = p.reduce((a, b) => a + b, 0);
      const { ids, effective } = await infillByImportance(
        model,
        PAIR,
        condition.map((x) => wide(x, b)),
        wide(block, b),
        span,
        { n: 32, key: key(12) },
      );
      fits.forEach((wanted, k) => {
        const hits = Array.from({ length: b }, (_, i) =>
          String(ids.slice(i * length, (i + 1) * length)),
        ).filter((x) => x === String(wanted)).length;
        const share = p[k]! / total;

        const sigma = Math.sqrt((share * (1 - share)) / b);
        expect(Math.abs(hits / b - share)).toBeLessThan(3.5 * sigma + 0.01);
      });
      effective.forEach((x) => {
        expect(x >= 1 - 1e-9 && x <= 32 + 1e-9).toBe(true);
      });
      // what is on the right matters: from the left alone the span is another one
      const left = (ids: Int32Array): string => String(ids.slice(0, span[1]));
      const proposal = fits.map((wanted) =>
        Array.from({ length: all.length / length }, (_, i) =>
          all.slice(i * length, (i + 1) * length),
        )
          .filter((ids) => left(ids) === left(wanted))
          .reduce(
            (sum, ids) =>
              sum + Math.exp(slowLogLikelihood(model, PAIR, condition, { ...block, ids })),
            0,
          ),
      );
      expect(
        Math.max(...fits.map((_, k) => Math.abs(p[k]! / total - proposal[k]!))),
      ).toBeGreaterThan(apart);
      const best = await infillByImportance(
        model,
        PAIR,
        condition.map((x) => wide(x, 4)),
        wide(block, 4),
        span,
        { n: 64, key: key(12), choose: 'best' },
      );
      const top = fits[p.indexOf(Math.max(...p))]!;
      expect([...best.ids]).toEqual([...wide({ ...block, ids: top }, 4).ids]);
      model.dispose();
    },
  );
});

function contentAndEnd({ ids, modality }: Block, row: number): number[] {
  const { length } = vocab.modality(modality);
  return [...ids.subarray(row * length, (row + 1) * length)].filter((id) => id !== Vocabulary.PAD);
}

function greedy(
  model: Decoder,
  tokens: readonly (readonly [number, number])[],
  [from, to]: readonly [number, number],
): number {
  return tidy(() => {
    const [ids, within] = [0, 1].map((k) =>
      tensor(Int32Array.from(tokens, (x) => x[k]!)).reshape(1, -1),
    );
    const hidden = model.forward(ids!, { within: within! });
    const logits = [
      ...model
        .logits(hidden.narrow(1, tokens.length - 1, 1))
        .flatten()
        .dataSync(),
    ].map(Number);
    const own = logits.slice(from, to);
    return from + own.indexOf(Math.max(...own));
  });
}
