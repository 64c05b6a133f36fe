import { hostRandom, key, tensor, tidy, valueAndGrad, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateBlock } from '../src/infer/generate-block';
import { packedLoss } from '../src/loss';
import { type Block, pack, sameOrder } from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';
import { chiSquare, randomBlock, smallModel, TRIPLE, useCpu } from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);

beforeAll(useCpu);

const condition = (names: readonly string[], b: number, seed: number): Block[] => {
  const random = hostRandom(seed);
  return names.map((modality) => ({
    modality,
    ids: randomBlock(vocab, modality, b, random),
    generated: false,
  }));
};

/** Greedy decoding of one row without a cache, padding or batch. */
function slowGreedy(
  model: Decoder,
  blocks: readonly Block[],
  row: number,
  target: string,
  guidance: number,
): number[] {
  const given = blocks.flatMap(({ modality, ids }) => {
    const { length } = vocab.modality(modality);
    const content = [...ids.subarray(row * length, (row + 1) * length)].filter((id) => id > 0);
    return [vocab.start(modality), ...content].map(
      (id, i) => [id, vocab.within(modality, i)] as const,
    );
  });
  const logits = (tokens: readonly (readonly [number, number])[]): number[] =>
    tidy(() => {
      const [ids, within] = [0, 1].map((i) =>
        tensor(Int32Array.from(tokens, (x) => x[i]!)).reshape(1, -1),
      );
      const hidden = model.forward(ids!, { within: within! });
      return [
        ...model
          .logits(hidden.narrow(1, tokens.length - 1, 1))
          .flatten()
          .dataSync(),
      ].map(Number);
    });
  const made: (readonly [number, number])[] = [[vocab.start(target), vocab.within(target, 0)]];
  for (let i = 1; i <= vocab.modality(target).length; i++) {
    const c = logits([...given, ...made]);
    const u = logits(made);
    const [from, to] = i === 1 ? vocab.content(target) : vocab.allowed(target)[0]!;
    let best = from;
    const score = (id: number): number => u[id]! + guidance * (c[id]! - u[id]!);
    for (let id = from; id < to; id++) if (score(id) > score(best)) best = id;
    made.push([best, vocab.within(target, i)]);
    if (best === vocab.end(target)) break;
  }
  const ids = made.slice(1).map(([id]) => id);
  return [
    ...ids,
    ...new Array<number>(vocab.modality(target).length - ids.length).fill(Vocabulary.PAD),
  ];
}

describe('generateBlock', () => {
  it('never gives an id of another modality, whatever the model, condition and sampling', async () => {
    const models = [0.02, 0.5, 3].map((initStd) => smallModel(vocab, { initStd }));
    const spec = fc.record({
      model: fc.nat(2),
      given: fc.constantFrom([], ['A'], ['C'], ['B', 'C'], ['C', 'A', 'B']),
      target: fc.constantFrom('A', 'B', 'C'),
      temperature: fc.constantFrom(0, 0.5, 1, 5),
      guidance: fc.constantFrom(null, 0, 1, 2.5, -3),
      filter: fc.constantFrom({}, { topK: 1 }, { topK: 50 }, { topP: 0.2 }, { minP: 0.5 }),
      seed: fc.nat(1000),
    });
    await fc.assert(
      fc.asyncProperty(
        spec,
        async ({ model, given, target, temperature, guidance, filter, seed }) => {
          const ids = await generateBlock(
            models[model]!,
            vocab,
            condition(given, 3, seed),
            target,
            {
              key: key(seed),
              temperature,
              guidance,
              ...filter,
              ...(given.length === 0 ? { rows: 3 } : {}),
            },
          );
          expect(ids.length).toBe(3 * vocab.modality(target).length);
          // pack accepts a block only if its ids are content, then one end token and PAD where that is allowed
          const packed = pack(
            vocab,
            [{ modality: target, ids, generated: true }],
            sameOrder(3, [0]),
            { lossOn: 'all' },
          );
          expect(packed.b).toBe(3);
          const [from, to] = vocab.content(target);
          for (let row = 0; row < 3; row++) {
            const first = ids[row * vocab.modality(target).length]!;
            expect(first >= from && first < to).toBe(true);
          }
        },
      ),
      { seed: 61, numRuns: 60 },
    );
    for (const model of models) model.dispose();
  });

  it.each([
    [['A'], 'B', 1],
    [['C'], 'A', 1],
    [['C', 'B'], 'A', 1],
    [['A'], 'C', 1],
    [['C'], 'A', 2.5],
    [['B'], 'C', 3],
  ])(
    'of %s to %s with guidance %d is what decoding row by row without a cache gives',
    async (given, target, guidance) => {
      const model = smallModel(vocab);
      const blocks = condition(given, 5, 7);
      const ids = await generateBlock(model, vocab, blocks, target, { temperature: 0, guidance });
      const { length } = vocab.modality(target);
      for (let row = 0; row < 5; row++) {
        expect([...ids.subarray(row * length, (row + 1) * length)]).toEqual(
          slowGreedy(model, blocks, row, target, guidance),
        );
      }
      model.dispose();
    },
  );

  it('samples from the constrained likelihood', async () => {
    const tiny = new Vocabulary([
      { name: 'X', vocabSize: 2, length: 2, variable: false },
      { name: 'Z', vocabSize: 3, length: 1, variable: false },
    ]);
    const model = smallModel(tiny);
    const rows = 4000;
    const given = Int32Array.of(tiny.start('Z') + 2);
    const wide: Block = {
      modality: 'Z',
      ids: new Int32Array(rows).fill(given[0]!),
      generated: false,
    };
    const ids = await generateBlock(model, tiny, [wide], 'X', { key: key(3) });
    const x = tiny.start('X') + 1;
    const expected = [0, 1, 2, 3].map((code) => {
      const block: Block = {
        modality: 'X',
        ids: Int32Array.of(x + (code >> 1), x + (code & 1)),
        generated: false,
      };
      const packed = pack(tiny, [{ ...wide, ids: given, generated: true }, block], [[0, 1]], {
        lossOn: 'real',
      });
      return tidy(
        () =>
          rows *
          Math.exp(-2 * packedLoss(model, tiny, packed, { constrained: true }).loss.itemSync()),
      );
    });
    const observed = [0, 0, 0, 0];
    for (let i = 0; i < rows; i++) observed[2 * (ids[2 * i]! - x) + ids[2 * i + 1]! - x]!++;
    expect(chiSquare(observed, expected)).toBeLessThan(21.1); // χ²(3), p = 1e-4
    expect(chiSquare(observed, [1000, 1000, 1000, 1000])).toBeGreaterThan(100); // far from uniform
    model.dispose();
  });

  it('repeats itself for the same key and differs for another', async () => {
    const model = smallModel(vocab, { initStd: 0.02 });
    const blocks = condition(['B'], 8, 2);
    const draw = (seed: number): Promise<Int32Array> =>
      generateBlock(model, vocab, blocks, 'A', { key: key(seed) });
    expect(await draw(1)).toEqual(await draw(1));
    expect(await draw(1)).not.toEqual(await draw(2));
    model.dispose();
  });

  it('generates without dropout', async () => {
    const [plain, dropping] = [smallModel(vocab), smallModel(vocab, { dropout: 0.9 })];
    const blocks = condition(['B'], 8, 2);
    const draw = (model: Decoder): Promise<Int32Array> =>
      generateBlock(model, vocab, blocks, 'A', { key: key(1) });
    expect(await draw(dropping)).toEqual(await draw(plain));
    plain.dispose();
    dropping.dispose();
  });

  it('gives no gradient to the weights that generate, even where one is being recorded', async () => {
    const model = smallModel(vocab);
    const blocks = condition(['B'], 4, 2);
    const target: Block = condition(['A'], 4, 3)[0]!;
    const constants = await generateBlock(model, vocab, blocks, 'C', { key: key(1) });
    const gradients = (inside: () => void): number[] => {
      const { value, grads } = valueAndGrad(model.parameters(), () => {
        inside();
        const made: Block = { modality: 'C', ids: constants, generated: true };
        return packedLoss(
          model,
          vocab,
          pack(vocab, [made, target], sameOrder(4, [0, 1]), { lossOn: 'real' }),
        ).loss;
      });
      const all = model.parameters().flatMap((p) => [...(grads.get(p).dataSync() as Float32Array)]);
      value.dispose();
      grads.dispose();
      return all;
    };
    const frozen = gradients(() => undefined);
    let made: Promise<Int32Array> | undefined;
    const recorded = gradients(() => {
      made = generateBlock(model, vocab, blocks, 'C', { key: key(1) });
    });
    expect(recorded).toEqual(frozen);
    expect(await made).toEqual(constants);
    expect(frozen.some((g) => Math.abs(g) > 1e-3)).toBe(true);
    model.dispose();
  });

  it('leaves no tensor behind', async () => {
    const model = smallModel(vocab);
    const live = (): number => model.parameters()[0]!.value.backend.memory().buffers;
    const run = (): Promise<Int32Array> =>
      generateBlock(model, vocab, condition(['C'], 4, 2), 'A', { key: key(1), guidance: 2 });
    await run();
    const before = live();
    await run();
    expect(live()).toBe(before);
    model.dispose();
  });

  it.each([
    ['no condition and no rows', [], 'A', {}, 'rows must be a positive integer'],
    ['rows that are not those of the condition', ['B'], 'A', { rows: 3 }, 'are not 3 rows'],
    ['an unknown target', ['B'], 'X', {}, 'no modality X'],
    ['sampling without a key', ['B'], 'A', {}, 'key'],
  ] as const)('refuses %s', async (_, given, target, options, message) => {
    const model = smallModel(vocab);
    const make = (): Promise<Int32Array> =>
      generateBlock(model, vocab, condition(given, 2, 1), target, options);
    await expect(make()).rejects.toThrow(ValueError);
    await expect(make()).rejects.toThrow(message);
    model.dispose();
  });
});
