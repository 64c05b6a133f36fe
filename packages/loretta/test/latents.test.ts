/** Modalities of vectors: packing, loss, likelihood, generation and objectives beside modalities of ids, and wrong use. */
import { hostRandom, key, type Tensor, tensor, tidy, valueAndGrad } from '@loretta-ts/core';
import { type Decoder, mixtureNll } from '@loretta-ts/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateChain } from '../src/infer/chain';
import { generateBlock } from '../src/infer/generate-block';
import { generateLatentBlock } from '../src/infer/generate-latents';
import { logLikelihood } from '../src/infer/score';
import { packedLoss } from '../src/loss';
import { bidirectional } from '../src/objectives/bidirectional';
import { causal } from '../src/objectives/causal';
import { commutative } from '../src/objectives/commutative';
import { masked } from '../src/objectives/masked';
import type { Batch } from '../src/objectives/objective';
import { transitive } from '../src/objectives/transitive';
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
import { chainContext, randomBlock, smallModel, useCpu } from './objectives-setup';

beforeAll(useCpu);

const dim = 2;
/** Vectors at both ends of the chain, ids of variable length between them. */
const vocab = new Vocabulary([
  { name: 'A', vocabSize: 1, length: 3, variable: false, latent: { dim } },
  { name: 'B', vocabSize: 4, length: 3, variable: true },
  { name: 'C', vocabSize: 5, length: 2, variable: false },
]);
const latentModel = (seedless: object = {}): Decoder =>
  smallModel(vocab, { latent: { dim, components: 3 }, ...seedless });

function block(name: string, b: number, seed: number): Block {
  const random = hostRandom(seed);
  const ids = randomBlock(vocab, name, b, random);
  if (!vocab.isLatent(name)) return { modality: name, ids, generated: false };
  const latents = Float32Array.from({ length: ids.length * dim }, () => 2 * random.uniform() - 1);
  return { modality: name, ids, latents, generated: false };
}
function batch(names: readonly string[], b: number, seed = 1): Batch {
  const blocks = names.map((name, i) => block(name, b, seed + i));
  return {
    b,
    blocks: Object.fromEntries(blocks.map((x) => [x.modality, x.ids])),
    latents: Object.fromEntries(
      blocks.flatMap((x) => (x.latents ? [[x.modality, x.latents]] : [])),
    ),
  };
}
const packAll = (blocks: readonly Block[], b: number): ReturnType<typeof pack> =>
  pack(vocab, blocks, sameOrder(b, [...blocks.keys()]), { lossOn: 'real' });
const lossOf = (model: Decoder, packed: ReturnType<typeof pack>): number[] => {
  const found = tidy(() => {
    const { loss, sums, counts } = packedLoss(model, vocab, packed);
    return { loss: loss.dataSync()[0]!, sums: Array.from(sums.dataSync()), counts };
  });
  return [found.loss, ...found.sums, ...found.counts];
};
/** Sum of absolute values. */
const sizeOf = (t: Tensor): number =>
  Array.from(t.dataSync(), Number).reduce((sum, x) => sum + Math.abs(x), 0);
const expectNear = (got: readonly number[], want: readonly number[], tolerance = 1e-4): void => {
  expect(got).toHaveLength(want.length);
  got.forEach((x, i) => {
    expect(Math.abs(x - want[i]!)).toBeLessThan(tolerance * (1 + Math.abs(want[i]!)));
  });
};

describe('packing', () => {
  it('puts each vector where its placeholder is, and where it is the target', () => {
    const [a, b] = [block('A', 2, 1), block('B', 2, 2)];
    const { ids, t, latents, latentTargets } = packAll([a, b], 2);
    const [placeholder] = vocab.content('A');
    for (let row = 0; row < 2; row++) {
      for (let j = 0; j < t; j++) {
        const of = (values: Float32Array): number[] => [
          ...values.subarray((row * t + j) * dim, (row * t + j + 1) * dim),
        ];
        const vector = (i: number): number[] =>
          i < 0 || i > 2
            ? [0, 0]
            : [...a.latents!.subarray((row * 3 + i) * dim, (row * 3 + i + 1) * dim)];
        expect(of(latents!)).toEqual(vector(j - 1));
        expect(of(latentTargets!)).toEqual(vector(j));
        expect(ids[row * t + j] === placeholder).toBe(j >= 1 && j <= 3);
      }
    }
  });

  it('is undone by unpackRows, also where a row ends in a vector', () => {
    for (const names of [['A', 'B'], ['B', 'A'], ['C', 'A', 'B'], ['A']]) {
      const packed = packAll(
        names.map((name, i) => block(name, 3, 5 + i)),
        3,
      );
      expect(packRows(unpackRows(vocab, packed))).toEqual(packed);
    }
  });

  it('has the loss of the separate rows when rows are put together, or behind each other', () => {
    const model = latentModel();
    const one = packAll([block('B', 3, 1), block('A', 3, 2)], 3);
    const two = packAll([block('C', 3, 3), block('B', 3, 4)], 3);
    const both = concatPacked([one, two]);
    const [first, second] = [lossOf(model, one), lossOf(model, two)];
    // sums and counts add up; the mean over modalities does not
    const sum = first.map((x, i) => x + second[i]!).slice(1);
    expectNear(lossOf(model, both).slice(1), sum);
    expectNear(lossOf(model, packSegments(both, 20)).slice(1), sum);
    expectNear(lossOf(model, concatPacked([packSegments(one, 16), two])).slice(1), sum);
    model.dispose();
  });
});

describe('loss and likelihood', () => {
  it('is the mixture’s, in nats per dimension, the mean over modalities', () => {
    const model = latentModel();
    const [a, b] = [block('A', 2, 1), block('C', 2, 2)];
    const packed = packAll([b, a], 2);
    const [loss, sumA, , sumC, countA, countB, countC] = lossOf(model, packed);
    expect([countA, countB, countC]).toEqual([6, 0, 4]);
    const nats = tidy(() => {
      const { ids, within, t, latents } = packed;
      const hidden = model.forward(tensor(ids, { shape: [2, t] }), {
        within: tensor(within, { shape: [2, t] }),
        latents: tensor(latents!, { shape: [2, t, dim] }),
      });
      const params = model.latentParams(hidden.narrow(1, 3, 3)); // [C, c, c, A, a, a]
      return mixtureNll(params, tensor(a.latents!, { shape: [2, 3, dim] }))
        .sum()
        .dataSync()[0]!;
    });
    expectNear([sumA!], [nats / dim]);
    expectNear([loss!], [(nats / dim / 6 + sumC! / 4) / 2]);
    model.dispose();
  });

  it('has gradients in the projection and the head, and none in the head without vectors', () => {
    const model = latentModel();
    const size = (packed: ReturnType<typeof pack>, name: 'latent_in' | 'latent_head'): number => {
      const { grads, value } = valueAndGrad(
        model.parameters(),
        () => packedLoss(model, vocab, packed).loss,
      );
      const slope = grads.get(model[name]!.weight);
      const total = sizeOf(slope);
      grads.dispose();
      value.dispose();
      return total;
    };
    const mixed = packAll([block('A', 2, 1), block('C', 2, 2)], 2);
    const ids = packAll([block('C', 2, 1), block('B', 2, 2)], 2);
    expect(size(mixed, 'latent_in')).toBeGreaterThan(0);
    expect(size(mixed, 'latent_head')).toBeGreaterThan(0);
    expect(size(ids, 'latent_head')).toBe(0);
    model.dispose();
  });

  it('agrees with the loss, for vectors as targets and as conditions', async () => {
    const model = latentModel();
    const [a, c] = [block('A', 130, 1), block('C', 130, 2)]; // more rows than go through at once
    for (const [given, target, at] of [
      [c, a, 1],
      [a, c, 3],
    ] as const) {
      const packed = packAll([{ ...given, generated: true }, target], 130);
      const nats = await logLikelihood(model, vocab, [given], target, 130, { over: 'vocabulary' });
      const total = nats.reduce((sum, x) => sum - x, 0);
      const per = target === a ? dim : 1;
      expectNear([total / per], [lossOf(model, packed)[at]!], 1e-3);
    }
    model.dispose();
  });
});

describe('generation', () => {
  it('gives vectors for every row, a function of the key, and what a padded row gives alone', async () => {
    const model = latentModel();
    const b = block('B', 4, 3); // of different lengths
    const make = (condition: Block, seed: number, temperature = 1): Promise<Float32Array> =>
      generateLatentBlock(model, vocab, [condition], 'A', { key: key(seed), temperature });
    const made = await make(b, 1);
    expect(made).toHaveLength(4 * 3 * dim);
    expect(await make(b, 1)).toEqual(made);
    expect(await make(b, 2)).not.toEqual(made);
    const greedy = await make(b, 1, 0);
    for (let row = 0; row < 4; row++) {
      const alone = { ...b, ids: b.ids.slice(row * 3, (row + 1) * 3) };
      expectNear([...(await make(alone, 9, 0))], [...greedy.subarray(row * 6, (row + 1) * 6)]);
    }
    model.dispose();
  });

  it('runs chains of both kinds, and ids follow the vectors they are given', async () => {
    const model = latentModel();
    const chain = await generateChain(
      model,
      vocab,
      [block('C', 3, 1)],
      [
        { target: 'A', from: ['C'] },
        { target: 'B', from: ['A'], temperature: 0, guidance: 2 },
      ],
      { key: key(4) },
    );
    expect(chain.map((x) => x.modality)).toEqual(['A', 'B']);
    expect(chain[0]!.latents).toHaveLength(3 * 3 * dim);
    const far = { ...chain[0]!, latents: chain[0]!.latents!.map((x) => 5 - 9 * x) };
    const [near, other] = await Promise.all(
      [chain[0]!, far].map((x) => generateBlock(model, vocab, [x], 'B', { temperature: 0 })),
    );
    expect(other).not.toEqual(near);
    model.dispose();
  });
});

describe('objectives', () => {
  it.each([
    ['causal', causal({ order: ['A', 'B', 'C'] })],
    ['commutative', commutative()],
  ] as const)('%s takes vectors and ids together', async (_, objective) => {
    const model = latentModel();
    const { packed } = await objective(batch(['A', 'B'], 6), chainContext(vocab, model));
    const [loss, ...parts] = lossOf(model, packed);
    expect(Number.isFinite(loss)).toBe(true);
    expect(parts[3]).toBe(18); // targets of A
    model.dispose();
  });

  it.each([
    { present: ['B', 'C'], made: 'A', target: 'C' },
    { present: ['A', 'B'], made: 'C', target: 'A' },
  ])('transitive makes $made and predicts $target', async ({ present, made, target }) => {
    const [model, teacher] = [latentModel(), latentModel()];
    const given = batch(present, 4);
    const { packed, generated } = await transitive({ teacher })(given, chainContext(vocab, model));
    expect(generated.map((g) => g.modality)).toEqual([made]);
    expect(generated[0]!.latents === undefined).toBe(!vocab.isLatent(made));
    const rows = unpackRows(vocab, packed);
    const targets = rows.flatMap(({ counts }) => counts.filter((m) => m >= 0));
    expect([...new Set(targets)]).toEqual([vocab.index(target)]);
    if (made === 'A') {
      const seen = rows.flatMap(({ latents }) =>
        latents!.flatMap((x) => (x === null ? [] : [...x])),
      );
      expect(seen).toEqual([...generated[0]!.latents!]);
    }
    // what is generated is plain numbers: the loss does not depend on the weights it came from
    const { grads, value } = valueAndGrad(
      [...model.parameters(), ...teacher.parameters()],
      () => packedLoss(model, vocab, packed).loss,
    );
    const sizes = (of: Decoder): number =>
      of.parameters().reduce((sum, p) => sum + sizeOf(grads.get(p)), 0);
    expect(sizes(model)).toBeGreaterThan(0);
    expect(sizes(teacher)).toBe(0);
    grads.dispose();
    for (const x of [value, model, teacher]) x.dispose();
  });

  it('the shuffled control moves vectors with their rows', async () => {
    const model = latentModel();
    const context = (): ReturnType<typeof chainContext> => chainContext(vocab, model);
    const given = batch(['B', 'C'], 4);
    const plain = await transitive()(given, context());
    const mixed = await transitive({ shuffled: true })(given, context());
    const rowsOf = (of: Float32Array): string[] =>
      [0, 1, 2, 3].map((i) => of.subarray(i * 6, (i + 1) * 6).join());
    const [was, is] = [plain, mixed].map((x) => rowsOf(x.generated[0]!.latents!));
    expect(is).not.toEqual(was);
    expect([...is!].sort()).toEqual([...was!].sort());
    model.dispose();
  });
});

describe('refused', () => {
  const model = (): Decoder => latentModel();
  it.each([
    [{ vocabSize: 2, variable: false }, /its vocabSize is 1, the placeholder/],
    [{ vocabSize: 1, variable: true }, /its length is fixed/],
    [{ vocabSize: 1, variable: false, latent: { dim: 0.5 } }, /latent\.dim of X is 0\.5/],
    [{ vocabSize: 1, variable: false, latent: { dim: 3 } }, /one size for all modalities/],
  ])('a modality %j', (changes, message) => {
    const x = { name: 'X', length: 2, latent: { dim }, ...changes };
    expect(() => new Vocabulary([vocab.modality('A'), x])).toThrow(message);
  });

  it('blocks with too few vectors, or numbers that are not finite, or vectors of ids', () => {
    const [a, b] = [block('A', 2, 1), block('B', 2, 1)];
    const { latents, ...ids } = a;
    expect(() => packAll([ids], 2)).toThrow(/give latents beside ids/);
    expect(() => packAll([{ ...a, latents: latents!.slice(1) }], 2)).toThrow(/11 numbers of A/);
    expect(() => packAll([{ ...a, latents: latents!.map(() => Number.NaN) }], 2)).toThrow(/finite/);
    expect(() => packAll([{ ...b, latents: latents! }], 2)).toThrow(/B has ids alone/);
  });

  it('objectives that mask, guidance and filters of vectors, the wrong way to generate', async () => {
    const m = model();
    const context = chainContext(vocab, m);
    const c = block('C', 2, 1);
    await expect(masked(commutative())(batch(['A', 'B'], 2), context)).rejects.toThrow(/masked: /);
    const encoder = latentModel({ causal: false });
    await expect(
      bidirectional()(batch(['A', 'B'], 2), { ...context, model: encoder }),
    ).rejects.toThrow(/^bidirectional: masks ids/);
    await expect(transitive({ guidance: 2 })(batch(['B', 'C'], 2), context)).rejects.toThrow(
      /guidance is of logits, and A has vectors/,
    );
    const steps = [{ target: 'A', from: ['C'], topK: 3 }];
    await expect(generateChain(m, vocab, [c], steps, { key: key(1) })).rejects.toThrow(
      /topK is of/,
    );
    await expect(generateBlock(m, vocab, [c], 'A', { temperature: 0 })).rejects.toThrow(
      /A has vectors: use generateLatentBlock/,
    );
    await expect(generateLatentBlock(m, vocab, [], 'C', { rows: 1 })).rejects.toThrow(
      /C has no vectors/,
    );
    const plain = smallModel(vocab);
    await expect(generateLatentBlock(plain, vocab, [c], 'A', { temperature: 0 })).rejects.toThrow(
      /the model of none/,
    );
    expect(() => lossOf(plain, packAll([block('A', 2, 1), c], 2))).toThrow(/field latent/);
    for (const x of [m, encoder, plain]) x.dispose();
  });
});
