/** Training of discrete autoencoders: resumable to the bit. */
import {
  type Abortable,
  type Key,
  hostRandom,
  key,
  noGrad,
  sizeOf,
  type Tensor,
  tensor,
  throwIfAborted,
  tidy,
  ValueError,
  valueAndGrad,
} from '@loretta-ts/core';
import { CheckpointError } from '../errors';
import { checkpointBytes, restoreCheckpoint } from '../files/checkpoint';
import { AdamW } from '../optim/adamw';
import { gradNorm } from '../optim/clip';
import { checkFinite } from '../optim/finite';
import { cosineWarmupMin, type Schedule } from '../optim/schedule';
import { VectorQuantizer } from './vectorQuantizer';
import type { VqVae } from './vqVae';

/** Options of `VqTrainer`. */
export interface VqTrainOptions {
  /** Steps of the whole training, for the schedules. */
  readonly steps: number;
  /** Examples of a step; default 64. */
  readonly batch?: number;
  /** Largest learning rate; default 2e-3. */
  readonly lr?: number;
  /** Steps in which the rate rises; default a twentieth of all. */
  readonly lrWarmup?: number;
  /** Largest global gradient norm; default 1. */
  readonly clip?: number;
  /** Of batches, noise and revived codes; default 0. */
  readonly seed?: number;
  /** `gumbel`: τ of a step; default `annealing(1, 1 / 16, steps)`, as DALL-E. */
  readonly temperature?: Schedule;
  /** `gumbel`: weight of KL(q ‖ uniform) of a step; default 0. */
  readonly klWeight?: Schedule;
}

/** What a step did. */
export interface VqStepReport {
  /** Number of the step, from 0. */
  readonly step: number;
  /** What was minimised. */
  readonly loss: number;
  /** Mean squared error of the reconstruction. */
  readonly error: number;
  /** Codes in use in the batch, as the exp of their entropy. */
  readonly perplexity: number;
  /** Before clipping. */
  readonly gradNorm: number;
  /** Learning rate. */
  readonly lr: number;
}

/** Counter values kept for one step. */
const STREAM = 2 ** 20;

/** From one value to another by half a cosine over `steps`, then the other: the temperature of DALL-E's dVAE. */
export function annealing(from: number, to: number, steps: number): Schedule {
  if (!Number.isFinite(from) || !Number.isFinite(to) || !(steps >= 1))
    throw new ValueError(
      'annealing',
      `needs finite ends and steps from 1, not ${from}, ${to}, ${steps}`,
    );
  return (i) => to + ((from - to) * (1 + Math.cos(Math.PI * Math.min(1, i / steps)))) / 2;
}

/** Trains a model on examples in memory. */
export class VqTrainer {
  /** The model in training. */
  readonly model: VqVae;
  private readonly data: Float32Array;
  private readonly options: Required<VqTrainOptions>;
  private readonly optimizer: AdamW;
  private readonly schedule: Schedule;
  private readonly key: Key;
  private done = 0;

  /**
   * @param data `[n, channels, ...size]`, best of mean 0 and variance 1
   * @throws ValueError for data that are empty, not whole examples or not finite, and for options out of range
   */
  constructor(model: VqVae, data: Float32Array, options: VqTrainOptions) {
    const { steps } = options;
    const size = exampleSize(model);
    if (data.length === 0 || data.length % size !== 0) {
      throw new ValueError(
        'VqTrainer',
        `${data.length} values are not a positive number of examples of ${size}`,
      );
    }
    if (!data.every(Number.isFinite))
      throw new ValueError('VqTrainer', 'the data hold values that are not finite');
    this.options = {
      steps,
      batch: options.batch ?? 64,
      lr: options.lr ?? 2e-3,
      lrWarmup: options.lrWarmup ?? Math.floor(steps / 20),
      clip: options.clip ?? 1,
      seed: options.seed ?? 0,
      temperature: options.temperature ?? annealing(1, 1 / 16, steps),
      klWeight: options.klWeight ?? (() => 0),
    };
    const { batch, lr, lrWarmup, clip, seed } = this.options;
    if (!Number.isInteger(batch) || batch < 1 || !(clip > 0))
      throw new ValueError('VqTrainer', `batch is ${batch} and clip ${clip}: give positive ones`);
    this.model = model;
    this.data = data;
    this.schedule = cosineWarmupMin(lr, lrWarmup, steps, lr / 20);
    this.key = key(seed);
    this.optimizer = new AdamW(model.namedParameters(), { lr, weightDecay: 0 });
  }

  /** Steps taken. */
  get steps(): number {
    return this.done;
  }

  /**
   * One step on a random batch. The first one takes the codes from its batch before it begins.
   * @throws NonFiniteError before a weight changes, when the loss or a gradient is not finite
   */
  async step(): Promise<VqStepReport> {
    const { model, done: step } = this;
    const { temperature, klWeight, clip } = this.options;
    const [noiseKey, codeKey, firstKey] = this.key.fold(step).split(3) as [Key, Key, Key];
    const x = this.batch(step);
    try {
      const { quantizer } = model;
      if (step === 0 && quantizer instanceof VectorQuantizer)
        tidy(() =>
          quantizer.initialise(
            noGrad(() => model.encodeLatent(x)),
            firstKey,
          ),
        );
      const lossOf = () => {
        const { loss, error, perplexity, latent, indices } = model.forward(x, {
          key: noiseKey,
          temperature: temperature(step),
          klWeight: klWeight(step),
        });
        return [loss, { error, perplexity, latent, indices }] as const;
      };
      const { value, grads, aux } = valueAndGrad(model.parameters(), lossOf);
      let norm: Tensor | null = null;
      try {
        norm = tidy(() => gradNorm(grads));
        const read = [value, aux.error, aux.perplexity, norm].map((t) => t.item());
        const [loss, error, perplexity, size] = (await Promise.all(read)) as [
          number,
          number,
          number,
          number,
        ];
        await checkFinite({
          ...{ where: 'VqTrainer', step, loss, norm: size },
          ...{ params: model.namedParameters(), fn: lossOf },
        });
        const lr = this.schedule(step);
        this.optimizer.step(grads, { lr, gradScale: Math.min(1, clip / (size + 1e-6)) });
        if (quantizer instanceof VectorQuantizer && quantizer.options.decay !== null)
          quantizer.update(aux.latent, aux.indices, codeKey);
        this.done++;
        return { step, loss, error, perplexity, gradNorm: size, lr };
      } finally {
        for (const t of [value, norm, ...Object.values(aux)]) t?.dispose();
        grads.dispose();
      }
    } finally {
      x.dispose();
    }
  }

  private batch(step: number): Tensor {
    const { channels, size, dtype } = this.model.config;
    const { batch, seed } = this.options;
    const length = exampleSize(this.model);
    const count = this.data.length / length;
    const random = hostRandom(seed, step * STREAM);
    const rows = new Float32Array(batch * length);
    for (let i = 0; i < batch; i++) {
      const at = random.int(count) * length;
      rows.set(this.data.subarray(at, at + length), i * length);
    }
    return tensor(rows, { shape: [batch, channels, ...size], dtype }).keep();
  }

  /** Weights, codes with their averages, moments and step as safetensors bytes. */
  async save(metadata: Readonly<Record<string, string>> = {}): Promise<Uint8Array> {
    const { model, optimizer } = this;
    return await checkpointBytes({
      model,
      optimizer,
      metadata: { ...metadata, step: String(this.done) },
    });
  }

  /** Goes on from saved bytes. @throws CheckpointError, StateDictError when they are of another model */
  restore(bytes: Uint8Array): ReadonlyMap<string, string> {
    const { model, optimizer } = this;
    const metadata = restoreCheckpoint(bytes, { model, optimizer });
    const step = Number(metadata.get('step'));
    if (!Number.isSafeInteger(step) || step < 0)
      throw new CheckpointError('it has no training step: it was not saved by VqTrainer');
    this.done = step;
    return metadata;
  }

  /** Frees the optimiser's state; the model stays. */
  dispose(): void {
    this.optimizer.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/**
 * Trains to the end of `options.steps`, one report a step. Leaving the loop stops the training; the model keeps what
 * it has learned.
 * @param data `[n, channels, ...size]`
 * @param options.signal stops before the next step @throws what the signal was aborted with, and what `VqTrainer` throws
 */
export async function* trainVqVae(
  model: VqVae,
  data: Float32Array,
  options: VqTrainOptions & Abortable,
): AsyncGenerator<VqStepReport, void, undefined> {
  const trainer = new VqTrainer(model, data, options);
  try {
    while (trainer.steps < options.steps) {
      await throwIfAborted(options.signal);
      yield await trainer.step();
    }
  } finally {
    trainer.dispose();
  }
}

function exampleSize({ config }: VqVae): number {
  return config.channels * sizeOf(config.size);
}
