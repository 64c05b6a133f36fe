/** The edges of objectives: batches that are none, the control that moves rows, graphs without a third modality. */
import { ValueError } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { realBlocks } from '../src/objectives/objective';
import { transitive, type TransitiveOptions } from '../src/objectives/transitive';
import { Vocabulary } from '../src/vocabulary';
import {
  chainContext,
  lossOf,
  orderOf,
  randomBatch,
  smallModel,
  TRIPLE,
  useCpu,
} from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);

beforeAll(useCpu);

describe('realBlocks', () => {
  it('gives the blocks in the order of the vocabulary', () => {
    const { b, blocks } = randomBatch(vocab, ['C', 'A'], 2);
    const found = realBlocks({ b, blocks }, vocab);
    expect(found).toEqual([
      { modality: 'A', ids: blocks['A'], generated: false },
      { modality: 'C', ids: blocks['C'], generated: false },
    ]);
  });

  it.each([
    ['without blocks', { b: 1, blocks: {} }, 'the batch is empty'],
    ['without rows', { b: 0, blocks: { A: new Int32Array(0) } }, 'the batch is empty'],
    ['of half rows', { b: 2, blocks: { A: new Int32Array(7) } }, '7 ids of A are not 2 rows'],
  ])('refuses a batch %s', (_, batch, message) => {
    expect(() => realBlocks(batch, vocab)).toThrow(ValueError);
    expect(() => realBlocks(batch, vocab)).toThrow(message);
  });
});

describe('the control of transitive', () => {
  const rowsOf = (ids: Int32Array, b: number): string[] =>
    Array.from({ length: b }, (_, row) =>
      ids.subarray((row * ids.length) / b, ((row + 1) * ids.length) / b).join(),
    );

  it.each([
    ['the condition', {}],
    ['all that is generated', { allProbability: 1 }],
  ] as const)('gives every row %s of another row, by each shift there is', async (_, options) => {
    const model = smallModel(vocab, { initStd: 1 });
    const b = 4;
    const shifts = new Set<number>();
    for (let seed = 0; seed < 24; seed++) {
      const batch = randomBatch(vocab, ['A', 'B'], b, seed);
      const draw = async (more: TransitiveOptions): Promise<string[]> => {
        const context = chainContext(vocab, model, seed);
        const { generated } = await transitive({ ...options, ...more, temperature: 5 })(
          batch,
          context,
        );
        return rowsOf(generated[0]!.ids, b);
      };
      const [plain, moved] = [await draw({}), await draw({ shuffled: true })];
      if (new Set(plain).size < b) continue; // rows that are alike do not tell
      const by = [0, 1, 2, 3].find((n) => moved.every((row, i) => row === plain[(i + n) % b]));
      expect(by).toBeGreaterThan(0);
      shifts.add(by!);
    }
    expect([...shifts].sort()).toEqual([1, 2, 3]);
    model.dispose();
  });

  it('needs two rows, and none where nothing is generated', async () => {
    const model = smallModel(vocab);
    const objective = transitive({ shuffled: true });
    const two = await objective(randomBatch(vocab, ['A', 'B'], 2), chainContext(vocab, model));
    expect(two.generated.map(({ modality }) => modality)).toEqual(['C']);
    const triplet = randomBatch(vocab, ['A', 'B', 'C'], 1);
    expect((await objective(triplet, chainContext(vocab, model))).generated).toEqual([]);
    model.dispose();
  });
});

it('transitive on a single pair has nothing to link: one modality alone is predicted as it is', async () => {
  const pair = new Vocabulary(TRIPLE.slice(0, 2));
  const model = smallModel(pair);
  for (const names of [['A'], ['B'], ['A', 'B']]) {
    const { packed, generated } = await transitive()(
      randomBatch(pair, names, 3),
      chainContext(pair, model),
    );
    expect(generated).toEqual([]);
    for (let row = 0; row < 3; row++) {
      expect(orderOf(pair, packed, row).sort()).toEqual(names);
      expect(lossOf(pair, packed, row).sort()).toEqual(names);
    }
  }
  model.dispose();
});
