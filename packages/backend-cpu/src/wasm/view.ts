/** Addresses of views, and the table of kernels that a family gives. */
import type { Kernels, None, View } from '@loretta-ts/core';
import type { PoolBuffer } from '../pool';

/** A family overrides some kernels of the reference. */
export type SomeKernels = Partial<{ -readonly [N in keyof Kernels]: Kernels[N] }>;

/** A kernel without attributes. */
export type PlainKernel = (ins: readonly View[], outs: readonly View[], attrs: None) => void;

/** Address of the first element of a view with elements of 4 bytes. */
export function at(v: View): number {
  return (v.buffer as PoolBuffer).ptr + v.offset * 4;
}

/** Address of the first element of a bool view. */
export function atBytes(v: View): number {
  return (v.buffer as PoolBuffer).ptr + v.offset;
}

export function isF32(views: readonly View[]): boolean {
  for (let i = 0; i < views.length; i++) {
    if (views[i]!.dtype !== 'f32') return false;
  }
  return true;
}
