import { NonFiniteError, tensor, ValueError } from '@loretta-ts/core';
import { CheckpointError, SafetensorsError } from '@loretta-ts/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { DataError } from '../src/data/errors';
import { assertNeverPaired } from '../src/data/neverPaired';
import { PairSampler } from '../src/data/sampler';
import type { Objective } from '../src/objectives/objective';
import { packedLoss } from '../src/loss';
import { fromBlock, toBlock } from '../src/train/data';
import { Trainer, type TrainerOptions } from '../src/train/trainer';
import { Vocabulary } from '../src/vocabulary';
import { useCpu } from './objectives-setup';
import { free, smallConfig, smallData, type Training, training } from './trainer-setup';

beforeAll(useCpu);

/** Weights, moments and step as bytes. */
const state = (t: Training): Promise<Uint8Array> => t.trainer.save();

/** A trainer of the same model and vocabulary with other options. */
function variant(t: Training, changes: Partial<TrainerOptions>): Trainer {
  const data = smallData();
  return new Trainer({
    model: t.model,
    vocab: t.vocab,
    graph: t.graph,
    sources: data.pairs.map((pair) => new PairSampler(data, pair, { batch: 4, seed: 1 })),
    seed: 1,
    totalSteps: 50,
    lr: 1e-2,
    lrWarmup: 2,
    minLr: 0.1,
    weightDecay: 0.1,
    clip: 1,
    ...changes,
  });
}

/** Makes a weight NaN. */
function poison(t: Training): void {
  const weight = t.model.parameters()[0]!;
  const { shape } = weight;
  const size = shape.reduce((a, b) => a * b, 1);
  weight.assign(tensor(new Float32Array(size).fill(Number.NaN), { shape }));
}

describe('Trainer', () => {
  it('goes on from a checkpoint as if it had not stopped, bit for bit, transitive steps included', async () => {
    const config = smallConfig({ model: { dropout: 0.2 }, train: { noise: 0.1 } });
    const [whole, first, second] = [1, 2, 3].map(() =>
      training('transitive-masked', smallData(), config),
    ) as [Training, Training, Training];
    const reports = await whole.steps(9);
    expect(reports.reduce((n, r) => n + r.transitive, 0)).toBeGreaterThan(3);
    await first.steps(4);
    second.trainer.restore(await state(first));
    expect(second.trainer.steps).toBe(4);
    expect(await second.steps(5)).toEqual(reports.slice(4));
    expect(Buffer.compare(await state(second), await state(whole))).toBe(0);
    for (const t of [whole, first, second]) free(t);
  });

  it('changes nothing when a weight is not finite', async () => {
    const t = training('commutative');
    await t.steps(2);
    poison(t);
    const before = await state(t);
    await expect(t.steps(1)).rejects.toThrow(NonFiniteError);
    await expect(t.steps(1)).rejects.toThrow('step 2: loss NaN');
    expect(Buffer.compare(await state(t), before)).toBe(0);
    expect(t.trainer.steps).toBe(2);
    free(t);
  });

  it('skips a step that is not finite where it is told to, says which op, and goes on', async () => {
    const t = training('commutative');
    const trainer = variant(t, { onNonFinite: 'skip' });
    await trainer.step(t.arm, 0);
    const bias = t.model.parameters().at(-1)!;
    const before = tensor(bias.value.dataSync(), { shape: bias.shape });
    const overflow: Objective = async (batch, context) => {
      const made = await t.arm.base(batch, context);
      // tables that are finite, and whose products are not
      bias.assign(before.mul(0).add(3e38));
      return made;
    };
    const report = await trainer.step({ ...t.arm, base: overflow }, 0);
    expect(report.skipped).toMatch(/^trainer: step 1: loss .*: [A-Za-z]+ .*made (NaN|infinity)/);
    expect(trainer.steps).toBe(2);
    bias.assign(before);
    expect((await trainer.step(t.arm, 0)).skipped).toBeUndefined();
    poison(t);
    await expect(trainer.step(t.arm, 0)).rejects.toThrow(
      /step 3: .*given NaN in a leaf.*go on from/,
    );
    trainer.dispose();
    free(t);
  });

  it('refuses to save weights that are not finite over a good file, by their name', async () => {
    const t = training('commutative');
    await t.trainer.save({}, { onlyFinite: true });
    poison(t);
    const name = [...t.model.namedParameters()][0]![0];
    await expect(t.trainer.save({}, { onlyFinite: true })).rejects.toThrow(
      `checkpoint: ${name} holds NaN at 0`,
    );
    free(t);
  });

  it('changes nothing when the guard finds the never-seen pair in a batch', async () => {
    const data = smallData({ oracle: true });
    const t = training('commutative', data);
    const guard = assertNeverPaired(data, 'A', 'C');
    const leaking = [...data.pairs, data.oracle!].map(
      (pair) => new PairSampler(data, pair, { batch: 4, seed: 1 }),
    );
    const trainer = variant(t, { sources: leaking, guard });
    const before = await trainer.save();
    await expect(trainer.step(t.arm, 0)).rejects.toMatchObject({ name: 'DataError', kind: 'leak' });
    expect(Buffer.compare(await trainer.save(), before)).toBe(0);
    expect(trainer.steps).toBe(0);
    const kept = variant(t, { sources: leaking.slice(0, 2), guard });
    expect((await kept.step(t.arm, 0)).step).toBe(0);
    for (const other of [trainer, kept]) other.dispose();
    free(t);
  });

  it('refuses data in which one sample leads from the one modality to the other', () => {
    const data = smallData({ oracle: true });
    const leaking = { ...data, pairs: [data.pairs[0]!, data.oracle!] };
    expect(() => training('commutative', leaking)).toThrow('is in two pair sets');
  });

  it('reports bits of each modality, whose mean is the loss', async () => {
    const data = smallData();
    const t = training('commutative', { ...data, pairs: [data.pairs[0]!] });
    const [first] = await t.steps(1);
    expect(Object.keys(first!.bits)).toEqual(['A', 'B']);
    const mean = (first!.bits['A']! + first!.bits['B']!) / 2;
    expect(mean * Math.LN2).toBeCloseTo(first!.loss, 5);
    free(t);
  });

  it('counts the tokens of its sequences, which are shifted by one', async () => {
    const t = training('commutative');
    const [report] = await t.steps(1);
    // 8 rows each of A 5 B 3 and B 3 C 4, every block behind its modality token
    expect(report!.tokens).toBe(8 * (6 + 4 - 1) + 8 * (4 + 5 - 1));
    free(t);
  });

  it('takes the mean over rows of what its pair sets lose', async () => {
    const t = training('causal');
    const data = smallData();
    const { vocab, model } = t;
    const packs = await Promise.all(
      data.pairs.map(async (pair, i) => {
        const source = new PairSampler(data, pair, { batch: 8, seed: 4 + 1000 + i, repair: true });
        const { modalities, ids, size } = source.next();
        const blocks = Object.fromEntries(
          modalities.map((name, side) => [name, vocab.toJoint(name, ids[side]!)]),
        );
        const context = { model, vocab, graph: t.graph, random: null as never, key: null as never };
        return (await t.arm.base({ b: size, blocks }, context)).packed;
      }),
    );
    const losses = packs.map((packed) => packedLoss(model, vocab, packed).loss.itemSync());
    const [report] = await t.steps(1);
    expect(report!.loss).toBeCloseTo((losses[0]! + losses[1]!) / 2, 5);
    free(t);
  });

  it('learns: the loss falls by half', async () => {
    const t = training('commutative', smallData(), smallConfig({ train: { steps: 60 } }));
    const reports = await t.steps(60);
    expect(reports.at(-1)!.loss).toBeLessThan(reports[0]!.loss / 2);
    expect(reports.map((r) => r.step)).toEqual(Array.from({ length: 60 }, (_, i) => i));
    expect(reports[0]!.lr).toBeLessThan(reports[10]!.lr);
    expect(reports.at(-1)!.lr).toBeLessThan(reports[10]!.lr / 5);
    free(t);
  });

  it('leaves no buffer behind', async () => {
    const t = training('transitive-masked');
    const buffers = (): number => t.model.parameters()[0]!.value.backend.memory().buffers;
    await t.steps(2);
    const before = buffers();
    await t.steps(20);
    expect(buffers()).toBe(before);
    poison(t);
    await expect(t.steps(1, 0)).rejects.toThrow(NonFiniteError);
    expect(buffers()).toBe(before);
    free(t);
  });

  it('gives the oracle real pairs of the unseen modalities, and no other arm', async () => {
    const seen = async (name: 'oracle' | 'transitive', oracle: boolean): Promise<string[]> => {
      const t = training(name, smallData({ oracle }));
      const found: string[] = [];
      const base: Objective = (batch, context) => {
        found.push(Object.keys(batch.blocks).join(''));
        return t.arm.base(batch, context);
      };
      await t.trainer.step({ ...t.arm, base, transitive: null }, 0);
      free(t);
      return found.sort();
    };
    expect(await seen('oracle', true)).toEqual(['AB', 'AC', 'BC']);
    expect(await seen('transitive', true)).toEqual(['AB', 'BC']);
  });

  it('turns the given share of batches transitive', async () => {
    const t = training('transitive');
    for (const [share, expected] of [
      [0, 0],
      [1, 2],
    ] as const) {
      const [report] = await t.steps(1, share);
      expect(report!.transitive).toBe(expected);
      expect(report!.generated.map((g) => `${g.modality}<${g.from}`).sort()).toEqual(
        share === 0 ? [] : ['A<B', 'C<B'],
      );
      for (const { ids, labels, modality } of report!.generated) {
        expect(labels.length).toBe(8);
        expect(ids.length).toBe(8 * t.vocab.modality(modality).length);
      }
    }
    await expect(t.steps(1, 1.5)).rejects.toThrow('share of transitive steps is 1.5');
    await expect(t.steps(1, Number.NaN)).rejects.toThrow(ValueError);
    free(t);
  });

  it('refuses what cannot work when it is made', () => {
    const t = training('commutative');
    expect(() => variant(t, { sources: [] })).toThrow('no pair sets');
    expect(() => variant(t, { lrWarmup: 60 })).toThrow(ValueError);
    free(t);
  });

  it('refuses checkpoints of another model, and files that are none, and stays as it was', async () => {
    const [t, wider] = [
      training('commutative'),
      training('commutative', smallData(), smallConfig({ model: { dim: 32 } })),
    ];
    const before = await state(t);
    const other = await state(wider);
    expect(() => t.trainer.restore(other)).toThrow(CheckpointError);
    expect(() => t.trainer.restore(other)).toThrow('dim is 32 in the file and 16 here');
    expect(() => t.trainer.restore(before.slice(0, 1000))).toThrow(SafetensorsError);
    expect(Buffer.compare(await state(t), before)).toBe(0);
    for (const one of [t, wider]) free(one);
  });
});

describe('blocks of local ids', () => {
  const vocab = new Vocabulary([
    { name: 'F', vocabSize: 4, length: 3, variable: false },
    { name: 'V', vocabSize: 3, length: 4, variable: true },
  ]);

  it('come back as they were, with the length of each row', () => {
    const fixed = Int32Array.of(0, 3, 1, 2, 2, 0);
    expect(fromBlock(vocab, 'F', toBlock(vocab, 'F', fixed, 3, undefined))).toEqual({
      ids: fixed,
      lengths: Int32Array.of(3, 3),
    });
    const ids = Int32Array.of(2, 0, 0, 0, 1, 2, 1, 2, 0, 1, 2, 0);
    const lengths = Int32Array.of(1, 4, 3);
    const block = toBlock(vocab, 'V', ids, 4, lengths);
    expect([...block.subarray(0, 4)]).toEqual([vocab.content('V')[0] + 2, vocab.end('V'), 0, 0]);
    expect(fromBlock(vocab, 'V', block)).toEqual({ ids, lengths });
  });

  it('refuse rows that are too long and ids of another modality', () => {
    expect(() => toBlock(vocab, 'V', new Int32Array(4), 4, Int32Array.of(5))).toThrow(DataError);
    expect(() => fromBlock(vocab, 'F', new Int32Array(3).fill(vocab.start('V')))).toThrow(
      ValueError,
    );
  });
});
