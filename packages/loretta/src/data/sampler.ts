/** Batches of pairs, shuffled anew every epoch by an explicit seed; batch n is a function of (seed, n) alone. */
import { hostRandom } from '@loretta-ts/core';
import { type PairSet, shuffle } from './align';
import { DataError, requireCount, requireReal } from './errors';
import type { ModalityData, TokenSet } from './modality';
import { standardNormal } from './standardNormal';
import { byClass } from './source';

/** One batch of two aligned modalities. */
export interface PairBatch {
  /** The two modalities, in the order of all fields below. */
  readonly modalities: readonly [string, string];
  /** Number of rows b. */
  readonly size: number;
  /** Local ids of both modalities, `[b, length of the modality]`, padded as their token sets are. */
  readonly ids: readonly [Int32Array, Int32Array];
  /** Vectors `[b, length, z]` of those that are latent modalities; absent where neither is. */
  readonly latents?: readonly [Float32Array | undefined, Float32Array | undefined];
  /** Lengths `[b]` of both, undefined where all rows are full. */
  readonly lengths: readonly [Int32Array | undefined, Int32Array | undefined];
  /** Training sample of each block, `[b, 2]`; −1 for drawn samples that no set holds. */
  readonly index: Int32Array;
  /** Class of each row, `[b]`: for metrics, never for training. */
  readonly labels: Int32Array;
}

/**
 * A resumable stream of batches. Iterating over it gives batches without end, `for (const batch of source)`; a loop that
 * breaks leaves the source behind the last batch that it was given.
 */
export interface PairSource extends Iterable<PairBatch> {
  /** The two modalities of every batch. */
  readonly modalities: readonly [string, string];
  /** The next batch. */
  next(): PairBatch;
  /** Batches given so far: all there is to save. */
  readonly step: number;
  /** Goes on after batch `step`, as if so many had been drawn. */
  resume(step: number): void;
}

/** Changes to the tokens of one modality that do not change its class. */
export interface TokenNoise {
  /** Probability that a token is replaced by a uniform one. Default 0. */
  readonly replace?: number;
  /** Most tokens that a sequence moves to either side, its ends repeated: a time shift. Default 0. */
  readonly shift?: number;
  /**
   * Deviation of Gaussian noise on the numbers of a latent modality, drawn anew for every batch; default 0. It keeps a
   * density from growing without bound where data repeat one vector. `replace` and `shift` are of ids.
   */
  readonly gaussian?: number;
}

/** Options of {@link PairSampler}. */
export interface PairSamplerOptions {
  /** Rows of a batch. */
  readonly batch: number;
  /** Decides order and noise. */
  readonly seed: number;
  /** Pair anew within each class every epoch, from the same disjoint samples. Default false: pairs stay as aligned. */
  readonly repair?: boolean;
  /** Augmentation by modality. Default none. */
  readonly noise?: Readonly<Record<string, TokenNoise>>;
}

/** What a sampler reads of a data set. */
export interface SampledData {
  /** Modalities by name. */
  readonly modalities: Readonly<Record<string, Pick<ModalityData, 'name' | 'vocabSize' | 'train'>>>;
}

/** Counter values kept for one epoch's order, and for one batch's noise. */
const STREAM = 2 ** 24;

/** Gives every pair of a set once per epoch; the last batch of an epoch takes its rest from the next one. */
export class PairSampler implements PairSource {
  /** The two modalities of every batch. */
  readonly modalities: readonly [string, string];
  readonly #pair: PairSet;
  readonly #sets: readonly [TokenSet, TokenSet];
  readonly #noise: readonly [Noise | null, Noise | null];
  readonly #options: PairSamplerOptions;
  #step = 0;
  #epoch = -1;
  #order = new Int32Array(0);
  #partner = new Int32Array(0);

  /** @throws DataError for an empty set, an unknown modality or an option out of range */
  constructor(data: SampledData, pair: PairSet, options: PairSamplerOptions) {
    requireCount('PairSampler: batch', options.batch, 1, 1 << 20);
    if (pair.size === 0) throw new DataError('class', 'PairSampler', 'the pair set is empty');
    const [a, b] = pair.modalities.map((name) => {
      const modality = data.modalities[name];
      if (modality !== undefined) return modality;
      throw new DataError('config', 'PairSampler', `no modality ${name}`);
    });
    this.modalities = pair.modalities;
    this.#pair = pair;
    this.#sets = [a!.train, b!.train];
    this.#noise = [
      makeNoise(a!.name, a!.vocabSize, options.noise?.[a!.name], a!.train.latents !== undefined),
      makeNoise(b!.name, b!.vocabSize, options.noise?.[b!.name], b!.train.latents !== undefined),
    ];
    this.#options = options;
  }

  get step(): number {
    return this.#step;
  }

  resume(step: number): void {
    requireCount('PairSampler: step', step, 0, Number.MAX_SAFE_INTEGER);
    this.#step = step;
  }

  /** Batches from here on, without end. */
  *[Symbol.iterator](): Generator<PairBatch, never, undefined> {
    while (true) yield this.next();
  }

  next(): PairBatch {
    const { batch, seed } = this.#options;
    const { size, index, labels } = this.#pair;
    const rows = new Int32Array(2 * batch);
    const classes = new Int32Array(batch);
    for (let r = 0; r < batch; r++) {
      const position = this.#step * batch + r;
      this.#openEpoch(Math.floor(position / size));
      const n = this.#order[position % size]!;
      rows[2 * r] = index[2 * n]!;
      rows[2 * r + 1] = index[2 * this.#partner[n]! + 1]!;
      classes[r] = labels[n]!;
    }
    const random = hostRandom(seed + 1, this.#step * STREAM);
    this.#step++;
    const blocks = [0, 1].map((side) => {
      const block = gather(this.#sets[side]!, rows, side);
      const noise = this.#noise[side];
      if (noise) applyNoise(block, noise, random);
      return block;
    });
    const [left, right] = [blocks[0]!, blocks[1]!];
    return {
      modalities: this.modalities,
      size: batch,
      ids: [left.ids, right.ids],
      ...(left.latents === undefined && right.latents === undefined
        ? {}
        : { latents: [left.latents, right.latents] }),
      lengths: [left.lengths, right.lengths],
      index: rows,
      labels: classes,
    };
  }

  #openEpoch(epoch: number): void {
    if (epoch === this.#epoch) return;
    const { size, labels } = this.#pair;
    const random = hostRandom(this.#options.seed, epoch * STREAM);
    this.#epoch = epoch;
    this.#order = Int32Array.from({ length: size }, (_, i) => i);
    this.#partner = this.#order.slice();
    shuffle(this.#order, random);
    if (this.#options.repair !== true) return;
    for (const group of byClass(labels, 1 + labels.reduce((a, b) => Math.max(a, b), 0))) {
      const mixed = group.slice();
      shuffle(mixed, random);
      group.forEach((n, i) => {
        this.#partner[n] = mixed[i]!;
      });
    }
  }
}

interface Block {
  readonly ids: Int32Array;
  readonly latents: Float32Array | undefined;
  readonly length: number;
  readonly lengths: Int32Array | undefined;
}

interface Noise {
  readonly vocabSize: number;
  readonly replace: number;
  readonly shift: number;
  readonly gaussian: number;
}

function makeNoise(
  name: string,
  vocabSize: number,
  noise: TokenNoise | undefined,
  latent: boolean,
): Noise | null {
  const replace = noise?.replace ?? 0;
  const shift = noise?.shift ?? 0;
  requireReal(`PairSampler: noise.${name}.replace`, replace, 0, 1);
  requireCount(`PairSampler: noise.${name}.shift`, shift, 0, 1 << 16);
  const gaussian = noise?.gaussian ?? 0;
  requireReal(`PairSampler: noise.${name}.gaussian`, gaussian, 0, 1e6);
  if (latent ? replace > 0 || shift > 0 : gaussian > 0) {
    throw new DataError(
      'config',
      'PairSampler',
      `noise of ${name}: replace and shift are of ids, gaussian is of vectors`,
    );
  }
  return replace === 0 && shift === 0 && gaussian === 0
    ? null
    : { vocabSize, replace, shift, gaussian };
}

/** Rows of a token set by the `side`-th column of `rows` `[b, 2]`. */
function gather(set: TokenSet, rows: Int32Array, side: number): Block {
  const { length } = set;
  const size = rows.length / 2;
  const ids = new Int32Array(size * length);
  const lengths = set.lengths && new Int32Array(size);
  const numbers = set.latents === undefined ? 0 : set.latents.length / set.labels.length;
  const latents = set.latents && new Float32Array(size * numbers);
  for (let r = 0; r < size; r++) {
    const sample = rows[2 * r + side]!;
    ids.set(set.ids.subarray(sample * length, (sample + 1) * length), r * length);
    if (lengths) lengths[r] = set.lengths![sample]!;
    latents?.set(set.latents!.subarray(sample * numbers, (sample + 1) * numbers), r * numbers);
  }
  return { ids, latents, length, lengths };
}

function applyNoise(
  block: Block,
  noise: Noise,
  random: { uniform(): number; int(n: number): number },
): void {
  const { ids, latents, length, lengths } = block;
  if (latents !== undefined) {
    for (let i = 0; i < latents.length; i++) latents[i]! += noise.gaussian * standardNormal(random);
    return;
  }
  for (let start = 0, r = 0; start < ids.length; start += length, r++) {
    const own = lengths?.[r] ?? length;
    const offset = noise.shift === 0 ? 0 : random.int(2 * noise.shift + 1) - noise.shift;
    const source = ids.slice(start, start + own);
    for (let t = 0; t < own; t++) {
      const from = Math.min(own - 1, Math.max(0, t - offset));
      const replaced = noise.replace > 0 && random.uniform() < noise.replace;
      ids[start + t] = replaced ? random.int(noise.vocabSize) : source[from]!;
    }
  }
}
