import { hostRandom, tidy, valueAndGrad, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import { beforeAll, describe, expect, it } from 'vitest';
import { forwardPacked, type LossOptions, packedLoss } from '../src/loss';
import {
  type Block,
  concatPacked,
  pack,
  type Packed,
  packSegments,
  sameOrder,
} from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';
import { randomBatch, smallModel, TRIPLE, useCpu } from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);

beforeAll(useCpu);

function pairs(names: readonly string[], b: number, seed = 1): Packed {
  const { blocks } = randomBatch(vocab, names, b, seed);
  const list = names.map(
    (modality): Block => ({ modality, ids: blocks[modality]!, generated: false }),
  );
  return pack(
    vocab,
    list,
    sameOrder(
      b,
      names.map((_, i) => i),
    ),
    { lossOn: 'real' },
  );
}

function numbers(model: Decoder, v: Vocabulary, packed: Packed, options: LossOptions = {}) {
  return tidy(() => {
    const { loss, sums, counts } = packedLoss(model, v, packed, options);
    return { loss: loss.itemSync(), sums: [...(sums.dataSync() as Float32Array)], counts };
  });
}

/** −log softmax at every target from the whole table of logits, on the host. */
function hostNats(model: Decoder, packed: Packed): { nats: number; m: number }[] {
  const logits = tidy(() => model.logits(forwardPacked(model, packed)).dataSync());
  const v = model.config.vocab;
  return [...packed.targets].flatMap((target, i) => {
    if (target < 0) return [];
    const row = [...logits.subarray(i * v, (i + 1) * v)].map(Number);
    const total = row.reduce((sum, x) => sum + Math.exp(x), 0);
    return [{ nats: Math.log(total) - row[target]!, m: packed.weightsKey[i]! }];
  });
}

const mean = (values: readonly number[]): number =>
  values.reduce((x, y) => x + y, 0) / values.length;

describe('packedLoss', () => {
  it('is the mean over modalities of the mean over their targets, however many tokens each has', () => {
    const model = smallModel(vocab);
    const packed = concatPacked([pairs(['A', 'B'], 3), pairs(['B', 'C'], 4, 2)]);
    const all = hostNats(model, packed);
    const by = [0, 1, 2].map((m) => all.filter((x) => x.m === m).map((x) => x.nats));
    const { loss, sums, counts } = numbers(model, vocab, packed);
    expect(counts).toEqual(by.map((x) => x.length));
    expect(counts.slice(0, 2)).toEqual([12, 14]);
    const totals = by.map((list) => list.reduce((x, y) => x + y, 0));
    sums.forEach((sum, m) => {
      expect(sum).toBeCloseTo(totals[m]!, 4);
    });
    expect(loss).toBeCloseTo(mean(by.map(mean)), 5);
    const perToken = numbers(model, vocab, packed, { weighting: 'per-token' });
    expect(perToken.loss).toBeCloseTo(mean(all.map((x) => x.nats)), 5);
    expect(Math.abs(perToken.loss - loss)).toBeGreaterThan(1e-3);
    model.dispose();
  });

  it('averages over the modalities that have a target', () => {
    const model = smallModel(vocab);
    const packed = pairs(['A'], 2);
    const { loss, sums, counts } = numbers(model, vocab, packed);
    expect(counts).toEqual([8, 0, 0]);
    expect(loss).toBeCloseTo(sums[0]! / 8, 5);
    model.dispose();
  });

  it('weighs modalities against each other as told, those without a target not at all', () => {
    const model = smallModel(vocab);
    const packed = concatPacked([pairs(['A', 'B'], 3), pairs(['B'], 4, 2)]);
    const { sums, counts } = numbers(model, vocab, packed);
    const [a, b] = [sums[0]! / counts[0]!, sums[1]! / counts[1]!];
    const weighed = (modalityWeights: Record<string, number>): number =>
      numbers(model, vocab, packed, { modalityWeights }).loss;
    expect(weighed({ A: 3 })).toBeCloseTo((3 * a + b) / 4, 5);
    expect(weighed({ A: 1, B: 4, C: 100 })).toBeCloseTo((a + 4 * b) / 5, 5);
    for (const w of [0, -1, Number.NaN, Infinity]) {
      expect(() => weighed({ B: w })).toThrow(`the weight of B is ${w}, not a positive number`);
    }
    expect(() => weighed({ D: 1 })).toThrow(ValueError);
    model.dispose();
  });

  it('counts only targets that have a modality', () => {
    const model = smallModel(vocab);
    const packed = pairs(['A', 'B'], 2);
    const only = { ...packed, weightsKey: packed.weightsKey.map((m) => (m === 1 ? -1 : m)) };
    const [all, part] = [numbers(model, vocab, packed), numbers(model, vocab, only)];
    expect(part.counts).toEqual([all.counts[0], 0, 0]);
    expect(part.loss).toBeCloseTo(all.sums[0]! / all.counts[0]!, 5);
    model.dispose();
  });

  it('does not see the padding of rows', () => {
    const model = smallModel(vocab);
    const [short, long] = [pairs(['B'], 2), pairs(['A', 'C', 'B'], 2, 3)];
    const [x, y, both] = [short, long, concatPacked([short, long])].map((p) =>
      numbers(model, vocab, p),
    );
    both!.sums.forEach((sum, m) => {
      expect(sum).toBeCloseTo(x!.sums[m]! + y!.sums[m]!, 4);
    });
    model.dispose();
  });

  it.each([
    ['rope and within-block', ['rope', 'within-block']],
    ['learned', ['learned']],
    ['learned and within-block', ['learned', 'within-block']],
    ['within-block alone', ['within-block']],
  ] as const)(
    'is the same for packed and separate rows, gradients too: %s positions',
    (_, positions) => {
      const model = smallModel(vocab, {
        positions,
        ...(positions.some((kind) => kind === 'within-block') ? {} : { withinLength: 0 }),
      });
      const separate = pairs(['C', 'B'], 6, 4);
      const dense = packSegments(separate, 17);
      expect(dense.b).toBeLessThan(separate.b);
      const [x, y] = [separate, dense].map((packed) => {
        const { value, grads } = valueAndGrad(
          model.parameters(),
          () => packedLoss(model, vocab, packed).loss,
        );
        const list = model.parameters().map((p) => [...(grads.get(p).dataSync() as Float32Array)]);
        const loss = value.itemSync();
        value.dispose();
        grads.dispose();
        return { loss, list };
      });
      expect(y!.loss).toBeCloseTo(x!.loss, 5);
      let largest = 0;
      x!.list.forEach((grad, p) => {
        grad.forEach((g, i) => {
          largest = Math.max(largest, Math.abs(g));
          expect(Math.abs(g - y!.list[p]![i]!)).toBeLessThan(1e-4);
        });
      });
      expect(largest).toBeGreaterThan(1e-2);
      model.dispose();
    },
  );

  it('would differ without segments', () => {
    const model = smallModel(vocab);
    const separate = pairs(['C', 'B'], 6, 4);
    const { segments: _, ...joined } = packSegments(separate, 17);
    expect(
      Math.abs(numbers(model, vocab, joined).loss - numbers(model, vocab, separate).loss),
    ).toBeGreaterThan(1e-3);
    model.dispose();
  });

  it('refuses sequences without a target, and constrained losses of other tokens', () => {
    const model = smallModel(vocab);
    const packed = pairs(['A'], 1);
    const none = { ...packed, targets: packed.targets.map(() => -100) };
    const end = { ...packed, targets: packed.targets.map(() => Vocabulary.EOSS) };
    expect(() => packedLoss(model, vocab, none)).toThrow(ValueError);
    expect(() => packedLoss(model, vocab, end, { constrained: true })).toThrow(
      'target 3 is not an id of A',
    );
    expect(numbers(model, vocab, end).loss).toBeGreaterThan(0); // what masked rows end in
    for (const id of [vocab.content('A')[1], vocab.end('C')]) {
      const other = { ...packed, targets: packed.targets.map((x) => (x < 0 ? x : id)) };
      expect(() => packedLoss(model, vocab, other, { constrained: true })).toThrow(
        `target ${id} is not an id of A`,
      );
    }
    model.dispose();
  });
});

describe('likelihoods on an alphabet of two tokens', () => {
  const tiny = new Vocabulary([
    { name: 'X', vocabSize: 2, length: 3, variable: false },
    { name: 'Y', vocabSize: 2, length: 2, variable: true },
    { name: 'Z', vocabSize: 3, length: 1, variable: false },
  ]);
  const [x, y] = [tiny.start('X') + 1, tiny.start('Y') + 1];
  const end = tiny.end('Y');
  const all: Record<string, number[][]> = {
    X: Array.from({ length: 8 }, (_, code) => [0, 1, 2].map((bit) => x + ((code >> bit) & 1))),
    Y: [
      [end, 0],
      ...[y, y + 1].flatMap((first) => [y, y + 1, end].map((second) => [first, second])),
    ],
  };

  it.each([
    ['X', []],
    ['X', ['Z']],
    ['Y', ['Z']],
    ['Y', ['Z', 'X']],
  ])(
    'p(%s | %s) sums to 1 over every sequence, and its unconstrained part to less',
    (target, given) => {
      const model = smallModel(tiny);
      const { blocks } = randomBatch(tiny, given, 1, 6);
      const total = (constrained: boolean): number =>
        all[target]!.reduce((sum, ids) => {
          const condition = given.map(
            (modality): Block => ({ modality, ids: blocks[modality]!, generated: true }),
          );
          const list = [
            ...condition,
            { modality: target, ids: Int32Array.from(ids), generated: false },
          ];
          const packed = pack(tiny, list, [list.map((_, i) => i)], { lossOn: 'real' });
          return (
            sum +
            Math.exp(
              -numbers(model, tiny, packed, { constrained, weighting: 'per-token' }).sums[
                tiny.index(target)
              ]!,
            )
          );
        }, 0);
      expect(total(true)).toBeCloseTo(1, 5);
      expect(total(false)).toBeLessThan(0.9);
      model.dispose();
    },
  );

  it('constrained losses have finite gradients', () => {
    const model = smallModel(tiny);
    const random = hostRandom(3);
    const ids = Int32Array.from({ length: 12 }, () => x + random.int(2));
    const packed = pack(tiny, [{ modality: 'X', ids, generated: false }], sameOrder(4, [0]), {
      lossOn: 'real',
    });
    const { value, grads } = valueAndGrad(
      model.parameters(),
      () => packedLoss(model, tiny, packed, { constrained: true }).loss,
    );
    const values = model
      .parameters()
      .flatMap((p) => [...(grads.get(p).dataSync() as Float32Array)]);
    expect(values.every(Number.isFinite)).toBe(true);
    expect(values.some((g) => Math.abs(g) > 1e-3)).toBe(true);
    value.dispose();
    grads.dispose();
    model.dispose();
  });
});
