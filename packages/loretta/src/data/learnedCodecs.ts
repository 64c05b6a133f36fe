/** Codecs of images and speech whose tokens an autoencoder has learned. */
import {
  type FixedLengthTokenizer,
  type Image,
  MfccCodebook,
  PatchCodebook,
  type Wave,
} from '@loretta-ts/tokenizers';
import { analyser, imageOf, waveOf } from './codecs';
import { DataError } from './errors';
import type { ModalityCodec } from './modality';
import { type Canvas, type Coder, compare } from './reconstruction';
import type { JobOptions, StageEvent } from '../events';
import type { RawSample } from './source';
import { frameForm, imageForm, type VqForm } from './vqForms';
import { VqTokenizer, type VqTokenizerOptions } from './vqTokenizer';

/** How a learned codec is made. */
export interface LearnOptions extends JobOptions<StageEvent> {
  /** Which autoencoder. */
  readonly kind: 'vq' | 'dvae';
  /** Of weights, batches and codes. */
  readonly seed: number;
  /** What `LearnedCodes.toBytes` gave: it is loaded and not trained. Null trains. */
  readonly saved: Uint8Array | null;
  /** Training steps. */
  readonly steps: number;
}

/** Speech as so many frames, each a token: as many as the k-means codebook has. */
const FRAMES = 16;
const COEFFICIENTS = 13;
/** Images that the k-means codebook of a comparison is trained on, as that of `imageCodec`. */
const COMPARED_IMAGES = 4000;

/**
 * Images as 4×4 codes (28×28 halved three times), trained on `images` or loaded.
 * @throws DataError for no images or a file of another shape; what `VqTokenizer` throws
 */
export async function learnedImageCodec(
  images: readonly Image[],
  options: LearnOptions,
): Promise<ModalityCodec> {
  const first = images[0];
  if (first === undefined) throw new DataError('class', 'image', 'there are no training images');
  const form = imageForm(first);
  const tokenizer = await obtain(form, images, options, { levels: 3, hidden: 32 });
  const patch = first.width / Math.sqrt(tokenizer.length);
  const kmeans = (): PatchCodebook => {
    const step = Math.max(1, Math.floor(images.length / COMPARED_IMAGES));
    const sample = images.filter((_, i) => i % step === 0);
    return PatchCodebook.train(sample, { patch, codes: tokenizer.vocabSize, seed: options.seed });
  };
  const tiles = first.width === first.height && Number.isInteger(patch);
  return codecOf(tokenizer, {
    describe: `${tokenizer.length} ${tokenizer.kind} codes of ${tokenizer.vocabSize}`,
    read: imageOf,
    wrap: (image) => ({ kind: 'image', image }),
    canvas: {
      shape: [first.height, first.width],
      range: [0, 255],
      units: 'pixels in [0, 1]',
      draw: greyOf,
      unit: () => 255,
    },
    kmeans: tiles ? kmeans : null,
  });
}

/**
 * Speech as one code a time-normalised MFCC frame, each code seeing the frames around it; trained on `waves` or loaded.
 * @throws DataError for no recordings or a file of another shape; what `VqTokenizer` throws
 */
export async function learnedSpeechCodec(
  waves: readonly Wave[],
  options: LearnOptions,
): Promise<ModalityCodec> {
  const first = waves[0];
  if (first === undefined)
    throw new DataError('class', 'speech', 'there are no training recordings');
  const analyse = analyser(first.sampleRate);
  const form = frameForm(FRAMES, COEFFICIENTS);
  const frames = waves.map(analyse);
  const tokenizer = await obtain(form, frames, options, { levels: 0, hidden: 64 });
  let trained: MfccCodebook | null = null;
  const kmeans = (): MfccCodebook => {
    trained ??= MfccCodebook.train(frames, {
      frames: FRAMES,
      codes: tokenizer.vocabSize,
      seed: options.seed,
      sample: 16_000,
    });
    return trained;
  };
  return codecOf(tokenizer, {
    describe: `${FRAMES} MFCC frames, ${tokenizer.vocabSize} ${tokenizer.kind} codes`,
    read: (sample) => analyse(waveOf(sample)),
    wrap: (_, ids) => ({ kind: 'tokens', ids }),
    canvas: {
      shape: [COEFFICIENTS, FRAMES],
      range: [-2.5, 2.5],
      units: 'variances of the coefficient',
      // in deviations, so that every coefficient can be seen; the lowest at the bottom
      draw: (x) => {
        const values = form.values(x);
        return values.map((_, i) => {
          const row = COEFFICIENTS - 1 - Math.floor(i / FRAMES);
          return values[row * FRAMES + (i % FRAMES)]! / kmeans().scale[row]!;
        });
      },
      unit: () => 1,
    },
    kmeans,
  });
}

/** The mean of an image's channels. */
function greyOf({ data, channels }: Image): Float32Array {
  const grey = new Float32Array(data.length / channels);
  data.forEach((v, i) => {
    grey[Math.floor(i / channels)]! += v / channels;
  });
  return grey;
}

/** Loaded where there is a file, else trained. */
async function obtain<T>(
  form: VqForm<T>,
  examples: readonly T[],
  { kind, seed, saved, steps, onEvent, signal }: LearnOptions,
  size: Pick<VqTokenizerOptions, 'levels' | 'hidden'>,
): Promise<VqTokenizer<T>> {
  if (saved !== null) {
    const loaded = VqTokenizer.fromBytes(saved, form);
    if (loaded.kind === kind) return loaded;
    loaded.dispose();
    throw new DataError(
      'format',
      form.name,
      `the saved tokenizer is a ${loaded.kind}, not a ${kind}`,
    );
  }
  return await VqTokenizer.train(form, examples, {
    ...size,
    kind,
    seed,
    steps,
    signal,
    onEvent: ({ step, steps: total }) => {
      const stage = `${form.name} codes (${kind})`;
      onEvent?.({ type: 'stage', stage, done: step + 1, total });
    },
  });
}

interface Parts<T> {
  readonly describe: string;
  readonly read: (sample: RawSample) => T;
  readonly wrap: (value: T, ids: Int32Array) => RawSample;
  readonly canvas: Canvas<T>;
  /** Trains the codebook to compare with; null where patches do not tile. */
  readonly kmeans: (() => FixedLengthTokenizer<T>) | null;
}

function codecOf<T>(tokenizer: VqTokenizer<T>, parts: Parts<T>): ModalityCodec {
  const { describe, read, wrap, canvas } = parts;
  return {
    vocabSize: tokenizer.vocabSize,
    maxLength: tokenizer.length,
    fixedLength: true,
    describe,
    encode: (sample) => tokenizer.encode(read(sample)),
    encodeAll: (samples) => tokenizer.encodeAll(samples.map(read)),
    decode: (ids) => wrap(tokenizer.decode(ids), Int32Array.from(ids)),
    toJSON: () => tokenizer.toJSON(),
    learned: {
      kind: tokenizer.kind,
      toBytes: () => tokenizer.toBytes(),
      compare: (samples) => {
        const codebook = parts.kmeans?.();
        const others = codebook === undefined ? [] : [oneByOne('k-means', codebook)];
        return compare(samples.map(read), canvas, [learnedCoder(tokenizer), ...others]);
      },
    },
  };
}

function learnedCoder<T>(tokenizer: VqTokenizer<T>): Coder<T> {
  const { kind: name, vocabSize: codes, length: tokens } = tokenizer;
  return {
    name,
    codes,
    tokens,
    encodeAll: (xs) => tokenizer.encodeAll(xs),
    decodeAll: (ids) => tokenizer.decodeAll(ids),
  };
}

function oneByOne<T>(name: string, tokenizer: FixedLengthTokenizer<T>): Coder<T> {
  const { vocabSize: codes, length: tokens } = tokenizer;
  return {
    name,
    codes,
    tokens,
    encodeAll: (xs) => {
      const ids = new Int32Array(xs.length * tokens);
      xs.forEach((x, i) => {
        ids.set(tokenizer.encode(x), i * tokens);
      });
      return ids;
    },
    decodeAll: (ids) =>
      Array.from({ length: ids.length / tokens }, (_, i) =>
        tokenizer.decode(ids.subarray(i * tokens, (i + 1) * tokens)),
      ),
  };
}
