/** Tokenized modalities: what the model and the evaluation see of a data set. */
import { DataError } from './errors';
import type { Comparison } from './reconstruction';
import { byClass, type Labelled, type RawSample, type RawSource, type Split } from './source';

/** Token sequences with their classes. Ids are local: in `[0, vocabSize)` of the modality. */
export interface TokenSet {
  /** `[n, length]` row-major; ids behind the end of a shorter sequence are 0 and mean nothing. */
  readonly ids: Int32Array;
  /** `[n, length, z]` vectors of a latent modality, whose ids are all 0. */
  readonly latents?: Float32Array;
  /** Longest sequence. */
  readonly length: number;
  /** Length of each sequence, `[n]`, at least 1; absent where all are `length` long. */
  readonly lengths?: Int32Array;
  /** Class of each sequence, `[n]`. */
  readonly labels: Int32Array;
  /** Number of classes. */
  readonly classes: number;
}

/** How a modality turns raw samples into ids and back. */
export interface ModalityCodec {
  /** Number of local ids. */
  readonly vocabSize: number;
  /** Longest sequence in tokens. */
  readonly maxLength: number;
  /** Whether every sequence is `maxLength` long; if not, the model needs an end token. */
  readonly fixedLength: boolean;
  /** In words, for reports: `7×7 patches, 64 codes`. */
  readonly describe: string;
  /** Ids of a raw sample, cut to `maxLength`. @throws DataError when the sample is of another kind */
  encode(sample: RawSample): Int32Array;
  /** What ids stand for. Speech codes have no waveform: they come back as tokens. */
  decode(ids: ArrayLike<number>): RawSample;
  /** The trained tokenizer as plain JSON, to store beside a checkpoint. */
  toJSON(): unknown;
  /** Ids of many samples, `[n, maxLength]`, where that is faster than one by one; only of fixed lengths. */
  encodeAll?(samples: readonly RawSample[]): Int32Array;
  /** The network behind the tokens, where they are learned by one. */
  readonly learned?: LearnedCodes;
}

/** A tokenizer that is learned, as runs save it and reports show it. */
export interface LearnedCodes {
  /** Which autoencoder. */
  readonly kind: 'vq' | 'dvae';
  /** A safetensors file that it can be loaded from. */
  toBytes(): Uint8Array;
  /** What is left of samples as codes, beside a k-means codebook of as many codes and tokens where there is one. */
  compare(samples: readonly RawSample[]): Comparison;
}

/** A modality with its data. */
export interface ModalityData extends ModalityCodec {
  /** Name, unique in a data set. */
  readonly name: string;
  /** What the samples are, for reports. */
  readonly source: string;
  /** Origin and licence in one line. */
  readonly credit: string;
  /** Number of classes. */
  readonly classes: number;
  /** Tokens to train on. */
  readonly train: TokenSet;
  /** Tokens to evaluate on. */
  readonly test: TokenSet;
  /** The sample that sequence `index` of a split was made from. @throws DataError outside the split */
  raw(split: Split, index: number): RawSample;
}

/** Number of sequences in a set. */
export function tokenCount(set: TokenSet): number {
  return set.labels.length;
}

/** Ids of sequence `index` without padding, `[length]`, a copy. */
export function tokensAt(set: TokenSet, index: number): Int32Array {
  const start = index * set.length;
  return set.ids.slice(start, start + (set.lengths?.[index] ?? set.length));
}

/**
 * Encodes a source with a codec.
 * @param wrap Raw item of the source in its displayable form.
 * @throws DataError when a class has no training sample, or a sample has no token
 */
export function tokenizeSource<T>(
  name: string,
  source: RawSource<T>,
  codec: ModalityCodec,
  wrap: (item: T) => RawSample,
): ModalityData {
  requireClasses(name, source);
  const encodeSet = (set: Labelled<T>, split: Split): TokenSet => {
    const n = set.items.length;
    const ids = new Int32Array(n * codec.maxLength);
    const lengths = new Int32Array(n);
    const whole = codec.encodeAll?.(set.items.map(wrap));
    set.items.forEach((item, i) => {
      const tokens =
        whole?.subarray(i * codec.maxLength, (i + 1) * codec.maxLength) ?? codec.encode(wrap(item));
      if (tokens.length === 0) {
        throw new DataError('format', name, `${split} sample ${i} has no token: leave it out`);
      }
      ids.set(tokens, i * codec.maxLength);
      lengths[i] = tokens.length;
    });
    const { labels } = set;
    const base = { ids, length: codec.maxLength, labels, classes: source.classes };
    return codec.fixedLength ? base : { ...base, lengths };
  };
  return {
    name,
    source: source.name,
    credit: source.credit,
    classes: source.classes,
    vocabSize: codec.vocabSize,
    maxLength: codec.maxLength,
    fixedLength: codec.fixedLength,
    describe: codec.describe,
    encode: (sample) => codec.encode(sample),
    decode: (ids) => codec.decode(ids),
    toJSON: () => codec.toJSON(),
    ...(codec.learned === undefined ? {} : { learned: codec.learned }),
    train: encodeSet(source.train, 'train'),
    test: encodeSet(source.test, 'test'),
    raw: (split, index) => {
      const item = source[split].items[index];
      if (item === undefined) {
        throw new DataError('config', name, `no ${split} sample ${index}`);
      }
      return wrap(item);
    },
  };
}

/** Throws DataError unless every class of a source has a training sample. */
export function requireClasses(name: string, source: RawSource<unknown>): void {
  const empty = byClass(source.train.labels, source.classes).findIndex(
    (group) => group.length === 0,
  );
  if (empty < 0) return;
  throw new DataError(
    'class',
    name,
    `class ${empty} has no training samples: add some, or leave the class out of every modality`,
  );
}

/** Index of the training sequence with the fewest tokens unlike `ids`: something playable for generated speech codes. */
export function nearestSequence(set: TokenSet, ids: ArrayLike<number>): number {
  let best = 0;
  let fewest = Number.POSITIVE_INFINITY;
  for (let i = 0; i < tokenCount(set); i++) {
    let different = Math.abs((set.lengths?.[i] ?? set.length) - ids.length);
    for (let t = 0; t < ids.length && different < fewest; t++) {
      if (set.ids[i * set.length + t] !== ids[t]) different++;
    }
    if (different < fewest) {
      fewest = different;
      best = i;
    }
  }
  return best;
}
