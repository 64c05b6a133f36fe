/** Trainings of every kind from a few plain numbers, so that two processes can make the same one. */
import {
  hostRandom,
  key,
  noGrad,
  normal,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import {
  type ExperimentConfig,
  makeArm,
  parseConfig,
  setUp,
  Toy,
  toyData,
} from '@loretta-ts/loretta';
import {
  AdamW,
  checkpointBytes,
  clipGradNorm,
  cosineWarmupMin,
  crossEntropyLoss,
  Decoder,
  restoreCheckpoint,
  VqTrainer,
  VqVae,
} from '@loretta-ts/nn';

/** What is trained: a decoder by its mixer, an autoencoder by its quantizer, or LoReTTa with transitive steps. */
export type Kind = 'attention' | 'mamba' | 'hyena' | 'vq' | 'gumbel' | 'loretta';

/** All that decides a training. Plain JSON. */
export interface Plan {
  readonly kind: Kind;
  readonly seed: number;
  /** Steps of the schedule. */
  readonly steps: number;
  /** Width: a multiple of 16. */
  readonly dim: number;
  readonly layers: number;
  readonly batch: number;
  /** Tokens of a sequence, or side of an image. */
  readonly length: number;
  readonly dropout: number;
}

/** A training that can be saved and go on. */
export interface Training extends Disposable {
  /** One step: what it measured, the loss first. */
  step(): Promise<readonly number[]>;
  /** Weights, moments and step. */
  save(): Promise<Uint8Array>;
  restore(bytes: Uint8Array): void;
}

/** Makes a training on the current backend. */
export function makeTraining(plan: Plan): Training {
  if (plan.kind === 'loretta') return loretta(plan);
  return plan.kind === 'vq' || plan.kind === 'gumbel' ? autoencoder(plan) : decoder(plan);
}

const VOCAB = 61;
const SEQUENCES = 96;

/** Next tokens of sequences that are shuffled in each epoch. */
function decoder({ kind, seed, steps, dim, layers, batch, length, dropout }: Plan): Training {
  const mixer = kind as 'attention' | 'mamba' | 'hyena';
  const model = new Decoder(
    {
      ...{ vocab: VOCAB, dim, layers, mixer, dropout, maxLength: length },
      ...(mixer === 'attention' ? { heads: 4 } : {}),
    },
    key(seed),
  );
  const optimizer = new AdamW(model.namedParameters());
  const schedule = cosineWarmupMin(3e-3, Math.min(5, steps - 1), steps, 1e-4);
  const random = hostRandom(seed + 1);
  const data = Array.from({ length: SEQUENCES }, () => {
    const [start, stride] = [random.int(VOCAB), 1 + random.int(5)];
    return Int32Array.from({ length: length + 1 }, (_, i) => (start + i * stride) % VOCAB);
  });
  const dropoutKey = key(seed + 2);
  /** Rows of a step, cut to the tokens from `shift` on. */
  const rows = (step: number, shift: number): Tensor => {
    const ids = new Int32Array(batch * length);
    for (let i = 0; i < batch; i++) {
      const at = step * batch + i;
      const order = shuffled(seed + 3, Math.floor(at / SEQUENCES));
      ids.set(data[order[at % SEQUENCES]!]!.subarray(shift, shift + length), i * length);
    }
    return tensor(ids, { shape: [batch, length] });
  };
  return {
    async step() {
      const { steps: step } = optimizer;
      const { value, grads } = valueAndGrad(model.parameters(), () =>
        crossEntropyLoss(
          model.logits(model.forward(rows(step, 0), { key: dropoutKey.fold(step) })),
          rows(step, 1),
        ),
      );
      const { norm, scale } = await clipGradNorm(grads, 1);
      const lr = schedule(step);
      tidy(() => optimizer.step(grads, { lr, gradScale: scale }));
      const loss = await value.item();
      value.dispose();
      grads.dispose();
      return [loss, norm, lr];
    },
    save: () => checkpointBytes({ model, optimizer }),
    restore: (bytes) => void restoreCheckpoint(bytes, { model, optimizer }),
    [Symbol.dispose]() {
      optimizer.dispose();
      model.dispose();
    },
  };
}

/** The order of an epoch. */
function shuffled(seed: number, epoch: number): readonly number[] {
  const random = hostRandom(seed, epoch * 2 ** 20);
  const order = Array.from({ length: SEQUENCES }, (_, i) => i);
  for (let i = order.length - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** Squares of noise; dropout is what the relaxed codes' own noise is. */
function autoencoder({ kind, seed, steps, dim, layers, batch, length }: Plan): Training {
  const model = new VqVae(
    {
      ...{ size: [length, length], channels: 2, codes: 32, hidden: dim, blocks: layers, dim: 8 },
      quantizer: kind === 'vq' ? 'vq' : 'gumbel',
    },
    key(seed),
  );
  const count = 2 * length * length * 64;
  const data = tidy(() => noGrad(() => normal(key(seed + 1), [count])).dataSync()) as Float32Array;
  const trainer = new VqTrainer(model, data, { steps, batch, seed: seed + 2 });
  return {
    async step() {
      const { loss, error, perplexity, gradNorm, lr } = await trainer.step();
      return [loss, error, perplexity, gradNorm, lr];
    },
    save: () => trainer.save(),
    restore: (bytes) => void trainer.restore(bytes),
    [Symbol.dispose]() {
      trainer.dispose();
      model.dispose();
    },
  };
}

/** Share of transitive batches: with two pair sets some step of a few has one. */
const SHARE = 0.7;

/** Causal masking, dropout and noise, and blocks that the model generates; the last number counts these. */
function loretta({ seed, steps, dim, layers, batch, length, dropout }: Plan): Training {
  const toy = new Toy({
    ...{ seed, classes: 4, alphabet: 8 },
    modalities: [
      { name: 'A', length, noise: 0.1 },
      { name: 'B', length: Math.ceil(length / 2), noise: 0 },
      { name: 'C', length: length - 1, noise: 0.1 },
    ],
  });
  const { modalities, pairs, test } = toyData(toy, { seed, trainPerClass: 40, testPerClass: 5 });
  const config: ExperimentConfig = parseConfig({
    seed,
    model: { dim, layers, heads: 4, dropout },
    train: { steps: steps + 1, batch, lr: 3e-3, lrWarmup: Math.min(5, steps), noise: 0.1 },
    transitive: { earliest: 0, latest: 0 },
  });
  const arm = makeArm('transitive-masked', test.modalities, config.transitive);
  const setup = setUp({ modalities, pairs, test, oracle: null }, config, arm);
  const { trainer } = setup;
  return {
    async step() {
      const { loss, gradNorm, lr, bits, transitive } = await trainer.step(arm, SHARE);
      return [loss, gradNorm, lr, ...Object.values(bits), transitive];
    },
    save: () => trainer.save(),
    restore: (bytes) => void trainer.restore(bytes),
    [Symbol.dispose]: () => setup[Symbol.dispose](),
  };
}
