/** LoReTTa on a small world of vectors and ids, with batches that can be spoiled. */
import { hostRandom, key } from '@loretta-ts/core';
import {
  assertNeverPaired,
  type Block,
  describeData,
  generateBlock,
  generateLatentBlock,
  logLikelihood,
  makeArm,
  PairSampler,
  type PairBatch,
  type PairSource,
  type TokenData,
  type TokenSet,
  Toy,
  toyData,
  Trainer,
  type TrainData,
} from '@loretta-ts/loretta';
import { Decoder } from '@loretta-ts/nn';

/** Numbers of a vector. */
const Z = 3;
/** Rows that are scored and generated. */
const ROWS = 16;
/** Steps of a round. */
export const STEPS = 20;

/** A holds vectors; A–B and B–C are seen, A–C never. */
function worldOf(seed: number): TrainData {
  const toy = new Toy({
    ...{ seed, classes: 4, alphabet: 6 },
    modalities: [
      { name: 'A', length: 4, noise: 0.1 },
      { name: 'B', length: 3, noise: 0 },
      { name: 'C', length: 5, noise: 0.1 },
    ],
  });
  const { modalities, pairs, test } = toyData(toy, { seed, trainPerClass: 30, testPerClass: ROWS });
  const { A, B, C } = Object.fromEntries(
    Object.values(modalities).map((m): [string, TokenData] => [m.name, m]),
  ) as Record<'A' | 'B' | 'C', TokenData>;
  /** An id becomes a place in space. */
  const random = hostRandom(seed + 1);
  const places = Float32Array.from({ length: toy.alphabet * Z }, () => 4 * random.uniform() - 2);
  const inSpace = (set: TokenSet): TokenSet => ({
    ...set,
    ids: new Int32Array(set.ids.length),
    latents: Float32Array.from(
      { length: set.ids.length * Z },
      (_, i) => places[set.ids[Math.floor(i / Z)]! * Z + (i % Z)]!,
    ),
  });
  const vectors = { ...A, vocabSize: 1, latent: { dim: Z } };
  return {
    modalities: { A: { ...vectors, train: inSpace(A.train), test: inSpace(A.test) }, B, C },
    ...{ pairs, test, oracle: null },
  };
}

/** What is wrong with the vectors of the next batch. */
export type Spoilt = 'not a number' | 'too large' | null;

/** Batches of a source, of which the next can be spoiled. */
class Spoiling implements PairSource {
  readonly modalities: readonly [string, string];
  spoil: Spoilt = null;
  readonly #source: PairSource;

  constructor(source: PairSource) {
    this.modalities = source.modalities;
    this.#source = source;
  }

  get step(): number {
    return this.#source.step;
  }

  resume(step: number): void {
    this.#source.resume(step);
  }

  *[Symbol.iterator](): Generator<PairBatch, never, undefined> {
    while (true) yield this.next();
  }

  next(): PairBatch {
    const batch = this.#source.next();
    const { spoil } = this;
    this.spoil = null;
    if (spoil === null) return batch;
    const value = spoil === 'too large' ? 3e38 : Number.NaN;
    const [first, second] = batch.latents!;
    return { ...batch, latents: [first?.map(() => value), second?.map(() => value)] };
  }
}

/** The whole: steps, measurements, and the ways to go wrong. */
export interface Soak extends Disposable {
  readonly trainer: Trainer;
  step(): Promise<readonly number[]>;
  evaluate(): Promise<readonly number[]>;
  /** @throws what the signal was aborted with */
  generate(signal?: AbortSignal): Promise<readonly number[]>;
  spoilNext(how: Spoilt): void;
}

/** Starts the training on the current backend; `steps` is the length of the schedule. */
export function startSoak(seed: number, steps: number): Soak {
  const data = worldOf(seed);
  const { vocab, graph } = describeData(data);
  const arm = makeArm('transitive', Object.keys(data.modalities), {
    ...{ share: 0.5, temperature: 1, guidance: null, lossOn: 'real', allProbability: 0.1 },
  });
  const model = new Decoder(
    {
      ...{ vocab: vocab.size, dim: 32, layers: 2, heads: 4, dropout: 0.1 },
      ...{ positions: ['rope', 'within-block'], withinLength: vocab.withinSize, maxLength: 32 },
      latent: { dim: Z, components: 2 },
    },
    key(seed),
  );
  const sources = data.pairs.map(
    (pair, i) =>
      new Spoiling(
        new PairSampler(data, pair, {
          ...{ batch: 8, seed: seed + 10 + i, repair: true },
          noise: { A: { gaussian: 0.1 }, C: { replace: 0.05 } },
        }),
      ),
  );
  const trainer = new Trainer({
    ...{ model, vocab, graph, sources, seed, totalSteps: steps },
    ...{ lr: 2e-3, lrWarmup: 10, minLr: 0.1, weightDecay: 0.1, clip: 1 },
    guard: assertNeverPaired(data, 'A', 'C'),
  });
  const rows = (name: string): Block => {
    const { test } = data.modalities[name]!;
    const ids = vocab.toJoint(name, test.ids.slice(0, ROWS * test.length));
    const latents = test.latents?.slice(0, ROWS * test.length * Z);
    return { modality: name, ids, generated: false, ...(latents === undefined ? {} : { latents }) };
  };
  const [A, B, C] = ['A', 'B', 'C'].map(rows) as [Block, Block, Block];
  return {
    trainer,
    async step() {
      const { loss, gradNorm, transitive } = await trainer.step(
        arm,
        trainer.steps < STEPS ? 0 : 0.5,
      );
      return [loss, gradNorm, transitive];
    },
    async evaluate() {
      const both = [
        await logLikelihood(model, vocab, [A], C, ROWS),
        await logLikelihood(model, vocab, [C], A, ROWS),
      ];
      return both.flatMap((nats) => [...nats]);
    },
    async generate(signal) {
      const options = { key: key(seed).fold(trainer.steps), signal };
      const ids = await generateBlock(model, vocab, [A], 'C', options);
      const vectors = await generateLatentBlock(model, vocab, [B], 'A', options);
      return [...ids, ...vectors];
    },
    spoilNext(how) {
      for (const source of sources) if (source.modalities.includes('A')) source.spoil = how;
    },
    [Symbol.dispose]() {
      trainer.dispose();
      model.dispose();
    },
  };
}
