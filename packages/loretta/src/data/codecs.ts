/** The tokenizations of images, speech and text that experiments choose from. */
import {
  fitDuration,
  type Image,
  MfccCodebook,
  type MfccFrames,
  type MfccOptions,
  MfccValueTokenizer,
  MuLawTokenizer,
  mfcc,
  PatchCodebook,
  PatchTokenizer,
  PixelTokenizer,
  resample,
  type Wave,
  WordTokenizer,
} from '@loretta-ts/tokenizers';
import { DataError, requireCount } from './errors';
import type { ModalityCodec } from './modality';
import type { RawSample } from './source';

/** How images become tokens. */
export type ImageTokens =
  /** One code a patch of a k-means codebook; default 7×7 patches, 64 codes. */
  | { readonly kind: 'codebook'; readonly patch?: number; readonly codes?: number }
  /** One level a pixel in reading order, as the paper's script has it; default 256 levels. */
  | { readonly kind: 'pixels'; readonly levels?: number }
  /** One level a pixel, patch after patch; default 7×7 patches, 16 levels. */
  | { readonly kind: 'patches'; readonly patch?: number; readonly levels?: number }
  /** By a codec that has been made before: one that is learned. */
  | { readonly kind: 'codec'; readonly codec: ModalityCodec };

/** How speech becomes tokens. */
export type SpeechTokens =
  /** One code a time-normalised MFCC frame; default 16 frames, 64 codes. */
  | { readonly kind: 'codebook'; readonly frames?: number; readonly codes?: number }
  /** One level an MFCC value as in the paper's script: one second, 39 frames × 13 values, 256 levels. */
  | { readonly kind: 'mfcc' }
  /** One mu-law level a sample; default 0.5 s at 2,000 Hz. */
  | { readonly kind: 'mulaw'; readonly sampleRate?: number; readonly seconds?: number }
  /** By a codec that has been made before: one that is learned. */
  | { readonly kind: 'codec'; readonly codec: ModalityCodec };

/** MFCC of the small experiment's codebook (25 ms window, 10 ms hop, 26 filters, 13 coefficients, mean-normalised). */
const CODEBOOK_MFCC: MfccOptions = {};
/** MFCC of the paper's script: 50 ms window, 25 ms hop, 12 coefficients and the energy; 39 frames a second. */
const PAPER_MFCC: MfccOptions = { window: 0.05, hop: 0.025, coefficients: 13, energy: true };
const PAPER_FRAMES = 39;
/** Frames that train a codebook. */
const CODEBOOK_FRAMES = 16_000;
/** Images that train a codebook: more do not change it. */
const CODEBOOK_IMAGES = 4000;

/** A codec for images, trained on `images` where it has something to learn. @throws DataError for none */
export function imageCodec(
  images: readonly Image[],
  tokens: ImageTokens,
  seed: number,
): ModalityCodec {
  const first = images[0];
  if (first === undefined) throw new DataError('class', 'image', 'there are no training images');
  if (tokens.kind === 'codec') return tokens.codec;
  const shape = { width: first.width, height: first.height, channels: first.channels };
  const size = `${shape.width}×${shape.height}`;
  if (tokens.kind === 'codebook') {
    const patch = tokens.patch ?? 7;
    const codes = tokens.codes ?? 64;
    const step = Math.max(1, Math.floor(images.length / CODEBOOK_IMAGES));
    const sample = images.filter((_, i) => i % step === 0);
    return patchCodec(PatchCodebook.train(sample, { patch, codes, seed }));
  }
  if (tokens.kind === 'pixels') {
    const levels = tokens.levels ?? 256;
    const pixels = new PixelTokenizer({ ...shape, levels });
    const describe = `${size} pixels, ${levels} levels`;
    return fixedCodec(pixels, describe, imageOf, wrapImage, { ...tokens });
  }
  const patch = tokens.patch ?? 7;
  const levels = tokens.levels ?? 16;
  const patches = new PatchTokenizer({ ...shape, patch, levels });
  const describe = `${size} pixels in ${patch}×${patch} patches, ${levels} levels`;
  return fixedCodec(patches, describe, imageOf, wrapImage, { ...tokens });
}

const wrapImage = (image: Image): RawSample => ({ kind: 'image', image });

/** Images as the patches of a codebook. */
export function patchCodec(book: PatchCodebook): ModalityCodec {
  const describe = `${book.patch}×${book.patch} patches, ${book.vocabSize} codes`;
  return fixedCodec(book, describe, imageOf, wrapImage, book.toJSON());
}

/** A codec for speech, trained on `waves`. Codes and MFCC levels decode to tokens only. @throws DataError for none */
export function speechCodec(
  waves: readonly Wave[],
  tokens: SpeechTokens,
  seed: number,
): ModalityCodec {
  if (waves.length === 0) {
    throw new DataError('class', 'speech', 'there are no training recordings');
  }
  if (tokens.kind === 'codec') return tokens.codec;
  if (tokens.kind === 'codebook') {
    const frames = tokens.frames ?? 16;
    const codes = tokens.codes ?? 64;
    const analyse = analyser(waves[0]!.sampleRate);
    const book = MfccCodebook.train(waves.map(analyse), {
      frames,
      codes,
      seed,
      sample: CODEBOOK_FRAMES,
    });
    return frameCodec(book, analyse);
  }
  if (tokens.kind === 'mfcc') {
    const { sampleRate } = waves[0]!;
    const read = (sample: RawSample) =>
      mfcc(fitDuration(atRate(waveOf(sample), sampleRate), 1), PAPER_MFCC);
    const values = MfccValueTokenizer.fit(
      waves.map((wave) => read({ kind: 'speech', wave })),
      PAPER_FRAMES,
    );
    const describe = 'MFCC of one second, 256 levels';
    return fixedCodec(values, describe, read, opaque, values.toJSON());
  }
  const sampleRate = tokens.sampleRate ?? 2000;
  const seconds = tokens.seconds ?? 0.5;
  requireCount('speech: sampleRate', sampleRate, 500, 48_000);
  const length = Math.round(sampleRate * seconds);
  requireCount('speech: sampleRate · seconds', length, 1, 1 << 16);
  const law = new MuLawTokenizer({ levels: 256 });
  return {
    vocabSize: law.vocabSize,
    maxLength: length,
    fixedLength: true,
    describe: `${seconds} s at ${sampleRate} Hz, mu-law`,
    encode: (sample) =>
      law.encode(fitDuration(resample(waveOf(sample), sampleRate), seconds).samples),
    decode: (ids) => ({ kind: 'speech', wave: { sampleRate, samples: law.decode(ids) } }),
    toJSON: () => ({ ...tokens }),
  };
}

const opaque = (_value: unknown, ids: Int32Array): RawSample => ({ kind: 'tokens', ids });

/** Speech as the frames of a codebook, of coefficients that `analyse` computes. They decode to tokens only. */
export function frameCodec(book: MfccCodebook, analyse: (wave: Wave) => MfccFrames): ModalityCodec {
  const describe = `${book.length} MFCC frames, ${book.vocabSize} codes`;
  const read = (sample: RawSample): MfccFrames => analyse(waveOf(sample));
  return fixedCodec(book, describe, read, opaque, book.toJSON());
}

/** The coefficients of a wave as codes see them, those of a recording once for learning and encoding. */
export function analyser(sampleRate: number): (wave: Wave) => MfccFrames {
  const known = new WeakMap<Wave, MfccFrames>();
  return (wave) => {
    const found = known.get(wave) ?? mfcc(atRate(wave, sampleRate), CODEBOOK_MFCC);
    known.set(wave, found);
    return found;
  };
}

/** The wave at the sample rate of the training recordings, whose filters the codes belong to. */
function atRate(wave: Wave, sampleRate: number): Wave {
  return wave.sampleRate === sampleRate ? wave : resample(wave, sampleRate);
}

/** What a codec needs of a tokenizer whose values all have the same number of ids. */
interface Fixed<V> {
  readonly vocabSize: number;
  readonly length: number;
  encode(value: V): Int32Array;
  decode(ids: ArrayLike<number>): V;
}

function fixedCodec<V>(
  tokenizer: Fixed<V>,
  describe: string,
  read: (sample: RawSample) => V,
  wrap: (value: V, ids: Int32Array) => RawSample,
  json: unknown,
): ModalityCodec {
  return {
    vocabSize: tokenizer.vocabSize,
    maxLength: tokenizer.length,
    fixedLength: true,
    describe,
    encode: (sample) => tokenizer.encode(read(sample)),
    decode: (ids) => wrap(tokenizer.decode(ids), Int32Array.from(ids)),
    toJSON: () => json,
  };
}

/** Text of a fixed number of words from a known list, as captions are. @throws DataError for another number */
export function captionCodec(words: readonly string[], length: number): ModalityCodec {
  return wordsCodec(WordTokenizer.train(words, { split: 'whitespace' }), length);
}

/** Text of a fixed number of known words. */
export function wordsCodec(tokenizer: WordTokenizer, length: number): ModalityCodec {
  return {
    vocabSize: tokenizer.vocabSize,
    maxLength: length,
    fixedLength: true,
    describe: `${length} words of ${tokenizer.vocabSize}`,
    encode: (sample) => {
      const ids = tokenizer.encode(textOf(sample));
      if (ids.length === length) return ids;
      throw new DataError('format', 'text', `a caption has ${length} words, got ${ids.length}`);
    },
    decode: (ids) => ({ kind: 'text', text: tokenizer.decode(ids) }),
    toJSON: () => tokenizer.toJSON(),
  };
}

/** The image of a sample. @throws DataError when it is of another kind */
export function imageOf(sample: RawSample): Image {
  if (sample.kind === 'image') return sample.image;
  throw new DataError('config', 'image', `cannot encode a sample of kind ${sample.kind}`);
}

/** The recording of a sample. @throws DataError when it is of another kind */
export function waveOf(sample: RawSample): Wave {
  if (sample.kind === 'speech') return sample.wave;
  throw new DataError('config', 'speech', `cannot encode a sample of kind ${sample.kind}`);
}

/** The text of a sample. @throws DataError when it is of another kind */
export function textOf(sample: RawSample): string {
  if (sample.kind === 'text') return sample.text;
  throw new DataError('config', 'text', `cannot encode a sample of kind ${sample.kind}`);
}
