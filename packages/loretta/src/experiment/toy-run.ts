/**
 * A method trained on the analytic toy and measured exactly (LORETTA §7.1): fresh pairs of neighbours in every step,
 * then the two ends of the chain, which never occurred together, against Bayes' rule. Nothing is judged by a network.
 */
import { type Abortable, hostRandom, key } from '@loretta-ts/core';
import { Decoder, type PositionKind } from '@loretta-ts/nn';
import { Toy, type ToyModality, type ToyOptimum, toyOptimum } from '../data/toy';
import { ToySampler } from '../data/toyData';
import { type Estimate, meanOf, proportion } from '../evaluate/intervals';
import { logLikelihood } from '../infer/score';
import { generateBlock } from '../infer/generate-block';
import { ModalityGraph } from '../graph';
import { type Arm, type ArmName, makeArm, type TransitiveSchedule } from '../train/arms';
import { Trainer, type TrainOptions } from '../train/trainer';
import { Vocabulary } from '../vocabulary';

/** What decides a run on the toy. Plain JSON. */
export interface ToySettings {
  /** The method. */
  readonly arm: ArmName;
  /** Of the weights, the order of the data and what is generated. Prototypes are `world`'s. */
  readonly seed: number;
  /** Seed of the prototypes and of the test sequences, so that every run has the same right answers. */
  readonly world: number;
  /** The chain: neighbours are seen together, the first and the last never. */
  readonly modalities: readonly ToyModality[];
  /** Width of the residual stream. */
  readonly dim: number;
  /** Number of blocks. */
  readonly layers: number;
  /** Heads of attention. */
  readonly heads: number;
  /** How tokens know where they are. */
  readonly positions: readonly PositionKind[];
  /** Steps in all. */
  readonly steps: number;
  /** First step at which batches may be transitive. */
  readonly switchAt: number;
  /** Rows of each pair in a step. */
  readonly batch: number;
  /** Largest learning rate. */
  readonly lr: number;
  /** The transitive part. */
  readonly transitive: TransitiveSchedule;
}

/** One direction, scored against what can be computed. */
export interface ToyDirection {
  /** The condition. */
  readonly from: string;
  /** What is predicted. */
  readonly to: string;
  /** Bits per token of `to` given `from`. */
  readonly bits: Estimate;
  /** Bits above Bayes' rule, paired by sequence: below zero only by chance, or by a leak. */
  readonly excess: Estimate;
  /** Share of sequences generated at temperature 1 that Bayes' rule puts in the condition's class. */
  readonly accuracy: Estimate;
  /** The same, generated hop by hop along the observed pairs. */
  readonly chain: Estimate;
  /** The right answers. */
  readonly optimum: ToyOptimum;
}

/** Both directions between the ends. */
export interface ToyEvaluation {
  /** First modality given the last: a given c. */
  readonly backward: ToyDirection;
  /** Last given first: c given a. */
  readonly forward: ToyDirection;
}

/** Optimiser of LORETTA §2.2: warm-up steps, end of the cosine as a share of the rate. */
const LR_WARMUP = 50;
const MIN_LR = 0.1;
const WEIGHT_DECAY = 0.1;
const CLIP = 1;

/** LORETTA §7.1 on a chain of modalities: width 64, two layers, 1,500 steps, transitive from step 600. */
export function toySettings(
  modalities: readonly ToyModality[],
  changes: Partial<Omit<ToySettings, 'transitive' | 'modalities'>> & {
    readonly transitive?: Partial<TransitiveSchedule>;
  } = {},
): ToySettings {
  return {
    arm: 'transitive',
    seed: 0,
    world: 0,
    modalities,
    dim: 64,
    layers: 2,
    heads: 4,
    positions: ['rope', 'within-block'],
    steps: 1500,
    switchAt: 600,
    batch: 16,
    lr: 6e-3,
    ...changes,
    transitive: {
      share: 0.5,
      temperature: 1,
      guidance: null,
      lossOn: 'real',
      allProbability: 0,
      ...changes.transitive,
    },
  };
}

/** A model on the toy: train it, score it. */
export class ToyRun {
  /** What decides the run. */
  readonly settings: ToySettings;
  /** The generative model. */
  readonly toy: Toy;
  /** Joint vocabulary of its modalities. */
  readonly vocab: Vocabulary;
  /** Neighbours are observed pairs. */
  readonly graph: ModalityGraph;
  /** The model in training. */
  readonly model: Decoder;
  readonly #trainer: Trainer;
  readonly #arm: Arm;

  /** @throws DataError, ValueError for settings that do not fit */
  constructor(settings: ToySettings) {
    const { seed, world, modalities, batch, steps, lr, dim, layers, heads } = settings;
    const names = modalities.map((m) => m.name);
    const neighbours = names.slice(1).map((name, i) => [names[i]!, name] as const);
    this.settings = settings;
    this.toy = new Toy({ seed: world, modalities });
    this.vocab = new Vocabulary(
      modalities.map(({ name, length }) => ({
        name,
        length,
        vocabSize: this.toy.alphabet,
        variable: false,
      })),
    );
    this.graph = new ModalityGraph(names, neighbours);
    this.#arm = makeArm(settings.arm, names, settings.transitive);
    const { positions } = settings;
    this.model = new Decoder(
      {
        vocab: this.vocab.size,
        dim,
        layers,
        heads,
        positions,
        ...(positions.includes('within-block') ? { withinLength: this.vocab.withinSize } : {}),
        maxLength: 2 * modalities.reduce((n, m) => n + m.length + 1, 0),
      },
      key(seed).fold(1),
    );
    const pairs = this.#arm.oracle
      ? [...neighbours, [names[0]!, names.at(-1)!] as const]
      : neighbours;
    this.#trainer = new Trainer({
      model: this.model,
      vocab: this.vocab,
      graph: this.graph,
      sources: pairs.map(
        (pair, i) => new ToySampler(this.toy, pair, { batch, seed: seed + 1000 + i }),
      ),
      seed,
      totalSteps: steps,
      lr,
      lrWarmup: LR_WARMUP,
      minLr: MIN_LR,
      weightDecay: WEIGHT_DECAY,
      clip: CLIP,
    });
  }

  /** Steps taken. */
  get steps(): number {
    return this.#trainer.steps;
  }

  /**
   * Goes on to a step, by default to the end. Stopped by its signal, it may be called again.
   * @throws NonFiniteError when training diverges; what the signal was aborted with
   */
  async train({ to, onEvent, signal }: TrainOptions = {}): Promise<void> {
    const { switchAt, transitive } = this.settings;
    const share = (step: number): number => (step < switchAt ? 0 : transitive.share);
    for await (const event of this.#trainer.run(this.#arm, { share, to, signal })) onEvent?.(event);
  }

  /** Weights, moments and step, for `restore` of a run that differs in its arm only. */
  save(): Promise<Uint8Array> {
    return this.#trainer.save();
  }

  /** Goes on from another run. @throws CheckpointError, StateDictError when it is of another model */
  restore(bytes: Uint8Array): void {
    this.#trainer.restore(bytes);
  }

  /**
   * Scores both directions between the ends on `n` fresh aligned sequences, the same for every run of a world.
   * @throws what the signal was aborted with
   */
  async evaluate(n: number, { signal }: Abortable = {}): Promise<ToyEvaluation> {
    const names = this.settings.modalities.map((m) => m.name);
    const random = hostRandom(this.settings.world + 5000);
    const labels = Int32Array.from({ length: n }, () => random.int(this.toy.classes));
    const [first, last] = [names[0]!, names.at(-1)!];
    const ends = new Map(
      [first, last].map((name) => [name, this.toy.sample(name, labels, random)]),
    );
    const score = (from: string, to: string): Promise<ToyDirection> =>
      this.score(this.graph.route(from, to), ends.get(from)!, ends.get(to)!, labels, signal);
    return { backward: await score(last, first), forward: await score(first, last) };
  }

  /** Frees the weights and the optimiser's state. */
  dispose(): void {
    this.#trainer.dispose();
    this.model.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  private async score(
    route: readonly string[],
    given: Int32Array,
    target: Int32Array,
    labels: Int32Array,
    signal: AbortSignal | undefined,
  ): Promise<ToyDirection> {
    const { toy, vocab, model } = this;
    const n = labels.length;
    const [from, to] = [route[0]!, route.at(-1)!];
    const [width, length] = [toy.modality(from).length, toy.modality(to).length];
    const condition = { modality: from, ids: vocab.toJoint(from, given) };
    const wanted = { modality: to, ids: vocab.toJoint(to, target) };
    const nats = await logLikelihood(model, vocab, [condition], wanted, n, {
      over: 'vocabulary',
      signal,
    });
    const bits = nats.map((x) => -x / length / Math.LN2);
    const excess = bits.map((value, i) => {
      const posterior = toy.posterior(from, given.subarray(i * width, (i + 1) * width));
      return value - toy.bits(to, target.subarray(i * length, (i + 1) * length), posterior);
    });
    return {
      from,
      to,
      bits: meanOf(bits),
      excess: meanOf(excess),
      accuracy: await this.generated([from, to], condition.ids, labels, signal),
      chain: await this.generated(route, condition.ids, labels, signal),
      optimum: toyOptimum(toy, route, given, target, labels),
    };
  }

  /** Generates along a route and classifies the end of it. */
  private async generated(
    route: readonly string[],
    start: Int32Array,
    labels: Int32Array,
    signal: AbortSignal | undefined,
  ): Promise<Estimate> {
    const { toy, vocab, model, settings } = this;
    let ids = start;
    for (const [hop, to] of route.slice(1).entries()) {
      const from = [{ modality: route[hop]!, ids, generated: false }];
      const stream = key(settings.seed + 17)
        .fold(route.length)
        .fold(vocab.index(to));
      ids = await generateBlock(model, vocab, from, to, {
        key: stream,
        temperature: 1,
        signal,
      });
    }
    const end = route.at(-1)!;
    const { length } = toy.modality(end);
    const local = vocab.toLocal(end, ids);
    let right = 0;
    labels.forEach((label, i) => {
      if (toy.classify(end, local.subarray(i * length, (i + 1) * length)) === label) right++;
    });
    return proportion(right, labels.length);
  }
}
