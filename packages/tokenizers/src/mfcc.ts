import { requireInteger, requireNumber, TokenizerError } from './errors';
import { dctMatrix, hamming, melEnergies, melFilters, powerOfTwo, RealFft } from './spectrum';
import { requireWave, type Wave } from './wave';

/** Frames of mel-frequency cepstral coefficients, `data` `[frames, coefficients]` row-major. */
export interface MfccFrames {
  /** Number of frames. */
  readonly frames: number;
  /** Coefficients per frame. */
  readonly coefficients: number;
  /** `[frames, coefficients]`. */
  readonly data: Float32Array;
}

/** Options of {@link mfcc}; the defaults are those of LoReTTa's small experiment. */
export interface MfccOptions {
  /** Window in seconds. Default 0.025. */
  readonly window?: number;
  /** Step between windows in seconds. Default 0.010. */
  readonly hop?: number;
  /** Number of mel filters. Default 26. */
  readonly filters?: number;
  /** Number of cepstral coefficients, at most `filters`. Default 13. */
  readonly coefficients?: number;
  /** Pre-emphasis x_t − a·x_{t−1}. Default 0.97. */
  readonly preEmphasis?: number;
  /** Lowest frequency of the filters in Hz. Default 0. */
  readonly lowHertz?: number;
  /** Highest frequency of the filters in Hz. Default: half the sample rate. */
  readonly highHertz?: number;
  /** Cepstral mean normalisation: every coefficient has mean 0 over the recording. Default true. */
  readonly meanNormalise?: boolean;
  /** First coefficient is the log energy of the frame instead of c0. Default false. */
  readonly energy?: boolean;
}

/** Least energy that the logarithm sees: about the quantisation noise of 16-bit audio. */
const ENERGY_FLOOR = 1e-10;

/** Options with every default filled in, for one sample rate. */
export interface MfccPlan {
  readonly windowSize: number;
  readonly hopSize: number;
  readonly fftSize: number;
  readonly filters: number;
  readonly coefficients: number;
  readonly preEmphasis: number;
  readonly lowHertz: number;
  readonly highHertz: number;
}

/** Checks the options and computes sizes in samples. Throws TokenizerError. */
export function planMfcc(where: string, sampleRate: number, options: MfccOptions): MfccPlan {
  const window = options.window ?? 0.025;
  const hop = options.hop ?? 0.01;
  const filters = options.filters ?? 26;
  const coefficients = options.coefficients ?? 13;
  const preEmphasis = options.preEmphasis ?? 0.97;
  const lowHertz = options.lowHertz ?? 0;
  const highHertz = options.highHertz ?? sampleRate / 2;
  requireNumber(where, 'window', window, 1 / sampleRate, 1);
  requireNumber(where, 'hop', hop, 1 / sampleRate, 10);
  requireInteger(where, 'filters', filters, 1, 1024);
  requireInteger(where, 'coefficients', coefficients, 1, filters);
  requireNumber(where, 'preEmphasis', preEmphasis, 0, 1);
  requireNumber(where, 'highHertz', highHertz, Number.MIN_VALUE, sampleRate / 2);
  requireNumber(where, 'lowHertz', lowHertz, 0, highHertz);
  if (lowHertz === highHertz) {
    throw new TokenizerError('config', where, `lowHertz and highHertz are both ${lowHertz}`);
  }
  const windowSize = Math.max(1, Math.round(window * sampleRate));
  return {
    windowSize,
    hopSize: Math.max(1, Math.round(hop * sampleRate)),
    fftSize: powerOfTwo(windowSize),
    filters,
    coefficients,
    preEmphasis,
    lowHertz,
    highHertz,
  };
}

/**
 * Mel-frequency cepstral coefficients: pre-emphasis, Hamming window, power spectrum, triangular mel filters, logarithm,
 * orthonormal DCT-II, mean normalisation. A recording shorter than a window is padded to one; a rest shorter than a
 * window at the end is dropped: `frames = 1 + floor((n − window) / hop)`.
 * Throws TokenizerError for bad options or non-finite samples.
 */
export function mfcc(wave: Wave, options: MfccOptions = {}): MfccFrames {
  requireWave('mfcc', wave);
  const plan = planMfcc('mfcc', wave.sampleRate, options);
  const { windowSize, hopSize, fftSize, filters, coefficients } = plan;
  const bank = melFilters(filters, fftSize, wave.sampleRate, plan.lowHertz, plan.highHertz);
  const dct = dctMatrix(coefficients, filters);
  const taper = hamming(windowSize);
  const fft = new RealFft(fftSize);

  const { samples } = wave;
  const frames = 1 + Math.max(0, Math.floor((samples.length - windowSize) / hopSize));
  const data = new Float32Array(frames * coefficients);
  const frame = new Float64Array(fftSize);
  for (let t = 0; t < frames; t++) {
    const start = t * hopSize;
    for (let i = 0; i < windowSize; i++) {
      const at = start + i;
      const previous = at > 0 ? (samples[at - 1] ?? 0) : 0;
      frame[i] = ((samples[at] ?? 0) - plan.preEmphasis * previous) * taper[i]!;
    }
    const power = fft.power(frame);
    const logMel = melEnergies(bank, power).map((e) => Math.log(Math.max(e, ENERGY_FLOOR)));
    for (let c = 0; c < coefficients; c++) {
      let sum = 0;
      for (let f = 0; f < filters; f++) sum += dct[c * filters + f]! * logMel[f]!;
      data[t * coefficients + c] = sum;
    }
    if (options.energy === true) {
      const energy = power.reduce((sum, p) => sum + p, 0);
      data[t * coefficients] = Math.log(Math.max(energy, ENERGY_FLOOR));
    }
  }
  const result = { frames, coefficients, data };
  return options.meanNormalise === false ? result : normaliseMean(result);
}

/** Frames with the mean over time of every coefficient subtracted. */
function normaliseMean(x: MfccFrames): MfccFrames {
  const { frames, coefficients } = x;
  const data = new Float32Array(x.data.length);
  for (let c = 0; c < coefficients; c++) {
    let sum = 0;
    for (let t = 0; t < frames; t++) sum += x.data[t * coefficients + c]!;
    const mean = sum / frames;
    for (let t = 0; t < frames; t++) {
      data[t * coefficients + c] = x.data[t * coefficients + c]! - mean;
    }
  }
  return { frames, coefficients, data };
}

/** Throws TokenizerError unless `x` has `coefficients` columns, at least one frame and finite data. */
export function requireMfcc(where: string, x: MfccFrames, coefficients: number): void {
  if (x.coefficients !== coefficients || x.frames < 1 || !Number.isInteger(x.frames)) {
    throw new TokenizerError(
      'input',
      where,
      `expected frames of ${coefficients} coefficients, got ${x.frames}×${x.coefficients}`,
    );
  }
  if (!(x.data instanceof Float32Array) || x.data.length !== x.frames * coefficients) {
    throw new TokenizerError(
      'input',
      where,
      `data must be a Float32Array of ${x.frames * coefficients} values, got ${x.data?.length}`,
    );
  }
  const bad = x.data.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) throw new TokenizerError('input', where, `value ${bad} is ${x.data[bad]}`);
}

/** Frames stretched or squeezed to `frames` frames by linear interpolation, first on first and last on last. */
export function normaliseTime(x: MfccFrames, frames: number): MfccFrames {
  requireMfcc('normaliseTime', x, x.coefficients);
  requireInteger('normaliseTime', 'frames', frames, 1, 1 << 20);
  if (frames === x.frames) return { ...x, data: x.data.slice() };
  const { coefficients } = x;
  const data = new Float32Array(frames * coefficients);
  for (let t = 0; t < frames; t++) {
    const position = frames === 1 ? (x.frames - 1) / 2 : (t * (x.frames - 1)) / (frames - 1);
    const left = Math.floor(position);
    const right = Math.min(left + 1, x.frames - 1);
    const fraction = position - left;
    for (let c = 0; c < coefficients; c++) {
      const a = x.data[left * coefficients + c]!;
      const b = x.data[right * coefficients + c]!;
      data[t * coefficients + c] = a + (b - a) * fraction;
    }
  }
  return { frames, coefficients, data };
}
