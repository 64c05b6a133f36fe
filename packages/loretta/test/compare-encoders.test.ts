/** The baselines that are encoders: their scores and features, and contrast between modalities. */
import { hostRandom, tensor, tidy } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { trainContrastive } from '../src/compare/contrastive';
import { learnedModel } from '../src/compare/learned';
import { Toy, TOY_TRIPLE } from '../src/data/toy';
import { ToySampler } from '../src/data/toyData';
import { parseConfig } from '../src/experiment/config';
import { Vocabulary } from '../src/vocabulary';
import { randomBatch, smallModel, TRIPLE, useCpu } from './objectives-setup';

beforeAll(useCpu);

const vocab = new Vocabulary(TRIPLE);

describe('learnedModel', () => {
  it('scores a pair by what x adds to the likelihood of y, and features by rows', async () => {
    const model = smallModel(vocab, { causal: false });
    const learned = learnedModel(model, vocab);
    const { blocks } = randomBatch(vocab, ['A', 'B'], 4, 3);
    const x = { modality: 'A', ids: blocks['A']! };
    const y = { modality: 'B', ids: blocks['B']! };
    const pairs = { x: Int32Array.of(0, 1, 0), y: Int32Array.of(2, 3, 2) };
    const scores = await learned.scores(x, y, 4, pairs);
    expect(scores[0]).toBe(scores[2]);
    expect(scores[0]).not.toBe(scores[1]);
    const features = await learned.features([x, y], 4);
    expect(features.length).toBe(4 * learned.dim);
    const one = await learned.features(
      [x, y].map(({ modality, ids }) => ({ modality, ids: ids.subarray((ids.length / 4) * 3) })),
      1,
    );
    one.forEach((value, d) => {
      expect(value).toBeCloseTo(features[3 * learned.dim + d]!, 5);
    });
    learned.dispose();
  });
});

it('contrastive training links the ends of a chain through its middle', async () => {
  const toy = new Toy({ seed: 0, modalities: TOY_TRIPLE });
  const triple = new Vocabulary(
    TOY_TRIPLE.map(({ name, length }) => ({
      name,
      length,
      vocabSize: toy.alphabet,
      variable: false,
    })),
  );
  const config = parseConfig({
    model: { dim: 32, layers: 1, heads: 2, dropout: 0 },
    train: { steps: 150, lr: 5e-3, lrWarmup: 10 },
    transitive: { earliest: 1, latest: 1 },
  });
  const sources = [['A', 'B'] as const, ['B', 'C'] as const].map(
    (pair, i) => new ToySampler(toy, pair, { batch: 32, seed: 10 + i }),
  );
  const losses: number[] = [];
  const learned = await trainContrastive({
    vocab: triple,
    sources,
    config,
    onEvent: ({ loss }) => losses.push(loss),
  });
  expect(losses.at(-1)!).toBeLessThan(losses[0]! - 1);
  const random = hostRandom(7);
  const n = 100;
  const labels = Int32Array.from({ length: n }, (_, i) => i % toy.classes);
  const rows = (name: string) => ({
    modality: name,
    ids: triple.toJoint(name, toy.sample(name, labels, random)),
  });
  const [a, c] = [rows('A'), rows('C')];
  const all = {
    x: Int32Array.from({ length: n * toy.classes }, (_, j) => Math.floor(j / toy.classes)),
    y: Int32Array.from({ length: n * toy.classes }, (_, j) => j % toy.classes),
  };
  const scores = await learned.scores(a, c, n, all);
  let right = 0;
  for (let i = 0; i < n; i++) {
    const row = [...scores.subarray(i * toy.classes, (i + 1) * toy.classes)];
    if (row.indexOf(Math.max(...row)) === labels[i]) right++;
  }
  // chance is 0.1; the pair was never seen together
  expect(right / n).toBeGreaterThan(0.4);
  const features = await learned.features([a, c], n);
  expect(features.length).toBe(n * learned.dim);
  learned.dispose();
});

it('an encoder sees both sides, a decoder only what is before', () => {
  for (const causal of [true, false]) {
    const model = smallModel(vocab, { causal });
    const first = (last: number): number[] =>
      tidy(() => {
        const ids = tensor(Int32Array.of(9, 10, last), { shape: [1, 3] });
        const within = tensor(Int32Array.of(1, 2, 3), { shape: [1, 3] });
        return [...(model.forward(ids, { within }).narrow(1, 0, 1).dataSync() as Float32Array)];
      });
    expect(JSON.stringify(first(11)) === JSON.stringify(first(12))).toBe(causal);
    model.dispose();
  }
});
