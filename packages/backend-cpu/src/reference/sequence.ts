/** Ops along a sequence: Fourier transform, long convolution, linear recurrence. */
import type { Kernel, Kernels } from '@loretta-ts/core';
import { multiplySpectra, paddedLength, planTransform } from './fft';
import type { Read } from './strided';
import { broadcastStrides, coalesce, eachRow, innerStrides } from './strided';

/** Up to here the sum itself is as fast as transforms, and closer. */
const directLength = 64;

function fft(read: Read): Kernel<'fft'> {
  return ([re, im], [outRe, outIm], { inverse }) => {
    const n = re!.shape[re!.shape.length - 1]!;
    if (re!.size === 0) return;
    const fromRe = read(re!);
    const fromIm = read(im!);
    const toRe = read(outRe!);
    const toIm = read(outIm!);
    const transform = planTransform(n);
    const x = new Float64Array(n);
    const y = new Float64Array(n);
    for (let row = 0; row < fromRe.length; row += n) {
      x.set(fromRe.subarray(row, row + n));
      y.set(fromIm.subarray(row, row + n));
      if (inverse) {
        transform(y, x);
        for (let i = 0; i < n; i++) {
          x[i]! /= n;
          y[i]! /= n;
        }
      } else {
        transform(x, y);
      }
      toRe.set(x, row);
      toIm.set(y, row);
    }
  };
}

type Convolve = (y: Float64Array, u: Float64Array, k: Float64Array) => void;

function convolveDirectly(y: Float64Array, u: Float64Array, k: Float64Array): void {
  for (let t = 0; t < y.length; t++) {
    let sum = 0;
    for (let s = 0; s <= t; s++) sum += k[s]! * u[t - s]!;
    y[t] = sum;
  }
}

/** Padded to twice the length, so that nothing wraps around. */
function convolveByTransform(length: number): Convolve {
  const size = paddedLength(2 * length);
  const transform = planTransform(size);
  const re = new Float64Array(size);
  const im = new Float64Array(size);
  const kernelRe = new Float64Array(size);
  const kernelIm = new Float64Array(size);
  return (y, u, k) => {
    re.fill(0).set(u);
    im.fill(0);
    kernelRe.fill(0).set(k);
    kernelIm.fill(0);
    transform(re, im);
    transform(kernelRe, kernelIm);
    multiplySpectra(re, im, kernelRe, kernelIm);
    transform(im, re);
    for (let t = 0; t < y.length; t++) y[t] = re[t]! / size;
  };
}

function longConv(read: Read): Kernel<'longConv'> {
  return ([u, k], [out]) => {
    const shape = out!.shape;
    const length = shape[shape.length - 1]!;
    if (out!.size === 0) return;
    const signals = read(u!);
    const filters = read(k!);
    const to = read(out!);
    const convolve = length <= directLength ? convolveDirectly : convolveByTransform(length);
    const signal = new Float64Array(length);
    const filter = new Float64Array(length);
    const result = new Float64Array(length);
    const batch = shape.slice(0, -1);
    const walk = coalesce(
      batch,
      [u!, k!].map((v) => broadcastStrides(v.shape.slice(0, -1), batch).map((s) => s * length)),
    );
    const [stepU, stepK] = innerStrides(walk) as [number, number];
    let o = 0;
    eachRow(walk, [0, 0], (n, at) => {
      for (let i = 0; i < n; i++, o += length) {
        const startU = at[0]! + i * stepU;
        const startK = at[1]! + i * stepK;
        signal.set(signals.subarray(startU, startU + length));
        filter.set(filters.subarray(startK, startK + length));
        convolve(result, signal, filter);
        to.set(result, o);
      }
    });
  };
}

function linearRecurrence(read: Read): Kernel<'linearRecurrence'> {
  return ([a, b], [out], { reverse }) => {
    const shape = a!.shape;
    const n = shape[shape.length - 1]!;
    const steps = shape[shape.length - 2]!;
    if (a!.size === 0) return;
    const decay = read(a!);
    const input = read(b!);
    const to = read(out!);
    const h = new Float64Array(n);
    for (let start = 0; start < decay.length; start += steps * n) {
      h.fill(0);
      for (let t = 0; t < steps; t++) {
        const at = start + (reverse ? steps - 1 - t : t) * n;
        for (let j = 0; j < n; j++) {
          h[j] = decay[at + j]! * h[j]! + input[at + j]!;
          to[at + j] = h[j]!;
        }
      }
    }
  };
}

/** Kernels of `fft`, `longConv` and `linearRecurrence`. */
export function sequenceKernels(
  read: Read,
): Pick<Kernels, 'fft' | 'longConv' | 'linearRecurrence'> {
  return { fft: fft(read), longConv: longConv(read), linearRecurrence: linearRecurrence(read) };
}
