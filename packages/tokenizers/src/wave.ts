import { requireInteger, requireNumber, TokenizerError } from './errors';

/** A mono recording: samples in [-1, 1], `[n]`. */
export interface Wave {
  /** Samples per second. */
  readonly sampleRate: number;
  /** `[n]`, in [-1, 1]. */
  readonly samples: Float32Array;
}

/** Largest sample rate accepted anywhere, in Hz. */
export const MAX_SAMPLE_RATE = 768_000;

/** Throws TokenizerError unless the wave has a sensible rate and finite samples. */
export function requireWave(where: string, wave: Wave): void {
  requireInteger(where, 'sampleRate', wave.sampleRate, 1, MAX_SAMPLE_RATE);
  if (!(wave.samples instanceof Float32Array)) {
    throw new TokenizerError('input', where, 'samples must be a Float32Array');
  }
  const bad = wave.samples.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) {
    throw new TokenizerError('input', where, `sample ${bad} is ${wave.samples[bad]}`);
  }
}

/** The wave cut or padded with silence at its end to `seconds`. */
export function fitDuration(wave: Wave, seconds: number): Wave {
  requireWave('fitDuration', wave);
  requireNumber('fitDuration', 'seconds', seconds, 0, 86_400);
  const samples = new Float32Array(Math.round(seconds * wave.sampleRate));
  samples.set(wave.samples.subarray(0, samples.length));
  return { sampleRate: wave.sampleRate, samples };
}

/** Zero crossings of the sinc kept on each side. */
const SINC_LOBES = 16;

/**
 * The wave at another sample rate, by a Hann-windowed sinc of 16 lobes a side; when going down the cut-off
 * moves to the new Nyquist frequency, so that nothing aliases. The duration stays.
 */
export function resample(wave: Wave, sampleRate: number): Wave {
  requireWave('resample', wave);
  requireInteger('resample', 'sampleRate', sampleRate, 1, MAX_SAMPLE_RATE);
  if (sampleRate === wave.sampleRate) return { sampleRate, samples: wave.samples.slice() };
  const input = wave.samples;
  const ratio = sampleRate / wave.sampleRate;
  const cutoff = Math.min(1, ratio);
  const reach = SINC_LOBES / cutoff;
  const samples = new Float32Array(Math.round(input.length * ratio));
  for (let i = 0; i < samples.length; i++) {
    const center = i / ratio;
    const first = Math.max(0, Math.ceil(center - reach));
    const last = Math.min(input.length - 1, Math.floor(center + reach));
    let sum = 0;
    let weight = 0;
    for (let j = first; j <= last; j++) {
      const w = windowedSinc((j - center) * cutoff);
      sum += input[j]! * w;
      weight += w;
    }
    // Dividing by the weights keeps the level near the ends, where the kernel is cut.
    samples[i] = weight === 0 ? 0 : sum / weight;
  }
  return { sampleRate, samples };
}

function windowedSinc(x: number): number {
  if (x === 0) return 1;
  const hann = 0.5 + 0.5 * Math.cos((Math.PI * x) / SINC_LOBES);
  return (Math.sin(Math.PI * x) / (Math.PI * x)) * hann;
}
