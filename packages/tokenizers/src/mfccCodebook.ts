import { requireBlock, requireInteger, TokenizerError } from './errors';
import { kmeans, nearestCentroid } from './kmeans';
import { type MfccFrames, normaliseTime, requireMfcc } from './mfcc';
import type { FixedLengthTokenizer } from './tokenizer';
import { integerField, numbersField, requireObject, requireType } from './untrusted';

/** How to train an {@link MfccCodebook}. */
export interface MfccCodebookOptions {
  /** Frames that every recording is stretched or squeezed to. Default 16. */
  readonly frames?: number;
  /** Number of codes, at most 65,536. Default 64. */
  readonly codes?: number;
  /** Seed: the same seed and recordings give the same codebook. */
  readonly seed: number;
  /** Most Lloyd iterations. Default 50. */
  readonly iterations?: number;
  /** Frames to train on, drawn at random. Default 48,000. */
  readonly sample?: number;
}

/** What {@link MfccCodebook.toJSON} writes. */
export interface MfccCodebookJson {
  /** Says what this is. */
  readonly type: 'MfccCodebook';
  /** Frames of every recording. */
  readonly frames: number;
  /** Coefficients per frame. */
  readonly coefficients: number;
  /** Number of codes. */
  readonly codes: number;
  /** Standard deviation of each coefficient in training, `[coefficients]`. */
  readonly scale: readonly number[];
  /** `[codes, coefficients]`, in units of the coefficients. */
  readonly centroids: readonly number[];
}

const MAX_CODES = 65536;

/**
 * One token per MFCC frame: the recording is time-normalised to a fixed number of frames, each frame becomes the
 * nearest code of a k-means codebook, distances in units of each coefficient's standard deviation.
 * 16 frames and 64 codes are the speech tokens of LoReTTa's small experiment. Decoding gives the frames of the codes.
 */
export class MfccCodebook implements FixedLengthTokenizer<MfccFrames> {
  /** Number of codes. */
  readonly vocabSize: number;
  /** Number of frames. */
  readonly length: number;
  /** Coefficients per frame. */
  readonly coefficients: number;
  /** Standard deviation of each coefficient in training, `[coefficients]`. */
  readonly scale: Float32Array;
  /** `[codes, coefficients]`. */
  readonly centroids: Float32Array;
  readonly #weights: Float64Array;

  /** A codebook from its codes. Throws TokenizerError when sizes do not fit. */
  constructor(frames: number, scale: Float32Array, centroids: Float32Array) {
    const where = 'MfccCodebook';
    requireInteger(where, 'frames', frames, 1, 1 << 20);
    requireInteger(where, 'coefficients', scale.length, 1, 1024);
    if (centroids.length === 0 || centroids.length % scale.length !== 0) {
      throw new TokenizerError(
        'config',
        where,
        `centroids must hold a positive multiple of ${scale.length} values, got ${centroids.length}`,
      );
    }
    if (!scale.every((s) => s > 0 && Number.isFinite(s))) {
      throw new TokenizerError('config', where, 'every scale must be positive');
    }
    if (!centroids.every((v) => Number.isFinite(v))) {
      throw new TokenizerError('config', where, 'every centroid must be finite');
    }
    this.length = frames;
    this.coefficients = scale.length;
    this.vocabSize = centroids.length / scale.length;
    this.scale = scale;
    this.centroids = centroids;
    this.#weights = Float64Array.from(scale, (s) => 1 / (s * s));
  }

  /** Trains on recordings of any lengths. Throws TokenizerError when there are none. */
  static train(recordings: readonly MfccFrames[], options: MfccCodebookOptions): MfccCodebook {
    const where = 'MfccCodebook.train';
    const first = recordings[0];
    if (first === undefined) {
      throw new TokenizerError('input', where, 'no recordings: give at least one');
    }
    const frames = options.frames ?? 16;
    const codes = options.codes ?? 64;
    requireInteger(where, 'frames', frames, 1, 1 << 20);
    requireInteger(where, 'codes', codes, 1, MAX_CODES);
    const { coefficients } = first;
    const block = frames * coefficients;
    const points = new Float32Array(recordings.length * block);
    recordings.forEach((recording, n) => {
      requireMfcc(where, recording, coefficients);
      points.set(normaliseTime(recording, frames).data, n * block);
    });
    const scale = deviations(points, coefficients);
    const scaled = points.map((v, i) => v / scale[i % coefficients]!);
    const { centroids } = kmeans(scaled, coefficients, codes, {
      seed: options.seed,
      iterations: options.iterations ?? 50,
      sample: options.sample ?? 48_000,
    });
    return new MfccCodebook(
      frames,
      scale,
      centroids.map((v, i) => v * scale[i % coefficients]!),
    );
  }

  /** Code of every time-normalised frame, `[frames]`. Throws TokenizerError for other coefficients or NaN. */
  encode(recording: MfccFrames): Int32Array {
    requireMfcc('MfccCodebook.encode', recording, this.coefficients);
    const { data } = normaliseTime(recording, this.length);
    const dim = this.coefficients;
    return Int32Array.from({ length: this.length }, (_, t) =>
      nearestCentroid(data, t * dim, this.centroids, dim, this.#weights),
    );
  }

  /** Frames of the codes, `[frames, coefficients]`. Throws TokenizerError for a wrong number of ids or an id out of range. */
  decode(ids: ArrayLike<number>): MfccFrames {
    requireBlock('MfccCodebook.decode', ids, this.length, this.vocabSize);
    const { length: frames, coefficients } = this;
    const data = new Float32Array(frames * coefficients);
    for (let t = 0; t < frames; t++) {
      const start = ids[t]! * coefficients;
      data.set(this.centroids.subarray(start, start + coefficients), t * coefficients);
    }
    return { frames, coefficients, data };
  }

  /** A JSON-able description, read back by {@link MfccCodebook.fromJSON}. */
  toJSON(): MfccCodebookJson {
    return {
      type: 'MfccCodebook',
      frames: this.length,
      coefficients: this.coefficients,
      codes: this.vocabSize,
      scale: Array.from(this.scale),
      centroids: Array.from(this.centroids),
    };
  }

  /** Reads what toJSON wrote, parsed or as text. Throws TokenizerError when anything in it is wrong. */
  static fromJSON(json: unknown): MfccCodebook {
    const where = 'MfccCodebook.fromJSON';
    const object = requireObject(where, 'the codebook', json);
    requireType(where, object, 'MfccCodebook');
    const frames = integerField(where, object, 'frames', 1, 1 << 20);
    const coefficients = integerField(where, object, 'coefficients', 1, 1024);
    const codes = integerField(where, object, 'codes', 1, MAX_CODES);
    const scale = numbersField(where, object, 'scale', coefficients);
    const centroids = numbersField(where, object, 'centroids', codes * coefficients);
    return new MfccCodebook(frames, Float32Array.from(scale), Float32Array.from(centroids));
  }
}

/** Standard deviation of each column of `[n, dim]`; 1 for a constant column. */
function deviations(points: Float32Array, dim: number): Float32Array {
  const n = points.length / dim;
  const scale = new Float32Array(dim);
  for (let c = 0; c < dim; c++) {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) sum += points[i * dim + c]!;
    const mean = sum / n;
    for (let i = 0; i < n; i++) squares += (points[i * dim + c]! - mean) ** 2;
    const deviation = Math.sqrt(squares / n);
    scale[c] = deviation > 1e-6 ? deviation : 1;
  }
  return scale;
}
