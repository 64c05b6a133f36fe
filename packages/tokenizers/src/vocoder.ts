import { requireInteger, requireNumber, TokenizerError } from './errors';
import {
  type MfccFrames,
  type MfccOptions,
  type MfccPlan,
  normaliseTime,
  planMfcc,
  requireMfcc,
} from './mfcc';
import { CounterRandom } from './random';
import { dctMatrix, hertzOf, melFilters, melOf, RealFft } from './spectrum';
import { MAX_SAMPLE_RATE, type Wave } from './wave';

/** Options of {@link vocode}: those the frames were made with, and how they are to sound. */
export interface VocodeOptions extends MfccOptions {
  /** Samples per second of the result. Default 8,000. */
  readonly sampleRate?: number;
  /** Stretch or squeeze to this length. Default: one hop per frame. */
  readonly seconds?: number;
  /** Pulses per second of the voice. Default 120. */
  readonly pitch?: number;
  /** Share of noise in the voice, 0 (buzz) to 1 (whisper). Default 0.15. */
  readonly breath?: number;
  /** Mean cepstrum that mean normalisation took away, `[coefficients]`. Default 0. */
  readonly mean?: ArrayLike<number>;
  /** Seed of the noise. Default 1. */
  readonly seed?: number;
}

/** Peak of the result. */
const PEAK = 0.7;

/**
 * Something to listen to for MFCC frames, an approximate inverse of `mfcc`: a channel vocoder. Pulses and a little
 * noise are filtered frame by frame by the spectral envelope (inverse DCT, mel to hertz, de-emphasis). Pitch, phase
 * and loudness are not in the frames, so it sounds like a robot saying the word.
 * Throws TokenizerError for bad options or frames.
 */
export function vocode(x: MfccFrames, options: VocodeOptions = {}): Wave {
  const where = 'vocode';
  const sampleRate = options.sampleRate ?? 8000;
  requireInteger(where, 'sampleRate', sampleRate, 100, MAX_SAMPLE_RATE);
  const plan = planMfcc(where, sampleRate, { ...options, coefficients: x.coefficients });
  requireMfcc(where, x, plan.coefficients);
  const mean = options.mean ?? new Float64Array(x.coefficients);
  if (mean.length !== x.coefficients) {
    throw new TokenizerError('config', where, `mean must have ${x.coefficients} values`);
  }
  const { fftSize, hopSize } = plan;
  const seconds = options.seconds ?? (x.frames * hopSize) / sampleRate;
  requireNumber(where, 'seconds', seconds, hopSize / sampleRate, 600);
  const frames = normaliseTime(x, Math.max(1, Math.round((seconds * sampleRate) / hopSize)));

  const source = excitation(where, frames.frames * hopSize + fftSize, sampleRate, options);
  const envelope = envelopes(frames, mean, plan, sampleRate);
  const fft = new RealFft(fftSize);
  const taper = Float64Array.from(
    { length: fftSize },
    (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * (i + 0.5)) / fftSize),
  );
  const out = new Float64Array(source.length);
  const overlap = new Float64Array(source.length);
  for (let t = 0; t < frames.frames; t++) {
    const start = t * hopSize;
    const frame = taper.map((w, i) => w * source[start + i]!);
    const filtered = fft.filter(frame, envelope(t));
    for (let i = 0; i < fftSize; i++) {
      out[start + i]! += filtered[i]! * taper[i]!;
      overlap[start + i]! += taper[i]! ** 2;
    }
  }
  const samples = out
    .map((v, i) => v / Math.max(overlap[i]!, 0.1))
    .subarray(0, frames.frames * hopSize);
  const peak = samples.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const scale = peak > 0 ? PEAK / peak : 0;
  return { sampleRate, samples: Float32Array.from(samples, (v) => v * scale) };
}

/** Pulses at the pitch and uniform noise, both of power 1 before mixing. */
function excitation(
  where: string,
  length: number,
  sampleRate: number,
  options: VocodeOptions,
): Float64Array {
  const pitch = options.pitch ?? 120;
  const breath = options.breath ?? 0.15;
  const seed = options.seed ?? 1;
  requireNumber(where, 'pitch', pitch, 20, sampleRate / 2);
  requireNumber(where, 'breath', breath, 0, 1);
  requireInteger(where, 'seed', seed, -(2 ** 31), 2 ** 32 - 1);
  const random = new CounterRandom(seed);
  const period = sampleRate / pitch;
  const pulse = Math.sqrt(period) * (1 - breath);
  return Float64Array.from({ length }, (_, i) => {
    const hit = Math.floor(i / period) !== Math.floor((i - 1) / period);
    return (hit ? pulse : 0) + breath * Math.sqrt(3) * (2 * random.uniform() - 1);
  });
}

/** Gain per frequency bin of frame t, from log-mel energies interpolated over mel, `[fftSize / 2 + 1]`. */
function envelopes(
  frames: MfccFrames,
  mean: ArrayLike<number>,
  plan: MfccPlan,
  sampleRate: number,
): (t: number) => Float64Array {
  const { fftSize, filters, coefficients, lowHertz, highHertz, preEmphasis } = plan;
  const dct = dctMatrix(coefficients, filters);
  const lowMel = melOf(lowHertz);
  const step = (melOf(highHertz) - lowMel) / (filters + 1);
  // A filter's energy grows with its area; an empty one counts as one bin.
  const area = melFilters(filters, fftSize, sampleRate, lowHertz, highHertz).map(({ weights }) =>
    Math.log(
      Math.max(
        weights.reduce((a, b) => a + b, 0),
        1,
      ),
    ),
  );
  const bins = Array.from({ length: fftSize / 2 + 1 }, (_, k) => {
    const hertz = (k * sampleRate) / fftSize;
    const omega = (2 * Math.PI * k) / fftSize;
    const position = (melOf(hertz) - lowMel) / step - 1;
    const emphasis = 1 + preEmphasis ** 2 - 2 * preEmphasis * Math.cos(omega);
    const heard = hertz >= Math.max(lowHertz, hertzOf(lowMel + step / 2));
    return { position, emphasis: Math.log(Math.max(emphasis, 1e-3)), heard };
  });
  return (t) => {
    const logMel = area.map((logArea, f) => {
      let sum = -logArea;
      for (let c = 0; c < coefficients; c++) {
        sum += dct[c * filters + f]! * (frames.data[t * coefficients + c]! + mean[c]!);
      }
      return sum;
    });
    return Float64Array.from(bins, ({ position, emphasis, heard }) => {
      if (!heard) return 0;
      const at = Math.min(filters - 1, Math.max(0, position));
      const left = Math.floor(at);
      const right = Math.min(filters - 1, left + 1);
      const level = logMel[left]! + (logMel[right]! - logMel[left]!) * (at - left);
      return Math.exp(Math.min(60, 0.5 * (level - emphasis)));
    });
  };
}
