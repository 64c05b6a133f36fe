/** Orders, the case table of transitive modelling, and every defect of the published pseudocode (LORETTA §1.5). */
import { hostRandom, key, ValueError } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { generateBlock } from '../src/infer/generate-block';
import type { Modality } from '../src/modality';
import { causal } from '../src/objectives/causal';
import { commutative } from '../src/objectives/commutative';
import type { Batch, Objective, ObjectiveResult } from '../src/objectives/objective';
import { transitive, type TransitiveOptions } from '../src/objectives/transitive';
import { type Block, pack, sameOrder } from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';
import {
  chainContext,
  chiSquare,
  lossOf,
  orderOf,
  randomBatch,
  smallModel,
  TRIPLE,
  useCpu,
} from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);
const CHAIN: readonly Modality[] = [
  ...TRIPLE,
  { name: 'D', vocabSize: 3, length: 2, variable: false },
];
const chain = new Vocabulary(CHAIN);

beforeAll(useCpu);

interface Seen {
  /** Distinct orders of the rows, as `AB`, sorted. */
  readonly orders: string[];
  /** Distinct sets of modalities with loss. */
  readonly losses: string[];
  /** `C<B`: C generated from B. */
  readonly generated: string[];
}

async function run(
  objective: Objective,
  names: readonly string[],
  options: { v?: Vocabulary; b?: number; seed?: number } = {},
) {
  const { v = vocab, b = 24, seed = 1 } = options;
  const model = smallModel(v);
  const batch = randomBatch(v, names, b, seed);
  const context = chainContext(v, model, seed);
  const result = await objective(batch, context);
  model.dispose();
  return { batch, packed: result.packed, made: result.generated, ...look(v, result) };
}

function look(v: Vocabulary, { packed, generated }: ObjectiveResult): Seen {
  const rows = Array.from({ length: packed.b }, (_, row) => row);
  const distinct = (list: string[]): string[] => [...new Set(list)].sort();
  return {
    orders: distinct(rows.map((row) => orderOf(v, packed, row).join(''))),
    losses: distinct(rows.map((row) => lossOf(v, packed, row).sort().join(''))),
    generated: generated.map(({ modality, from }) => `${modality}<${from}`),
  };
}

const anyOrder = (names: string): string[] =>
  names.length < 2
    ? [names]
    : [...names].flatMap((x) => anyOrder(names.replace(x, '')).map((rest) => x + rest)).sort();

describe('causal', () => {
  it('has one order, for the modalities that are present', async () => {
    const objective = causal({ order: ['C', 'B', 'A'] });
    const { orders, losses, generated, packed, batch } = await run(objective, ['A', 'B']);
    expect({ orders, losses, generated }).toEqual({
      orders: ['BA'],
      losses: ['AB'],
      generated: [],
    });
    const blocks = ['B', 'A'].map(
      (modality): Block => ({ modality, ids: batch.blocks[modality]!, generated: false }),
    );
    expect(packed).toEqual(pack(vocab, blocks, sameOrder(24, [0, 1]), { lossOn: 'real' }));
  });

  it('refuses a modality that it has no place for, and an empty batch', async () => {
    const objective = causal({ order: ['A'] });
    await expect(run(objective, ['A', 'B'])).rejects.toThrow('the order A lacks B');
    await expect(run(objective, [])).rejects.toThrow(ValueError);
  });
});

describe('commutative', () => {
  it.each([2, 3])('draws each of the %d! orders equally often', async (k) => {
    const names = ['A', 'B', 'C'].slice(0, k);
    const b = 3000;
    const { packed } = await run(commutative(), names, { b, seed: 4 });
    const orders = anyOrder(names.join(''));
    const counts = orders.map(() => 0);
    for (let row = 0; row < b; row++)
      counts[orders.indexOf(orderOf(vocab, packed, row).join(''))]!++;
    const chi = chiSquare(
      counts,
      orders.map(() => b / orders.length),
    );
    expect(chi).toBeLessThan(k === 2 ? 15.1 : 25.7); // χ²(1) and χ²(5), p = 1e-4
  });

  it('has loss on every block, and on unimodal samples too', async () => {
    expect((await run(commutative(), ['A', 'C'])).losses).toEqual(['AC']);
    expect(await run(commutative(), ['B'])).toMatchObject({ orders: ['B'], losses: ['B'] });
  });
});

describe('transitive: the case table', () => {
  const table: [string, string, TransitiveOptions, Seen][] = [
    // cases 1 and 2: the link generates what is missing; generated first, real last
    ['case 1', 'AB', {}, { orders: ['CA'], losses: ['A'], generated: ['C<B'] }],
    [
      'case 1, whole loss',
      'AB',
      { lossOn: 'all' },
      { orders: ['CA'], losses: ['AC'], generated: ['C<B'] },
    ],
    ['case 2', 'BC', {}, { orders: ['AC'], losses: ['C'], generated: ['A<B'] }],
    [
      'case 2, whole loss',
      'BC',
      { lossOn: 'all' },
      { orders: ['AC'], losses: ['AC'], generated: ['A<B'] },
    ],
    // cases 3 and 5: two hops, and back to the sample itself
    ['case 3', 'A', {}, { orders: ['CA'], losses: ['A'], generated: ['B<A', 'C<B'] }],
    ['case 5', 'C', {}, { orders: ['AC'], losses: ['C'], generated: ['B<C', 'A<B'] }],
    // case 4: two pseudo-blocks, and the link between them where nothing else carries loss
    ['case 4', 'B', {}, { orders: anyOrder('ABC'), losses: ['B'], generated: ['A<B', 'C<B'] }],
    [
      'case 4, whole loss',
      'B',
      { lossOn: 'all' },
      { orders: ['AC', 'CA'], losses: ['AC'], generated: ['A<B', 'C<B'] },
    ],
    // nothing is missing, or the link is: every order
    ['triplet', 'ABC', {}, { orders: anyOrder('ABC'), losses: ['ABC'], generated: [] }],
    ['{A, C}', 'AC', {}, { orders: ['AC', 'CA'], losses: ['AC'], generated: [] }],
    // all modalities, real where present
    [
      'all of {A, B}',
      'AB',
      { allProbability: 1 },
      { orders: anyOrder('ABC'), losses: ['AB'], generated: ['C<B'] },
    ],
    [
      'all of {B}',
      'B',
      { allProbability: 1, lossOn: 'all' },
      { orders: anyOrder('ABC'), losses: ['ABC'], generated: ['A<B', 'C<B'] },
    ],
    [
      'all of a triplet',
      'ABC',
      { allProbability: 1 },
      { orders: anyOrder('ABC'), losses: ['ABC'], generated: [] },
    ],
  ];
  it.each(table)('%s', async (_, present, options, expected) => {
    const { orders, losses, generated } = await run(transitive(options), [...present], { b: 60 });
    expect({ orders, losses, generated }).toEqual(expected);
  });

  it('goes hop by hop along a chain of four; the last real block is the target', async () => {
    const found = new Set<string>();
    for (let seed = 0; seed < 12; seed++) {
      const options = { v: chain, b: 2, seed };
      const { orders, losses, generated } = await run(transitive(), ['A', 'B'], options);
      found.add(`${generated.join(' ')}: ${orders.join(' ')} ${losses.join(' ')}`);
    }
    expect([...found].sort()).toEqual(['C<B D<C: DA A', 'C<B: CA A']);
    const all = await run(transitive({ allProbability: 1 }), ['A', 'B'], { v: chain, b: 2 });
    expect(all.generated).toEqual(['C<B', 'D<C']);
  });
});

describe('transitive: defects of the pseudocode', () => {
  it('1: finds the modalities present as a set', async () => {
    expect(await run(transitive(), ['B', 'A'])).toMatchObject({
      orders: ['CA'],
      generated: ['C<B'],
    });
  });

  it('2: a triplet keeps its real blocks', async () => {
    const { packed, batch } = await run(transitive(), ['A', 'B', 'C']);
    const rows = ['A', 'B', 'C'].map(
      (modality): Block => ({ modality, ids: batch.blocks[modality]!, generated: false }),
    );
    const orders = Array.from({ length: 24 }, (_, row) =>
      orderOf(vocab, packed, row).map((name) => vocab.index(name)),
    );
    expect(packed).toEqual(pack(vocab, rows, orders, { lossOn: 'real' }));
  });

  it('3: tells blocks apart by modality, not by their place in the batch', async () => {
    const model = smallModel(vocab);
    const { b, blocks } = randomBatch(vocab, ['A', 'B'], 6);
    const reversed: Batch = { b, blocks: { B: blocks['B']!, A: blocks['A']! } };
    for (const objective of [transitive(), commutative(), transitive({ allProbability: 1 })]) {
      const x = await objective({ b, blocks }, chainContext(vocab, model));
      const y = await objective(reversed, chainContext(vocab, model));
      expect(y).toEqual(x);
    }
    model.dispose();
  });

  it('4: uses all modalities with the given probability, not its complement', async () => {
    const model = smallModel(vocab);
    const context = chainContext(vocab, model);
    const batch = randomBatch(vocab, ['A', 'B'], 1);
    const objective = transitive({ allProbability: 0.1 });
    let all = 0;
    for (let i = 0; i < 200; i++) {
      const { packed } = await objective(batch, context);
      all += orderOf(vocab, packed, 0).length === 3 ? 1 : 0;
    }
    expect(all).toBeGreaterThan(5);
    expect(all).toBeLessThan(45);
    model.dispose();
    for (const allProbability of [-1, 1.5, Number.NaN]) {
      expect(() => transitive({ allProbability })).toThrow('not in [0, 1]');
    }
  });

  it('5: leaves the commutative objective to itself, so that the two can be mixed', async () => {
    expect(await run(commutative(), ['A', 'B'])).toMatchObject({
      orders: ['AB', 'BA'],
      generated: [],
    });
    expect(await run(transitive(), ['A', 'B'])).toMatchObject({
      orders: ['CA'],
      generated: ['C<B'],
    });
  });

  it('6: has every block where all modalities are used', async () => {
    const objective = transitive({ allProbability: 1, lossOn: 'all' });
    const { packed, made: blocksMade, batch } = await run(objective, ['B', 'C'], { b: 5 });
    const blocks = [
      { modality: 'A', ids: blocksMade[0]!.ids, generated: true },
      ...['B', 'C'].map((modality) => ({
        modality,
        ids: batch.blocks[modality]!,
        generated: false,
      })),
    ];
    const orders = Array.from({ length: 5 }, (_, row) =>
      orderOf(vocab, packed, row).map((name) => vocab.index(name)),
    );
    expect(packed).toEqual(pack(vocab, blocks, orders, { lossOn: 'all' }));
  });

  it('7 and 8: concatenates the generated block, its modality token, its end and no padding included', async () => {
    const objective = transitive({ lossOn: 'all' });
    const { packed, made: blocksMade, batch } = await run(objective, ['A', 'B']);
    const { ids } = blocksMade[0]!;
    const ends = new Set<number>();
    for (let row = 0; row < 24; row++) {
      const made = [...ids.subarray(row * 3, row * 3 + 3)].filter((id) => id !== Vocabulary.PAD);
      const real = [...batch.blocks['A']!.subarray(row * 4, row * 4 + 4)];
      const sequence = [vocab.start('C'), ...made, vocab.start('A'), ...real];
      const inputs = [...packed.ids.subarray(row * packed.t, (row + 1) * packed.t)];
      expect(inputs).toEqual([
        ...sequence.slice(0, -1),
        ...new Array<number>(packed.t - sequence.length + 1).fill(0),
      ]);
      expect(made.indexOf(vocab.end('C')) === -1 ? 3 : made.indexOf(vocab.end('C')) + 1).toBe(
        made.length,
      );
      ends.add(made.length);
    }
    expect(ends.size).toBeGreaterThan(1); // some rows end early
  });

  it('9: counts generated targets exactly when asked', async () => {
    const keys = async (lossOn: 'real' | 'all'): Promise<Int8Array> =>
      (await run(transitive({ lossOn }), ['B', 'C'])).packed.weightsKey;
    const [real, all] = [await keys('real'), await keys('all')];
    const targets = (from: Int8Array, name: string): number =>
      from.filter((m) => m === vocab.index(name)).length;
    expect([targets(real, 'A'), targets(all, 'A')]).toEqual([0, 24 * 4]);
    expect(targets(real, 'C')).toBe(targets(all, 'C'));
    expect(targets(real, 'C')).toBeGreaterThan(24);
  });

  it('11: padding is never a target', async () => {
    for (const present of ['BC', 'A', 'B', 'ABC']) {
      const { packed } = await run(transitive({ lossOn: 'all' }), [...present]);
      expect(packed.targets.includes(Vocabulary.PAD)).toBe(false);
      packed.ids.forEach((id, i) => {
        if (id === Vocabulary.PAD) expect(packed.targets[i]).toBe(-100);
      });
    }
  });
});

describe('transitive: how it generates', () => {
  const model = () => smallModel(vocab);

  it('conditions on the real link of the same row, with its own key, temperature and guidance', async () => {
    const shared = model();
    const context = chainContext(vocab, shared);
    const batch = randomBatch(vocab, ['A', 'B'], 8);
    const link: Block = { modality: 'B', ids: batch.blocks['B']!, generated: false };
    const draw = async (options: TransitiveOptions): Promise<Int32Array> =>
      (await transitive(options)(batch, context)).generated[0]!.ids;
    const expected = (temperature: number, guidance: number | null): Promise<Int32Array> =>
      generateBlock(shared, vocab, [link], 'C', {
        key: context.key.fold(0),
        temperature,
        guidance,
      });
    const [plain, guided] = [await expected(0.9, null), await expected(0, 3)];
    expect(await draw({})).toEqual(plain);
    expect(await draw({ temperature: 0, guidance: 3 })).toEqual(guided);
    expect(plain).not.toEqual(guided);
    shared.dispose();
  });

  it('takes a teacher where one is given', async () => {
    const [student, teacher] = [model(), smallModel(vocab, { initStd: 1 })];
    const batch = randomBatch(vocab, ['A', 'B'], 8);
    const generated = async (options: TransitiveOptions, by = student) =>
      (await transitive(options)(batch, chainContext(vocab, by))).generated;
    expect(await generated({ teacher })).toEqual(await generated({}, teacher));
    expect(await generated({ teacher })).not.toEqual(await generated({}));
    student.dispose();
    teacher.dispose();
  });

  it('as a control gives every row the condition of another, and the real block stays', async () => {
    const shared = model();
    const batch = randomBatch(vocab, ['A', 'B'], 8);
    const draw = (shuffled: boolean) =>
      transitive({ shuffled, temperature: 0 })(batch, chainContext(vocab, shared));
    const [plain, control] = [await draw(false), await draw(true)];
    const rows = ({ generated }: ObjectiveResult): string[] =>
      Array.from({ length: 8 }, (_, row) =>
        [...generated[0]!.ids.subarray(row * 3, row * 3 + 3)].join(),
      );
    const [before, after] = [rows(plain), rows(control)];
    const shift = Array.from({ length: 7 }, (_, i) => i + 1).filter((by) =>
      after.every((row, i) => row === before[(i + by) % 8]),
    );
    expect(shift.length).toBeGreaterThan(0);
    expect(after).not.toEqual(before);
    const real = (result: ObjectiveResult): number[] =>
      [...result.packed.targets].filter((id) => id >= 0);
    expect(real(control)).toEqual(real(plain));
    const one = randomBatch(vocab, ['A', 'B'], 1);
    await expect(transitive({ shuffled: true })(one, chainContext(vocab, shared))).rejects.toThrow(
      'batch of 2',
    );
    shared.dispose();
  });

  it('is a function of the batch, the weights, the random counter and the key', async () => {
    const shared = model();
    const batch = randomBatch(vocab, ['A', 'B'], 8);
    const objective = transitive({ allProbability: 0.5 });
    const context = { ...chainContext(vocab, shared), random: hostRandom(2, 40), key: key(9) };
    const again = { ...context, random: hostRandom(2, 40) };
    expect(await objective(batch, again)).toEqual(await objective(batch, context));
    shared.dispose();
  });
});
