/**
 * Discrete Fourier transforms of any length in O(n log n): radix 2 for powers of two, Bluestein's chirp
 * transform for the rest ("A linear filtering approach to the computation of the DFT", 1970).
 */

/** Replaces (re, im) by sum_t x_t exp(-2πi kt / n), not scaled. Swapping the two arguments gives the + sign. */
export type Transform = (re: Float64Array, im: Float64Array) => void;

interface Table {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/** cos and sin of 2π step(j) / n for j < count. Angles are reduced to an octant first: quarter turns are exact. */
function unitCircle(count: number, n: number, step: (j: number) => number): Table {
  const cos = new Float64Array(count);
  const sin = new Float64Array(count);
  for (let j = 0; j < count; j++) {
    // In units of a quarter turn / n.
    let a = 4 * (step(j) % n);
    const below = a > 2 * n;
    if (below) a = 4 * n - a;
    const left = a > n;
    if (left) a = 2 * n - a;
    const steep = 2 * a > n;
    if (steep) a = n - a;
    const angle = (Math.PI / 2) * (a / n);
    const c = steep ? Math.sin(angle) : Math.cos(angle);
    const s = steep ? Math.cos(angle) : Math.sin(angle);
    cos[j] = left ? -c : c;
    sin[j] = below ? -s : s;
  }
  return { cos, sin };
}

function bitReversal(n: number): Int32Array {
  const to = new Int32Array(n);
  for (let i = 1; i < n; i++) to[i] = (to[i >> 1]! >> 1) | (i & 1 ? n >> 1 : 0);
  return to;
}

function powerOfTwo(n: number): Transform {
  const reversed = bitReversal(n);
  const { cos, sin } = unitCircle(n / 2, n, (j) => j);
  return (re, im) => {
    for (let i = 0; i < n; i++) {
      const j = reversed[i]!;
      if (j <= i) continue;
      [re[i], re[j]] = [re[j]!, re[i]!];
      [im[i], im[j]] = [im[j]!, im[i]!];
    }
    for (let half = 1; half < n; half *= 2) {
      const stride = n / (2 * half);
      for (let start = 0; start < n; start += 2 * half) {
        for (let j = 0; j < half; j++) {
          const a = start + j;
          const b = a + half;
          const c = cos[j * stride]!;
          const s = sin[j * stride]!;
          const x = re[b]! * c + im[b]! * s;
          const y = im[b]! * c - re[b]! * s;
          re[b] = re[a]! - x;
          im[b] = im[a]! - y;
          re[a] = re[a]! + x;
          im[a] = im[a]! + y;
        }
      }
    }
  };
}

/** (x, y) times (u, v), complex, in place. */
export function multiplySpectra(
  x: Float64Array,
  y: Float64Array,
  u: Float64Array,
  v: Float64Array,
): void {
  for (let i = 0; i < x.length; i++) {
    const re = x[i]! * u[i]! - y[i]! * v[i]!;
    y[i] = x[i]! * v[i]! + y[i]! * u[i]!;
    x[i] = re;
  }
}

/** 2 kt = k² + t² - (k - t)²: the transform is a convolution with a chirp. */
function bluestein(n: number): Transform {
  const size = paddedLength(2 * n - 1);
  const inner = powerOfTwo(size);
  // exp(πi j² / n); j² is exact below 2^26.5, and taken modulo 2n.
  const { cos, sin } = unitCircle(n, 2 * n, (j) => j * j);
  const chirpRe = new Float64Array(size);
  const chirpIm = new Float64Array(size);
  for (let j = 0; j < n; j++) {
    const mirrored = (size - j) % size;
    chirpRe[j] = cos[j]!;
    chirpRe[mirrored] = cos[j]!;
    chirpIm[j] = sin[j]!;
    chirpIm[mirrored] = sin[j]!;
  }
  inner(chirpRe, chirpIm);
  const x = new Float64Array(size);
  const y = new Float64Array(size);
  return (re, im) => {
    x.fill(0);
    y.fill(0);
    for (let j = 0; j < n; j++) {
      x[j] = re[j]! * cos[j]! + im[j]! * sin[j]!;
      y[j] = im[j]! * cos[j]! - re[j]! * sin[j]!;
    }
    inner(x, y);
    multiplySpectra(x, y, chirpRe, chirpIm);
    inner(y, x);
    for (let j = 0; j < n; j++) {
      re[j] = (x[j]! * cos[j]! + y[j]! * sin[j]!) / size;
      im[j] = (y[j]! * cos[j]! - x[j]! * sin[j]!) / size;
    }
  };
}

/** The smallest power of two that is at least `n`. */
export function paddedLength(n: number): number {
  let size = 1;
  while (size < n) size *= 2;
  return size;
}

/** Prepares the transform of length `n` >= 1: tables are made once and serve every row. */
export function planTransform(n: number): Transform {
  return paddedLength(n) === n ? powerOfTwo(n) : bluestein(n);
}
