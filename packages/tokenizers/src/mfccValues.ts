import { requireBlock, requireInteger, TokenizerError } from './errors';
import { type MfccFrames, requireMfcc } from './mfcc';
import type { FixedLengthTokenizer } from './tokenizer';
import { integerField, numbersField, requireObject, requireType } from './untrusted';

/** Shape and value ranges of an {@link MfccValueTokenizer}. */
export interface MfccValueConfig {
  /** Frames per value. The paper's script has 39. */
  readonly frames: number;
  /** Coefficients per frame. The paper's script has 13. */
  readonly coefficients: number;
  /** Value that maps to 0, per coefficient, `[coefficients]`. Default 0. */
  readonly low?: ArrayLike<number>;
  /** Value that maps to 1, per coefficient, `[coefficients]`. Default 1. */
  readonly high?: ArrayLike<number>;
}

/** What {@link MfccValueTokenizer.toJSON} writes. */
export interface MfccValueJson {
  /** Says what this is. */
  readonly type: 'MfccValueTokenizer';
  /** Frames per value. */
  readonly frames: number;
  /** Coefficients per frame. */
  readonly coefficients: number;
  /** Value that maps to 0, `[coefficients]`. */
  readonly low: readonly number[];
  /** Value that maps to 1, `[coefficients]`. */
  readonly high: readonly number[];
}

const LEVELS = 256;

/**
 * One token per MFCC value in 256 levels, as LoReTTa's script does it on values in [0, 1]:
 * `np.digitize(x, linspace(0, 1, 256), right=True)`, so 0 → 0 and x → ⌈255 x⌉. Values beyond the range are clipped.
 * Decoding gives the middle of the level. A coefficient whose range is empty has the one level 0.
 */
export class MfccValueTokenizer implements FixedLengthTokenizer<MfccFrames> {
  /** Always 256. */
  readonly vocabSize: number = LEVELS;
  /** `frames · coefficients`. */
  readonly length: number;
  /** Frames per value. */
  readonly frames: number;
  /** Coefficients per frame. */
  readonly coefficients: number;
  readonly #low: Float64Array;
  readonly #width: Float64Array;

  /** Throws TokenizerError when a size or a range is invalid. */
  constructor(config: MfccValueConfig) {
    const where = 'MfccValueTokenizer';
    requireInteger(where, 'frames', config.frames, 1, 1 << 20);
    requireInteger(where, 'coefficients', config.coefficients, 1, 1024);
    const { frames, coefficients } = config;
    const low = Float64Array.from(config.low ?? new Float64Array(coefficients));
    const high = Float64Array.from(config.high ?? new Float64Array(coefficients).fill(1));
    if (low.length !== coefficients || high.length !== coefficients) {
      throw new TokenizerError('config', where, `low and high must have ${coefficients} values`);
    }
    this.#low = low;
    this.#width = low.map((from, c) => {
      const width = high[c]! - from;
      if (!(width >= 0) || !Number.isFinite(width)) {
        throw new TokenizerError(
          'config',
          where,
          `range of coefficient ${c} must be finite with low ≤ high, got [${from}, ${high[c]}]`,
        );
      }
      // Below this a float32 cannot tell the levels apart.
      return width > 1e-4 * Math.max(Math.abs(from), Math.abs(high[c]!)) ? width : 0;
    });
    this.frames = frames;
    this.coefficients = coefficients;
    this.length = frames * coefficients;
  }

  /** A tokenizer whose ranges are the least and greatest value of each coefficient in `examples`. */
  static fit(examples: readonly MfccFrames[], frames: number): MfccValueTokenizer {
    const where = 'MfccValueTokenizer.fit';
    const first = examples[0];
    if (first === undefined) {
      throw new TokenizerError('input', where, 'no examples: give at least one');
    }
    const { coefficients } = first;
    const low = new Float64Array(coefficients).fill(Number.POSITIVE_INFINITY);
    const high = new Float64Array(coefficients).fill(Number.NEGATIVE_INFINITY);
    for (const example of examples) {
      requireMfcc(where, example, coefficients);
      example.data.forEach((value, i) => {
        const c = i % coefficients;
        low[c] = Math.min(low[c]!, value);
        high[c] = Math.max(high[c]!, value);
      });
    }
    return new MfccValueTokenizer({ frames, coefficients, low, high });
  }

  /** Level of every value, frame after frame, `[frames · coefficients]`. Throws TokenizerError for another shape. */
  encode(x: MfccFrames): Int32Array {
    const where = 'MfccValueTokenizer.encode';
    requireMfcc(where, x, this.coefficients);
    if (x.frames !== this.frames) {
      throw new TokenizerError(
        'input',
        where,
        `expected ${this.frames} frames, got ${x.frames}: use fitDuration or normaliseTime first`,
      );
    }
    return Int32Array.from(x.data, (value, i) => {
      const c = i % this.coefficients;
      const width = this.#width[c]!;
      return width === 0 ? 0 : digitize((value - this.#low[c]!) / width);
    });
  }

  /** The middle of every level. Throws TokenizerError for a wrong number of ids or an id out of range. */
  decode(ids: ArrayLike<number>): MfccFrames {
    requireBlock('MfccValueTokenizer.decode', ids, this.length, this.vocabSize);
    const { frames, coefficients } = this;
    const data = Float32Array.from(ids, (id, i) => {
      const c = i % coefficients;
      return this.#low[c]! + this.#width[c]! * (id === 0 ? 0 : (id - 0.5) / (LEVELS - 1));
    });
    return { frames, coefficients, data };
  }

  /** A JSON-able description, read back by {@link MfccValueTokenizer.fromJSON}. */
  toJSON(): MfccValueJson {
    const { frames, coefficients } = this;
    const low = Array.from(this.#low);
    const high = low.map((from, c) => from + this.#width[c]!);
    return { type: 'MfccValueTokenizer', frames, coefficients, low, high };
  }

  /** Reads what toJSON wrote, parsed or as text. Throws TokenizerError when anything in it is wrong. */
  static fromJSON(json: unknown): MfccValueTokenizer {
    const where = 'MfccValueTokenizer.fromJSON';
    const object = requireObject(where, 'the tokenizer', json);
    requireType(where, object, 'MfccValueTokenizer');
    const frames = integerField(where, object, 'frames', 1, 1 << 20);
    const coefficients = integerField(where, object, 'coefficients', 1, 1024);
    const low = numbersField(where, object, 'low', coefficients);
    const high = numbersField(where, object, 'high', coefficients);
    return new MfccValueTokenizer({ frames, coefficients, low, high });
  }
}

/** np.digitize(x, np.linspace(0, 1, 256), right=True) with x clipped to [0, 1]. */
function digitize(x: number): number {
  const step = 1 / (LEVELS - 1);
  let level = Math.min(LEVELS - 1, Math.max(0, Math.ceil(x / step)));
  // Compare with the bin edges as NumPy computes them: i · step, the last one exactly 1.
  while (level > 0 && x <= (level - 1) * step) level--;
  while (level < LEVELS - 1 && x > level * step) level++;
  return level;
}
