/** Sums, products, extrema and orders along axes. Sums accumulate in double. */
import type { Kernel, Kernels, Shape } from '@loretta-ts/core';
import { ShapeError, stridesOf } from '@loretta-ts/core';
import type { Read } from './strided';
import { aroundAxis, coalesce, eachRow, innerStrides } from './strided';

interface Fold {
  readonly initial: number;
  readonly f: (accumulated: number, x: number) => number;
}
type FoldName = 'sum' | 'prod' | 'max' | 'min';

const folds: Readonly<Record<FoldName, Fold>> = {
  sum: { initial: 0, f: (s, x) => s + x },
  prod: { initial: 1, f: (p, x) => p * x },
  // Math.max and Math.min propagate NaN.
  max: { initial: -Infinity, f: (m, x) => Math.max(m, x) },
  min: { initial: Infinity, f: (m, x) => Math.min(m, x) },
};

// i32 wraps at every step: a double would lose the low bits of large products.
const integerFolds: Readonly<Partial<Record<FoldName, Fold>>> = {
  sum: { initial: 0, f: (s, x) => (s + x) | 0 },
  prod: { initial: 1, f: (p, x) => Math.imul(p, x) },
};

function refuseEmpty(op: string, reduced: number, outSize: number, shape: Shape): void {
  if (reduced === 0 && outSize > 0) {
    throw new ShapeError(op, `nothing to reduce in [${shape.join(',')}]: check the size first`, [
      shape,
    ]);
  }
}

/** Strides of the output seen from the axes of `x`: 0 along reduced axes. */
function reducedStrides(shape: Shape, axes: readonly number[]): number[] {
  const kept = shape.map((d, i) => (axes.includes(i) ? 1 : d));
  return stridesOf(kept).map((s, i) => (axes.includes(i) ? 0 : s));
}

function foldKernel(op: FoldName, read: Read): Kernel<FoldName> {
  return ([x], [out], { axes }) => {
    const shape = x!.shape;
    const reduced = axes.reduce((n, a) => n * shape[a]!, 1);
    if (op === 'max' || op === 'min') refuseEmpty(op, reduced, out!.size, shape);
    const { initial, f } = (x!.dtype === 'i32' && integerFolds[op]) || folds[op];
    const from = read(x!);
    const sums = new Float64Array(out!.size).fill(initial);
    const walk = coalesce(shape, [stridesOf(shape), reducedStrides(shape, axes)]);
    const [step, stepOut] = innerStrides(walk) as [number, number];
    eachRow(walk, [0, 0], (n, at) => {
      let i = at[0]!;
      let o = at[1]!;
      if (stepOut === 0) {
        let s = sums[o]!;
        for (let j = 0; j < n; j++, i += step) s = f(s, from[i]!);
        sums[o] = s;
        return;
      }
      for (let j = 0; j < n; j++, i += step, o += stepOut) sums[o] = f(sums[o]!, from[i]!);
    });
    read(out!).set(sums);
  };
}

/** First index of the extremum, or of the first NaN. */
function argExtremum(op: 'argmax' | 'argmin', read: Read): Kernel<'argmax' | 'argmin'> {
  const sign = op === 'argmax' ? 1 : -1;
  return ([x], [out], { axis }) => {
    const { outer, length, inner } = aroundAxis(x!.shape, axis);
    refuseEmpty(op, length, out!.size, x!.shape);
    const from = read(x!);
    const to = read(out!);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const base = o * length * inner + i;
        let best = 0;
        let extremum = from[base]! * sign;
        for (let j = 1; j < length && !Number.isNaN(extremum); j++) {
          const v = from[base + j * inner]! * sign;
          if (v > extremum || Number.isNaN(v)) {
            best = j;
            extremum = v;
          }
        }
        to[o * inner + i] = best;
      }
    }
  };
}

/** Ascending, NaN last; equal values (and the zeros) compare as 0, so that a stable sort keeps their order. */
function ascending(x: number, y: number): number {
  if (x < y) return -1;
  if (x > y) return 1;
  return (Number.isNaN(x) ? 1 : 0) - (Number.isNaN(y) ? 1 : 0);
}

function argsort(read: Read): Kernel<'argsort'> {
  return ([x], [out], { axis, descending }) => {
    const { outer, length, inner } = aroundAxis(x!.shape, axis);
    const from = read(x!);
    const to = read(out!);
    const line = new Float64Array(length);
    const order = new Int32Array(length);
    const byValue = descending
      ? (i: number, j: number) => ascending(line[j]!, line[i]!)
      : (i: number, j: number) => ascending(line[i]!, line[j]!);
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        const base = o * length * inner + i;
        for (let j = 0; j < length; j++) {
          line[j] = from[base + j * inner]!;
          order[j] = j;
        }
        order.sort(byValue);
        for (let j = 0; j < length; j++) to[base + j * inner] = order[j]!;
      }
    }
  };
}

function cumsum(read: Read): Kernel<'cumsum'> {
  return ([x], [out], { axis, reverse }) => {
    const { outer, length, inner } = aroundAxis(x!.shape, axis);
    const from = read(x!);
    const to = read(out!);
    const step = reverse ? -inner : inner;
    const integer = x!.dtype === 'i32';
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        let at = o * length * inner + i + (reverse ? (length - 1) * inner : 0);
        let sum = 0;
        for (let j = 0; j < length; j++, at += step) {
          sum = integer ? (sum + from[at]!) | 0 : sum + from[at]!;
          to[at] = sum;
        }
      }
    }
  };
}

/** Kernels of reductions, argument reductions, `argsort` and `cumsum`. */
export function reduceKernels(
  read: Read,
): Pick<Kernels, FoldName | 'argmax' | 'argmin' | 'argsort' | 'cumsum'> {
  return {
    sum: foldKernel('sum', read),
    prod: foldKernel('prod', read),
    max: foldKernel('max', read),
    min: foldKernel('min', read),
    argmax: argExtremum('argmax', read),
    argmin: argExtremum('argmin', read),
    argsort: argsort(read),
    cumsum: cumsum(read),
  };
}
