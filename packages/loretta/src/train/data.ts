/** What training and evaluation need of a data set: token arrays only, so that it can be sent to a worker. */
import type { AlignedTest, PairSet } from '../data/align';
import { DataError } from '../data/errors';
import type { TokenSet } from '../data/modality';
import type { PairBatch } from '../data/sampler';
import type { Modality } from '../modality';
import type { Batch } from '../objectives/objective';
import type { Vocabulary } from '../vocabulary';

/** A modality's tokens. */
export interface TokenData {
  /** Name, unique in a data set. */
  readonly name: string;
  /** Number of local ids. */
  readonly vocabSize: number;
  /** Longest sequence in tokens. */
  readonly maxLength: number;
  /** Whether every sequence is `maxLength` long. */
  readonly fixedLength: boolean;
  /** Its content is vectors of so many numbers, and `vocabSize` is 1. */
  readonly latent?: {
    /** Width of a vector. */
    readonly dim: number;
  };
  /** Tokens to train on. */
  readonly train: TokenSet;
  /** Tokens to evaluate on. */
  readonly test: TokenSet;
}

/** Tokenized modalities, their observed pairs and aligned test rows. Plain data. */
export interface TrainData {
  /** Modalities by name. */
  readonly modalities: Readonly<Record<string, TokenData>>;
  /** The observed pairs. */
  readonly pairs: readonly PairSet[];
  /** Aligned test rows. */
  readonly test: AlignedTest;
  /** Real pairs of the two unseen modalities, for the oracle only. */
  readonly oracle: PairSet | null;
  /** What a pair shares: its class (default), so that pairs may be drawn anew within it, or the very instance. */
  readonly pairing?: 'class' | 'instance';
}

/** The plain part of a modality. */
export function tokenData(m: TokenData): TokenData {
  const { name, vocabSize, maxLength, fixedLength, latent, train, test } = m;
  const plain = { name, vocabSize, maxLength, fixedLength, train, test };
  return latent === undefined ? plain : { ...plain, latent };
}

/** The modalities as the joint vocabulary wants them. */
export function modalitiesOf(data: TrainData): Modality[] {
  return Object.values(data.modalities).map((m) => ({
    name: m.name,
    vocabSize: m.vocabSize,
    length: m.maxLength,
    variable: !m.fixedLength,
    ...(m.latent === undefined ? {} : { latent: m.latent }),
  }));
}

/**
 * Local ids `[b, length]` as a block of joint ids: content, then the end token and padding where a row is shorter.
 * @throws DataError when a variable modality comes without lengths
 */
export function toBlock(
  vocab: Vocabulary,
  name: string,
  ids: Int32Array,
  length: number,
  lengths: Int32Array | undefined,
): Int32Array {
  const joint = vocab.toJoint(name, ids);
  if (lengths === undefined) return joint;
  for (let row = 0; row < lengths.length; row++) {
    const n = lengths[row]!;
    if (n > length)
      throw new DataError('format', name, `a row has ${n} tokens, at most ${length} fit`);
    if (n === length) continue;
    joint[row * length + n] = vocab.end(name);
    joint.fill(0, row * length + n + 1, (row + 1) * length);
  }
  return joint;
}

/**
 * The inverse of {@link toBlock}: local ids `[b, length]` and the length of each row. The end token and what is behind it
 * count for nothing.
 * @throws ValueError for an id of another modality
 */
export function fromBlock(
  vocab: Vocabulary,
  name: string,
  block: Int32Array,
): { readonly ids: Int32Array; readonly lengths: Int32Array } {
  const { length } = vocab.modality(name);
  const end = vocab.end(name);
  const lengths = Int32Array.from({ length: block.length / length }, (_, row) => {
    const at = block.subarray(row * length, (row + 1) * length).indexOf(end);
    return at < 0 ? length : at;
  });
  return { ids: vocab.toLocal(name, block), lengths };
}

/** A batch of pairs in joint ids. */
export function toBatch(vocab: Vocabulary, batch: PairBatch): Batch {
  const blocks: Record<string, Int32Array> = {};
  const latents: Record<string, Float32Array> = {};
  batch.modalities.forEach((name, side) => {
    const ids = batch.ids[side]!;
    blocks[name] = toBlock(vocab, name, ids, ids.length / batch.size, batch.lengths[side]);
    const vectors = batch.latents?.[side];
    if (vectors !== undefined) latents[name] = vectors;
  });
  return { b: batch.size, blocks, ...(batch.latents === undefined ? {} : { latents }) };
}

/** Rows of a token set as a block of joint ids, `[rows, length]`. */
export function rowsOf(
  vocab: Vocabulary,
  name: string,
  set: TokenSet,
  rows: ArrayLike<number>,
): Int32Array {
  const { length } = set;
  const ids = new Int32Array(rows.length * length);
  const lengths = set.lengths && new Int32Array(rows.length);
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i]!;
    ids.set(set.ids.subarray(row * length, (row + 1) * length), i * length);
    if (lengths) lengths[i] = set.lengths![row]!;
  }
  return toBlock(vocab, name, ids, length, lengths);
}
