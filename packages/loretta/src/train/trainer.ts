/**
 * The trainer: draws a batch of every pair set, lets the objective turn it into sequences, takes one step. Step n is a
 * function of (seed, n) and the weights alone, so a resumed run repeats an unbroken one bit for bit.
 */
import {
  type Abortable,
  hostRandom,
  type Key,
  key,
  type Tensor,
  throwIfAborted,
  tidy,
  ValueError,
  valueAndGrad,
} from '@loretta-ts/core';
import {
  AdamW,
  checkFinite,
  checkpointBytes,
  cosineWarmupMin,
  type Decoder,
  gradNorm,
  type OnNonFinite,
  restoreCheckpoint,
} from '@loretta-ts/nn';
import { DataError } from '../data/errors';
import type { JobOptions, StepEvent } from '../events';
import type { BatchGuard } from '../data/neverPaired';
import type { PairBatch, PairSource } from '../data/sampler';
import type { ModalityGraph } from '../graph';
import { packedLoss } from '../loss';
import type { Objective } from '../objectives/objective';
import { concatPacked, type Packed } from '../sequence';
import type { Vocabulary } from '../vocabulary';
import type { Arm } from './arms';
import { toBatch } from './data';

/** What a trainer works with. */
export interface TrainerOptions {
  /** The decoder to train. */
  readonly model: Decoder;
  /** Joint vocabulary of the sources. */
  readonly vocab: Vocabulary;
  /** Which pairs are observed. */
  readonly graph: ModalityGraph;
  /** One stream of batches for each pair set. */
  readonly sources: readonly PairSource[];
  /** Of orders, branches, samples and dropout. */
  readonly seed: number;
  /** Length of the schedule. */
  readonly totalSteps: number;
  /** Largest learning rate. */
  readonly lr: number;
  /** Steps of linear warm-up of the rate. */
  readonly lrWarmup: number;
  /** Smallest rate, as a share of `lr`. */
  readonly minLr: number;
  /** Of AdamW. */
  readonly weightDecay: number;
  /** Largest global gradient norm. */
  readonly clip: number;
  /** Called on the real rows of every batch: throws when the unseen pair is in one. */
  readonly guard?: BatchGuard;
  /**
   * What happens to a step whose loss or gradient norm is not finite: `refuse` (default) throws, `skip` counts it and goes
   * on, with `skipped` in its report. Neither changes a weight or moment.
   */
  readonly onNonFinite?: OnNonFinite;
}

/** What happened in a step. */
export interface StepReport {
  /** Number of the step, from 0. */
  readonly step: number;
  /** Nats: mean over modalities, then over rows. */
  readonly loss: number;
  /** Mean loss of each modality's tokens in this step, bits (of vectors per dimension); absent where it was no target. */
  readonly bits: Readonly<Record<string, number>>;
  /** Global gradient norm before clipping. */
  readonly gradNorm: number;
  /** Learning rate of the step. */
  readonly lr: number;
  /** Tokens that the model was trained on, padding included; those of generation are not among them. */
  readonly tokens: number;
  /** Pair sets whose batch was transitive. */
  readonly transitive: number;
  /** Why nothing was learned in this step: the op that gave what is not finite, in words; absent where it was taken. */
  readonly skipped?: string | undefined;
  /** What was generated, with the class of the row it was generated for. */
  readonly generated: readonly {
    /** What was generated. */
    modality: string;
    /** Block that it was generated from. */
    from: string;
    /** `[b, length]` joint ids. */
    ids: Int32Array;
    /** `[b, length, z]`, of a latent modality. */
    latents?: Float32Array;
    /** Class of each row, `[b]`. */
    labels: Int32Array;
  }[];
}

/** A step of a run, with everything that is known of it. */
export interface TrainEvent extends StepEvent, StepReport {}

/** Options of `Trainer.run`. */
export interface TrainerRunOptions extends Abortable {
  /** Share of transitive batches, at every step or at step 0, 1, …; default 0. */
  readonly share?: number | ((step: number) => number);
  /** Step to stop before; default the end of the schedule. */
  readonly to?: number | undefined;
}

/** Options of the `train` of a run whose settings say the rest. */
export interface TrainOptions extends JobOptions<TrainEvent>, Pick<TrainerRunOptions, 'to'> {}

/** Counter values kept for one step. */
const STREAM = 2 ** 20;

/** Trains a decoder on the batches of several pair sets. */
export class Trainer {
  /** The model in training. */
  readonly model: Decoder;
  private readonly options: TrainerOptions;
  private readonly optimizer: AdamW;
  private readonly schedule: (step: number) => number;
  private readonly key: Key;
  private done = 0;

  /** @throws ValueError for no sources, or a schedule that is out of range */
  constructor(options: TrainerOptions) {
    if (options.sources.length === 0)
      throw new ValueError('Trainer', 'there are no pair sets: give one source at least');
    this.options = options;
    this.model = options.model;
    this.optimizer = new AdamW(options.model.namedParameters(), {
      lr: options.lr,
      betas: [0.9, 0.95],
      weightDecay: options.weightDecay,
    });
    this.schedule = cosineWarmupMin(
      options.lr,
      options.lrWarmup,
      options.totalSteps,
      options.lr * options.minLr,
    );
    this.key = key(options.seed);
  }

  /** Steps taken. */
  get steps(): number {
    return this.done;
  }

  /**
   * One step of an arm. `share` of the batches are transitive, drawn by the step's own random numbers.
   * @throws NonFiniteError before anything changes, when the loss or a gradient is not finite (see `onNonFinite`), with
   * the op that made it so; ValueError for a share outside [0, 1]; what the guard throws; what the signal was aborted with, before anything changes: the step may be
   * taken again, and gives what it would have given
   */
  async step(arm: Arm, share: number, { signal }: Abortable = {}): Promise<StepReport> {
    if (!(share >= 0 && share <= 1))
      throw new ValueError('Trainer', `the share of transitive steps is ${share}, not in [0, 1]`);
    const { vocab, sources, seed, graph, clip } = this.options;
    const step = this.done;
    const random = hostRandom(seed + 7, step * STREAM);
    const stepKey = this.key.fold(step);
    const packs: Packed[] = [];
    const generated: StepReport['generated'][number][] = [];
    let transitive = 0;
    for (const [i, source] of sources.entries()) {
      await throwIfAborted(signal);
      source.resume(step);
      const pairs = source.next();
      this.checkPairs(pairs);
      const linked = arm.transitive !== null && random.uniform() < share;
      if (linked) transitive++;
      const objective: Objective = linked ? arm.transitive! : arm.base;
      const made = await objective(toBatch(vocab, pairs), {
        model: this.model,
        vocab,
        graph,
        random,
        key: stepKey.fold(i),
        signal,
      });
      packs.push(made.packed);
      for (const g of made.generated) generated.push({ ...g, labels: pairs.labels });
    }
    const { norm, ...done } = await this.update(
      groupByLength(packs),
      stepKey.fold(sources.length),
      clip,
      arm.loss,
    );
    this.done++;
    const tokens = packs.reduce((n, p) => n + p.b * p.t, 0);
    return { step, ...done, gradNorm: norm, tokens, transitive, generated };
  }

  /**
   * Steps of an arm, each as it is done. Leaving the loop stops the training after the step that was given; it may go on
   * later, here or by `step`, as if nothing had been.
   * @throws as `step`
   */
  async *run(
    arm: Arm,
    { share = 0, to = this.options.totalSteps, signal }: TrainerRunOptions = {},
  ): AsyncGenerator<TrainEvent, void, undefined> {
    while (this.done < to) {
      const now = typeof share === 'number' ? share : share(this.done);
      const report = await this.step(arm, now, { signal });
      yield { type: 'step', steps: this.options.totalSteps, ...report };
    }
  }

  private checkPairs(pairs: PairBatch): void {
    if (pairs.index[0] === -1) return; // drawn, not from a set
    this.options.guard?.({ modalities: pairs.modalities, index: pairs.index });
  }

  private async update(
    packs: readonly Packed[],
    dropoutKey: Key,
    clip: number,
    lossOptions: Arm['loss'],
  ): Promise<Pick<StepReport, 'loss' | 'bits' | 'lr' | 'skipped'> & { readonly norm: number }> {
    const { vocab, model } = this.options;
    const rows = packs.reduce((n, p) => n + p.b, 0);
    const counts = new Array<number>(vocab.modalities.length).fill(0);
    const lossOf = (): readonly [Tensor, Tensor[]] => {
      counts.fill(0);
      let total: Tensor | null = null;
      const sums: Tensor[] = [];
      packs.forEach((packed, i) => {
        const parts = packedLoss(model, vocab, packed, {
          ...lossOptions,
          key: dropoutKey.fold(i),
        });
        const weighted = parts.loss.mul(packed.b / rows);
        total = total === null ? weighted : total.add(weighted);
        sums.push(parts.sums);
        parts.counts.forEach((n, m) => {
          counts[m]! += n;
        });
      });
      return [total!, sums];
    };
    const { value, grads, aux } = valueAndGrad(model.parameters(), lossOf);
    const lr = this.schedule(this.done);
    let norm: Tensor | null = null;
    try {
      norm = tidy(() => gradNorm(grads));
      const numbers = await Promise.all([value.item(), norm.item(), ...aux.map((t) => t.data())]);
      const [loss, size] = numbers as [number, number];
      const skipped = await checkFinite(
        {
          ...{ where: 'trainer', step: this.done, loss, norm: size },
          ...{ params: model.namedParameters(), fn: lossOf },
        },
        this.options.onNonFinite,
      );
      if (skipped === null) {
        tidy(() => {
          this.optimizer.step(grads, { lr, gradScale: Math.min(1, clip / (size + 1e-6)) });
        });
      }
      const bits: Record<string, number> = {};
      vocab.modalities.forEach((m, i) => {
        if (counts[i] === 0) return;
        const nats = aux.reduce((s, _, j) => s + (numbers[j + 2] as Float32Array)[i]!, 0);
        bits[m.name] = nats / counts[i]! / Math.LN2;
      });
      return { loss, bits, norm: size, lr, skipped: skipped?.message };
    } finally {
      value.dispose();
      norm?.dispose();
      grads.dispose();
      for (const t of aux) t.dispose();
    }
  }

  /**
   * Weights, moments and step as safetensors bytes.
   * With `onlyFinite` (default false) those that are not finite are refused, before they take the place of a good file.
   * @throws NonFiniteError with `onlyFinite`, by the name of the weight
   */
  async save(
    metadata: Readonly<Record<string, string>> = {},
    { onlyFinite = false }: { readonly onlyFinite?: boolean } = {},
  ): Promise<Uint8Array> {
    return await checkpointBytes({
      onlyFinite,
      model: this.model,
      optimizer: this.optimizer,
      metadata: { ...metadata, step: String(this.done) },
    });
  }

  /** Goes on from saved bytes. @throws CheckpointError, StateDictError when they are of another model */
  restore(bytes: Uint8Array): ReadonlyMap<string, string> {
    const metadata = restoreCheckpoint(bytes, { model: this.model, optimizer: this.optimizer });
    const step = Number(metadata.get('step'));
    if (!Number.isSafeInteger(step) || step < 0) {
      throw new DataError(
        'format',
        'checkpoint',
        'has no training step: it was not saved by the trainer',
      );
    }
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

/** Sequences of one length go through the model together. */
function groupByLength(packs: readonly Packed[]): Packed[] {
  const lengths = [...new Set(packs.map((p) => p.t))];
  return lengths.map((t) => {
    const same = packs.filter((p) => p.t === t);
    return same.length === 1 ? same[0]! : concatPacked(same);
  });
}
