/** The toy as training and test data: pairs without end from a seed, or finite sets like those of any other source. */
import { hostRandom } from '@loretta-ts/core';
import { type AlignedData, alignByClass } from './align';
import { DataError, requireCount } from './errors';
import type { ModalityData, TokenSet } from './modality';
import type { PairBatch, PairSource } from './sampler';
import type { Toy } from './toy';

/** Counter values kept for one batch. */
const STREAM = 2 ** 24;

/** Fresh pairs of two toy modalities, uniform over classes; batch n is a function of (seed, n) alone. */
export class ToySampler implements PairSource {
  /** The two modalities of every batch. */
  readonly modalities: readonly [string, string];
  readonly #toy: Toy;
  readonly #batch: number;
  readonly #seed: number;
  #step = 0;

  /** @throws DataError for an unknown modality or a batch size out of range */
  constructor(
    toy: Toy,
    modalities: readonly [string, string],
    options: { readonly batch: number; readonly seed: number },
  ) {
    requireCount('ToySampler: batch', options.batch, 1, 1 << 20);
    for (const name of modalities) toy.modality(name);
    this.modalities = modalities;
    this.#toy = toy;
    this.#batch = options.batch;
    this.#seed = options.seed;
  }

  get step(): number {
    return this.#step;
  }

  resume(step: number): void {
    requireCount('ToySampler: step', step, 0, Number.MAX_SAFE_INTEGER);
    this.#step = step;
  }

  /** Batches from here on, without end. */
  *[Symbol.iterator](): Generator<PairBatch, never, undefined> {
    while (true) yield this.next();
  }

  next(): PairBatch {
    const random = hostRandom(this.#seed, this.#step * STREAM);
    this.#step++;
    const labels = Int32Array.from({ length: this.#batch }, () => random.int(this.#toy.classes));
    const [x, y] = this.modalities;
    return {
      modalities: this.modalities,
      size: this.#batch,
      ids: [this.#toy.sample(x, labels, random), this.#toy.sample(y, labels, random)],
      lengths: [undefined, undefined],
      index: new Int32Array(2 * this.#batch).fill(-1),
      labels,
    };
  }
}

/** Options of {@link toyData}. */
export interface ToyDataOptions {
  /** Decides the sequences and which go together. */
  readonly seed: number;
  /** Observed pairs. Default: neighbours in the order of the toy's modalities, A–B, B–C, … */
  readonly pairs?: readonly (readonly [string, string])[];
  /** Training sequences per class and modality. Default 200. */
  readonly trainPerClass?: number;
  /** Test rows per class. Default 100. */
  readonly testPerClass?: number;
}

/** Finite aligned data of a toy. @throws DataError for sizes out of range or unknown pairs */
export function toyData(toy: Toy, options: ToyDataOptions): AlignedData {
  const train = options.trainPerClass ?? 200;
  const test = options.testPerClass ?? 100;
  requireCount('toyData: trainPerClass', train, 1, 1_000_000);
  requireCount('toyData: testPerClass', test, 1, 1_000_000);
  const names = toy.modalities.map((m) => m.name);
  const random = hostRandom(options.seed);
  const draw = (name: string, perClass: number): TokenSet => {
    const labels = Int32Array.from({ length: perClass * toy.classes }, (_, i) => i % toy.classes);
    const { length } = toy.modality(name);
    return { ids: toy.sample(name, labels, random), length, labels, classes: toy.classes };
  };
  const modalities = Object.fromEntries(
    names.map((name) => [name, toyModality(toy, name, draw(name, train), draw(name, test))]),
  );
  const pairs = options.pairs ?? names.slice(1).map((name, i) => [names[i]!, name] as const);
  return alignByClass(modalities, { pairs, seed: options.seed + 1 });
}

function toyModality(toy: Toy, name: string, train: TokenSet, test: TokenSet): ModalityData {
  const { length } = toy.modality(name);
  return {
    name,
    source: 'toy',
    credit: 'toy: drawn by this package, MIT',
    classes: toy.classes,
    vocabSize: toy.alphabet,
    maxLength: length,
    fixedLength: true,
    describe: `${length} tokens of ${toy.alphabet}`,
    encode: (sample) => {
      if (sample.kind === 'tokens') return sample.ids;
      throw new DataError('config', name, `cannot encode a sample of kind ${sample.kind}`);
    },
    decode: (ids) => ({ kind: 'tokens', ids: Int32Array.from(ids) }),
    toJSON: () => ({ name, length, alphabet: toy.alphabet }),
    train,
    test,
    raw: (split, index) => {
      const set = split === 'train' ? train : test;
      if (index >= 0 && index < set.labels.length) {
        return { kind: 'tokens', ids: set.ids.slice(index * length, (index + 1) * length) };
      }
      throw new DataError('config', name, `no ${split} sample ${index}`);
    },
  };
}
