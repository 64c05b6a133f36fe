/** A tiny LoReTTa training on a toy world. */
import { key } from '@loretta-ts/core';
import {
  type Arm,
  makeArm,
  ModalityGraph,
  Toy,
  ToySampler,
  Trainer,
  type TrainerOptions,
  Vocabulary,
} from '@loretta-ts/loretta';
import { Decoder } from '@loretta-ts/nn';

/** A trainer, its model, and the arm to step. */
export interface ToyTrainer extends Disposable {
  readonly trainer: Trainer;
  readonly model: Decoder;
  readonly vocab: Vocabulary;
  readonly arm: Arm;
}

const NAMES = ['A', 'B', 'C'] as const;

/** A decoder of one layer on A–B and B–C, on the default backend. */
export function toyTrainer(seed: number, options: Partial<TrainerOptions> = {}): ToyTrainer {
  const toy = new Toy({
    seed: 48,
    classes: 4,
    alphabet: 5,
    modalities: NAMES.map((name, i) => ({ name, length: 3 + i, noise: 0.1 })),
  });
  const vocab = new Vocabulary(
    NAMES.map((name, i) => ({ name, length: 3 + i, vocabSize: 5, variable: false })),
  );
  const pairs = [
    ['A', 'B'],
    ['B', 'C'],
  ] as const;
  const graph = new ModalityGraph([...NAMES], pairs);
  const model = new Decoder(
    { vocab: vocab.size, dim: 8, layers: 1, heads: 2, positions: ['rope'], maxLength: 32 },
    key(seed),
  );
  const trainer = new Trainer({
    ...{ model, vocab, graph, seed, totalSteps: 1_000_000, lr: 1e-2, lrWarmup: 1, minLr: 0.1 },
    ...{ weightDecay: 0.1, clip: 1 },
    sources: pairs.map((pair, i) => new ToySampler(toy, pair, { batch: 2, seed: seed + i })),
    ...options,
  });
  const arm = makeArm('transitive', [...NAMES], {
    ...{ share: 0.5, temperature: 1, guidance: null, lossOn: 'real', allProbability: 0 },
  });
  return {
    ...{ trainer, model, vocab, arm },
    [Symbol.dispose]() {
      trainer.dispose();
      model.dispose();
    },
  };
}
