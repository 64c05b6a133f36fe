/** Cheap variations of a recording: speed with pitch, loudness, silence around it, noise. */
import type { Wave } from '@loretta-ts/tokenizers';

/** One variation. */
export interface WaveVariation {
  /** Plays so many times faster, and higher. */
  readonly rate: number;
  /** Factor on the samples. */
  readonly gain: number;
  /** Seconds of silence before and after. */
  readonly lead: number;
  readonly tail: number;
  /** Amplitude of the added noise; the silence gets it too. */
  readonly noise: number;
  /** Where in the noise to start. */
  readonly noiseStart: number;
}

const TAPS_PER_SIDE = 24;

/**
 * The wave below the Nyquist frequency of `sampleRate`, still at its own rate: a Hann-windowed sinc of 49 taps.
 * First half of a down-sampling whose second half is {@link vary}.
 */
export function lowPass(wave: Wave, sampleRate: number): Wave {
  const cutoff = Math.min(1, sampleRate / wave.sampleRate);
  if (cutoff === 1) return wave;
  const taps = Float64Array.from({ length: 2 * TAPS_PER_SIDE + 1 }, (_, i) => {
    const t = i - TAPS_PER_SIDE;
    const sinc = t === 0 ? cutoff : Math.sin(Math.PI * t * cutoff) / (Math.PI * t);
    return sinc * (0.5 + 0.5 * Math.cos((Math.PI * t) / (TAPS_PER_SIDE + 1)));
  });
  const { samples: input } = wave;
  const samples = new Float32Array(input.length);
  for (let n = 0; n < samples.length; n++) {
    const first = Math.max(-TAPS_PER_SIDE, -n);
    const last = Math.min(TAPS_PER_SIDE, input.length - 1 - n);
    let sum = 0;
    for (let t = first; t <= last; t++) sum += input[n + t]! * taps[t + TAPS_PER_SIDE]!;
    samples[n] = sum;
  }
  return { sampleRate: wave.sampleRate, samples };
}

/**
 * The variation of a band-limited wave at `sampleRate`, by cubic interpolation (Catmull–Rom).
 * @param noise Noise in [-1, 1], read round from `noiseStart`; at least one value.
 */
export function vary(
  wave: Wave,
  sampleRate: number,
  variation: WaveVariation,
  noise: Float32Array,
): Wave {
  const { rate, gain, noiseStart } = variation;
  const step = (wave.sampleRate / sampleRate) * rate;
  const lead = Math.round(variation.lead * sampleRate);
  const tail = Math.round(variation.tail * sampleRate);
  const body = Math.max(1, Math.floor((wave.samples.length - 1) / step) + 1);
  const samples = new Float32Array(lead + body + tail);
  const at = (i: number): number => wave.samples[i] ?? 0;
  for (let n = 0; n < body; n++) {
    const position = n * step;
    const i = Math.floor(position);
    const f = position - i;
    const [a, b, c, d] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
    const slope = 0.5 * (c - a);
    const curve = a - 2.5 * b + 2 * c - 0.5 * d;
    const twist = 0.5 * (d - a) + 1.5 * (b - c);
    samples[lead + n] = gain * (b + f * (slope + f * (curve + f * twist)));
  }
  for (let n = 0; n < samples.length; n++) {
    const value = samples[n]! + variation.noise * noise[(noiseStart + n) % noise.length]!;
    samples[n] = Math.min(1, Math.max(-1, value));
  }
  return { sampleRate, samples };
}

/** The wave without the silence around it: quieter than `threshold` of the peak, but for `margin` seconds. */
export function trimSilence(wave: Wave, threshold: number, margin: number): Wave {
  const { samples, sampleRate } = wave;
  let peak = 0;
  for (const value of samples) peak = Math.max(peak, Math.abs(value));
  const loud = (value: number): boolean => Math.abs(value) > threshold * peak;
  const first = samples.findIndex(loud);
  if (first < 0) return wave;
  const last = samples.findLastIndex(loud);
  const pad = Math.round(margin * sampleRate);
  const kept = samples.slice(Math.max(0, first - pad), Math.min(samples.length, last + 1 + pad));
  return { sampleRate, samples: kept };
}
