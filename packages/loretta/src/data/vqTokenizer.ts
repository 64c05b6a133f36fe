/** Tokenizers that are learned: images or MFCC frames as the codes of a VQ-VAE or dVAE. */
import { key, sizeOf, tensor, tidy } from '@loretta-ts/core';
import {
  CheckpointError,
  checkpointBytes,
  parseSafetensors,
  restoreCheckpoint,
  trainVqVae,
  VqVae,
  type VqVaeConfig,
} from '@loretta-ts/nn';
import { type FixedLengthTokenizer, TokenizerError } from '@loretta-ts/tokenizers';
import { z } from 'zod';
import type { JobOptions, StepEvent } from '../events';
import { DataError } from './errors';
import type { VqForm } from './vqForms';

/** A training step of a tokenizer. */
export interface VqEvent extends StepEvent {
  /** Mean squared error of the reconstruction, in units of the variance. */
  readonly error: number;
}

/** How a learned tokenizer is trained. */
export interface VqTokenizerOptions extends JobOptions<VqEvent> {
  /** Nearest code of a VQ-VAE, or the relaxed codes of a dVAE. */
  readonly kind: 'vq' | 'dvae';
  /** Number of codes. Default 64. */
  readonly codes?: number;
  /** How often the resolution is halved. Default 3: 28×28 digits are 4×4 codes. */
  readonly levels?: number;
  /** Channels of the convolutions. Default 32. */
  readonly hidden?: number;
  /** Training steps. Default 800. */
  readonly steps?: number;
  /** Examples of a step. Default 32. */
  readonly batch?: number;
  /** Seed of weights, batches and codes: the same seed and examples give the same tokenizer. */
  readonly seed: number;
}

/** Examples that go through the model together. */
const CHUNK = 64;
/** Examples that are trained on: more would not be seen in so few steps. */
const MAX_EXAMPLES = 16_000;

/** Mean and deviation of each channel of the training values. */
interface Scaling {
  readonly mean: readonly number[];
  readonly deviation: readonly number[];
}

/**
 * Values of one shape as the codes of a trained autoencoder. It works synchronously, so the backend must be able to read
 * so: BackendError where it cannot (`webgpu`). Reconstructions are not exact, and encoding one again may give other codes.
 */
export class VqTokenizer<T> implements FixedLengthTokenizer<T> {
  /** Number of codes. */
  readonly vocabSize: number;
  /** Codes of every value. */
  readonly length: number;
  /** Which autoencoder. */
  readonly kind: 'vq' | 'dvae';
  private readonly model: VqVae;
  private readonly form: VqForm<T>;
  private readonly scaling: Scaling;
  private readonly bytes: Uint8Array;

  private constructor(model: VqVae, form: VqForm<T>, scaling: Scaling, bytes: Uint8Array) {
    this.model = model;
    this.form = form;
    this.scaling = scaling;
    this.bytes = bytes;
    this.kind = model.config.quantizer === 'vq' ? 'vq' : 'dvae';
    this.vocabSize = model.config.codes;
    this.length = model.tokens;
  }

  /**
   * Trains on examples of one form.
   * @throws DataError for no examples; TokenizerError for one of another shape; what the signal was aborted with
   */
  static async train<T>(
    form: VqForm<T>,
    examples: readonly T[],
    options: VqTokenizerOptions,
  ): Promise<VqTokenizer<T>> {
    if (examples.length === 0)
      throw new DataError('class', form.name, 'there are no training examples');
    const { kind, codes = 64, levels = 3, hidden = 32, steps = 800, batch = 32, seed } = options;
    const step = Math.max(1, Math.ceil(examples.length / MAX_EXAMPLES));
    const kept = examples.filter((_, i) => i % step === 0);
    const raw = valuesOf(form, kept);
    const scaling = measure(raw, form);
    const model = new VqVae(
      {
        size: form.size,
        channels: form.channels,
        codes,
        levels,
        hidden,
        dim: 8,
        quantizer: kind === 'vq' ? 'vq' : 'gumbel',
        // few steps: averages that follow at once, and codes that revive soon
        decay: 0.9,
        revive: 0.1,
      },
      key(seed),
    );
    const data = standardised(raw, scaling, form);
    const { onEvent, signal } = options;
    const training = trainVqVae(model, data, {
      steps,
      batch,
      lr: 8e-3,
      seed,
      klWeight: () => (kind === 'dvae' ? KL_WEIGHT : 0),
      signal,
    });
    try {
      for await (const { step: at, loss, error } of training)
        onEvent?.({ type: 'step', step: at, steps, loss, error });
      const metadata = { form: form.name, scaling: JSON.stringify(scaling) };
      return new VqTokenizer(model, form, scaling, await checkpointBytes({ model, metadata }));
    } catch (error) {
      model.dispose();
      throw error;
    }
  }

  /**
   * Reads what {@link VqTokenizer.toBytes} gave.
   * @throws DataError for another form or sizes out of range; SafetensorsError, CheckpointError, StateDictError for a
   * damaged file
   */
  static fromBytes<T>(bytes: Uint8Array, form: VqForm<T>): VqTokenizer<T> {
    const { metadata } = parseSafetensors(bytes);
    const config = readConfig(metadata, form);
    const model = new VqVae(config, null);
    try {
      restoreCheckpoint(bytes, { model });
    } catch (error) {
      model.dispose();
      throw error;
    }
    return new VqTokenizer(model, form, readScaling(metadata, form), bytes);
  }

  /** Codes of a value, `[length]`, the grid row by row. Throws TokenizerError for a value of another shape. */
  encode(x: T): Int32Array {
    return this.encodeAll([x]);
  }

  /** Codes of many values, `[n, length]`: faster than one by one, and the same. */
  encodeAll(xs: readonly T[]): Int32Array {
    const ids = new Int32Array(xs.length * this.length);
    for (let at = 0; at < xs.length; at += CHUNK) {
      const part = xs.slice(at, at + CHUNK);
      const values = standardised(valuesOf(this.form, part), this.scaling, this.form);
      const shape = [part.length, this.form.channels, ...this.form.size];
      const found = tidy(() => this.model.encode(tensor(values, { shape })));
      ids.set(found.dataSync() as Int32Array, at * this.length);
      found.dispose();
    }
    return ids;
  }

  /** What the codes stand for. Throws TokenizerError for a wrong number of ids or one out of range. */
  decode(ids: ArrayLike<number>): T {
    if (ids.length !== this.length) {
      const what = `expected ${this.length} ids, got ${ids.length}`;
      throw new TokenizerError('input', 'VqTokenizer.decode', what);
    }
    return this.decodeAll(ids)[0]!;
  }

  /** What `[n, length]` codes stand for. Throws TokenizerError for a wrong number of ids or one out of range. */
  decodeAll(ids: ArrayLike<number>): T[] {
    const { length, form, vocabSize } = this;
    const where = 'VqTokenizer.decode';
    if (ids.length % length !== 0)
      throw new TokenizerError('input', where, `${ids.length} ids are not blocks of ${length}`);
    const all = Int32Array.from(ids, (id) => {
      if (Number.isInteger(id) && id >= 0 && id < vocabSize) return id;
      throw new TokenizerError('id', where, `id ${id} is not in [0, ${vocabSize})`);
    });
    const size = form.channels * sizeOf(form.size);
    const made: T[] = [];
    for (let at = 0; at < all.length; at += CHUNK * length) {
      const part = all.slice(at, at + CHUNK * length);
      const rows = part.length / length;
      const found = tidy(() => this.model.decode(tensor(part, { shape: [rows, length] })));
      const values = natural(found.dataSync() as Float32Array, this.scaling, form);
      found.dispose();
      for (let i = 0; i < rows; i++)
        made.push(form.read(values.subarray(i * size, (i + 1) * size)));
    }
    return made;
  }

  /** A safetensors file of the weights, the codes and their averages, and the scaling of the values. */
  toBytes(): Uint8Array {
    return this.bytes;
  }

  /** The file in base64, as JSON wants it. */
  toJSON(): unknown {
    let binary = '';
    for (const byte of this.bytes) binary += String.fromCharCode(byte);
    return { type: 'VqTokenizer', form: this.form.name, safetensors: btoa(binary) };
  }

  /** Frees the model. */
  dispose(): void {
    this.model.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Weight of KL(q ‖ uniform) of a dVAE, against an error in units of the variance: it keeps the codes in use. */
const KL_WEIGHT = 0.05;

/** `[n, channels, ...size]` of the examples. */
function valuesOf<T>(form: VqForm<T>, xs: readonly T[]): Float32Array {
  const size = form.channels * sizeOf(form.size);
  const values = new Float32Array(xs.length * size);
  xs.forEach((x, i) => {
    values.set(form.values(x), i * size);
  });
  return values;
}

/** Calls back with every index of `[n, channels, ...size]` and its channel. */
function channelOf<T>(form: VqForm<T>): (i: number) => number {
  const cells = sizeOf(form.size);
  return (i) => Math.floor(i / cells) % form.channels;
}

function measure<T>(values: Float32Array, form: VqForm<T>): Scaling {
  const channel = channelOf(form);
  const sums = new Float64Array(form.channels);
  const squares = new Float64Array(form.channels);
  const count = values.length / form.channels;
  values.forEach((v, i) => {
    sums[channel(i)]! += v;
    squares[channel(i)]! += v * v;
  });
  const mean = Array.from(sums, (s) => s / count);
  // a channel that never varies is left as it is
  const deviation = Array.from(
    squares,
    (q, c) => Math.sqrt(Math.max(0, q / count - mean[c]! ** 2)) || 1,
  );
  return { mean, deviation };
}

function standardised<T>(values: Float32Array, { mean, deviation }: Scaling, form: VqForm<T>) {
  const channel = channelOf(form);
  return values.map((v, i) => (v - mean[channel(i)]!) / deviation[channel(i)]!);
}

function natural<T>(values: Float32Array, { mean, deviation }: Scaling, form: VqForm<T>) {
  const channel = channelOf(form);
  return values.map((v, i) => v * deviation[channel(i)]! + mean[channel(i)]!);
}

/** The configuration of a file, of sizes that no honest file exceeds. */
function readConfig<T>(metadata: ReadonlyMap<string, string>, form: VqForm<T>): VqVaeConfig {
  const count = (most: number) => z.int().min(1).max(most);
  const schema = z.object({
    size: z.array(count(65535)).min(1).max(2),
    channels: count(1024),
    codes: count(65536),
    levels: z.int().min(0).max(16),
    hidden: count(1024),
    blocks: z.int().min(0).max(64),
    dim: count(1024),
    quantizer: z.enum(['vq', 'gumbel']),
    upsampling: z.enum(['transposed', 'nearest']),
    commitment: z.number().min(0),
    decay: z.number().min(0).lt(1).nullable(),
    revive: z.number().min(0).lt(1),
    dtype: z.literal('f32'),
  });
  const config = schema.safeParse(parseJson(metadata.get('config')));
  if (!config.success || metadata.get('form') !== form.name) {
    throw new CheckpointError(`it is no tokenizer of ${form.name}: was it saved by VqTokenizer?`);
  }
  const { size, channels } = config.data;
  if (size.join() !== form.size.join() || channels !== form.channels) {
    throw new DataError(
      'format',
      form.name,
      `the tokenizer is for ${[channels, ...size].join('×')}, not ${[form.channels, ...form.size].join('×')}`,
    );
  }
  return config.data;
}

function readScaling<T>(metadata: ReadonlyMap<string, string>, form: VqForm<T>): Scaling {
  const schema = z.object({
    mean: z.array(z.number()).length(form.channels),
    deviation: z.array(z.number().positive()).length(form.channels),
  });
  const scaling = schema.safeParse(parseJson(metadata.get('scaling')));
  if (!scaling.success) throw new CheckpointError('its scaling is missing or damaged');
  return scaling.data;
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? 'null');
  } catch {
    return null;
  }
}
