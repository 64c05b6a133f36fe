import FFT from 'fft.js';

/** Real FFT of one size with its buffers: fft.js behind typed arrays. */
export class RealFft {
  /** Number of points, a power of two. */
  readonly size: number;
  readonly #fft: FFT;
  readonly #spectrum: number[];
  readonly #time: number[];

  constructor(size: number) {
    this.size = size;
    this.#fft = new FFT(size);
    this.#spectrum = this.#fft.createComplexArray();
    this.#time = this.#fft.createComplexArray();
  }

  /** |X_k|² / size for k = 0 … size/2, `[size / 2 + 1]`. */
  power(frame: Float64Array): Float64Array {
    this.#fft.realTransform(this.#spectrum, frame);
    const power = new Float64Array(this.size / 2 + 1);
    for (let k = 0; k < power.length; k++) {
      const re: number = this.#spectrum[2 * k]!;
      const im: number = this.#spectrum[2 * k + 1]!;
      power[k] = (re * re + im * im) / this.size;
    }
    return power;
  }

  /** The frame with frequency k scaled by `gains[k]`, k = 0 … size/2 (circular, zero phase), `[size]`. */
  filter(frame: Float64Array, gains: Float64Array): Float64Array {
    this.#fft.realTransform(this.#spectrum, frame);
    for (let k = 0; k <= this.size / 2; k++) {
      this.#spectrum[2 * k]! *= gains[k]!;
      this.#spectrum[2 * k + 1]! *= gains[k]!;
    }
    this.#fft.completeSpectrum(this.#spectrum);
    this.#fft.inverseTransform(this.#time, this.#spectrum);
    return Float64Array.from({ length: this.size }, (_, i) => this.#time[2 * i]!);
  }
}

/** The smallest power of two that is at least `n`, and at least 2. */
export function powerOfTwo(n: number): number {
  return 2 ** Math.max(1, Math.ceil(Math.log2(n)));
}

/** Hamming window, `[n]`: 0.54 − 0.46 cos(2πi / (n − 1)). */
export function hamming(n: number): Float64Array {
  const window = new Float64Array(n).fill(1);
  if (n === 1) return window;
  return window.map((_, i) => 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (n - 1)));
}

/** Hertz to mel, HTK's formula. */
export function melOf(hertz: number): number {
  return 2595 * Math.log10(1 + hertz / 700);
}

/** Mel to hertz, HTK's formula. */
export function hertzOf(mel: number): number {
  return 700 * (10 ** (mel / 2595) - 1);
}

/** One triangular filter: weights of the bins `start`, `start + 1`, … */
export interface MelFilter {
  readonly start: number;
  readonly weights: Float64Array;
}

/**
 * Triangular filters evenly spaced in mel from `low` to `high` Hz, peak 1, over the `fftSize / 2 + 1` bins of a
 * power spectrum. Slopes are computed at the exact frequencies of the bins, as librosa does with `htk=True, norm=None`.
 */
export function melFilters(
  filters: number,
  fftSize: number,
  sampleRate: number,
  low: number,
  high: number,
): MelFilter[] {
  const lowMel = melOf(low);
  const step = (melOf(high) - lowMel) / (filters + 1);
  return Array.from({ length: filters }, (_, f) => {
    const left = hertzOf(lowMel + f * step);
    const center = hertzOf(lowMel + (f + 1) * step);
    const right = hertzOf(lowMel + (f + 2) * step);
    const start = Math.max(0, Math.floor((left * fftSize) / sampleRate));
    const end = Math.min(fftSize / 2, Math.ceil((right * fftSize) / sampleRate));
    const weights = Float64Array.from({ length: end - start + 1 }, (_, i) => {
      const hertz = ((start + i) * sampleRate) / fftSize;
      const slope = Math.min((hertz - left) / (center - left), (right - hertz) / (right - center));
      return Math.max(0, slope);
    });
    return { start, weights };
  });
}

/** Energy of a power spectrum in each filter, `[filters]`. */
export function melEnergies(filters: readonly MelFilter[], power: Float64Array): Float64Array {
  return Float64Array.from(filters, ({ start, weights }) => {
    let sum = 0;
    for (let i = 0; i < weights.length; i++) sum += weights[i]! * power[start + i]!;
    return sum;
  });
}

/** Orthonormal DCT-II matrix, the first `rows` of `[size, size]`: s_k cos(π k (2n + 1) / (2 size)). */
export function dctMatrix(rows: number, size: number): Float64Array {
  const matrix = new Float64Array(rows * size);
  for (let k = 0; k < rows; k++) {
    const scale = Math.sqrt((k === 0 ? 1 : 2) / size);
    for (let n = 0; n < size; n++) {
      matrix[k * size + n] = scale * Math.cos((Math.PI * k * (2 * n + 1)) / (2 * size));
    }
  }
  return matrix;
}
