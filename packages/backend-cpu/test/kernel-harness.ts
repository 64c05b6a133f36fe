/** Runs one kernel on a backend, with views inside larger buffers and sentinels around the outputs. */
import {
  type Aval,
  type Backend,
  type OpAttrs,
  sizeOf,
  type TypedArray,
  typedArray,
  type View,
} from '@loretta-ts/core';
import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { cpu, referenceBackend } from '../src/index';

fc.configureGlobal({ seed: 20261123 });
// Node 20 validates relaxed SIMD only with this flag, so that both builds are tested everywhere.
setFlagsFromString('--experimental-wasm-relaxed-simd');

export const backends: Readonly<Record<'simd' | 'relaxed-simd', Backend>> = {
  simd: cpu({ simd: 'simd' }),
  'relaxed-simd': cpu({ simd: 'relaxed-simd' }),
};
export const reference: Backend = referenceBackend();

export interface Value extends Aval {
  readonly data: TypedArray;
}

type KernelName = Exclude<keyof OpAttrs, 'reshape'>;

const margin = 5;
const sentinel = 77;

/** Values of the outputs. `donate` gives input i as the memory of output o. Throws when a kernel writes beside its output. */
export function run<N extends KernelName>(
  backend: Backend,
  name: N,
  ins: readonly Value[],
  outs: readonly Aval[],
  attrs: OpAttrs[N],
  donate: readonly (number | null)[] = [],
): TypedArray[] {
  const place = (v: Aval, data: TypedArray): View => {
    const size = sizeOf(v.shape);
    const padded = typedArray(v.dtype, size + 2 * margin).fill(sentinel);
    padded.set(data, margin);
    const buffer = backend.alloc(padded.length, v.dtype);
    backend.write(buffer, 0, padded);
    return { buffer, offset: margin, shape: v.shape, dtype: v.dtype, size };
  };
  const inputs = ins.map((v) => place(v, v.data));
  const outputs = outs.map((v, o) => {
    const given = donate[o];
    return given === undefined || given === null
      ? place(v, typedArray(v.dtype, sizeOf(v.shape)).fill(sentinel))
      : inputs[given]!;
  });
  const kernel = backend.kernels[name] as unknown as (
    ins: readonly View[],
    outs: readonly View[],
    attrs: OpAttrs[N],
  ) => void;
  try {
    kernel(inputs, outputs, attrs);
    return outputs.map((v) => {
      const all = backend.readSync!(v.buffer, v.dtype, 0, v.size + 2 * margin);
      for (let i = 0; i < margin; i++) {
        if (all[i] !== sentinel || all[v.size + margin + i] !== sentinel) {
          throw new Error(`${name} wrote beside its output`);
        }
      }
      return all.slice(margin, margin + v.size);
    });
  } finally {
    for (const buffer of new Set([...inputs, ...outputs].map((v) => v.buffer)))
      backend.free(buffer);
  }
}

/** Deterministic values in (-2, 2), none of them 0. */
export function values(size: number, seed: number): Float32Array {
  let state = (seed * 2654435761 + 12345) >>> 0;
  return Float32Array.from({ length: size }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return ((state >>> 8) / 2 ** 24) * 4 - 2 + 1e-4;
  });
}

export function f32(shape: readonly number[], seed: number): Value {
  return { shape, dtype: 'f32', data: values(sizeOf(shape), seed) };
}

/** The largest |got - want| / (atol + rtol |want|); NaN and infinities must agree exactly. */
export function mismatch(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  rtol: number,
  atol: number,
): number {
  if (got.length !== want.length) return Number.POSITIVE_INFINITY;
  let worst = 0;
  for (let i = 0; i < want.length; i++) {
    const g = got[i]!;
    const w = want[i]!;
    if (Object.is(g, w) || g === w) continue;
    const error = Number.isFinite(w) ? Math.abs(g - w) / (atol + rtol * Math.abs(w)) : Number.NaN;
    if (!(error <= worst)) worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : error;
  }
  return worst;
}
