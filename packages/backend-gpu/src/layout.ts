/** Strided operands: what broadcasting, slicing, permuting and reducing share. */
import { type Shape, stridesOf } from '@loretta-ts/core';

/** One shape and, per operand, the stride of each axis in elements (0 repeats, negative runs back). */
export interface Walk {
  readonly shape: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/** Strides that read `shape` as if it were broadcast to `out` (NumPy: aligned at the last axis). */
export function broadcastStrides(shape: Shape, out: Shape): number[] {
  const own = stridesOf(shape);
  const lead = out.length - shape.length;
  return out.map((_, i) => (i < lead || shape[i - lead] === 1 ? 0 : own[i - lead]!));
}

/** The same walk with size-1 axes dropped and axes merged wherever every operand allows it; never of rank 0. */
export function coalesce(shape: Shape, strides: readonly (readonly number[])[]): Walk {
  const sizes: number[] = [];
  const merged: number[][] = strides.map(() => []);
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i]!;
    if (size === 1) continue;
    const last = sizes.length - 1;
    const joins = last >= 0 && strides.every((s, o) => s[i]! === merged[o]![last]! * sizes[last]!);
    if (joins) {
      sizes[last]! *= size;
      continue;
    }
    sizes.push(size);
    for (const [o, s] of strides.entries()) merged[o]!.push(s[i]!);
  }
  if (sizes.length === 0) {
    sizes.push(1);
    for (const m of merged) m.push(0);
  }
  return { shape: sizes.reverse(), strides: merged.map((m) => m.reverse()) };
}

/** Splits a shape at an axis: elements before it, along it, and after it. */
export function aroundAxis(
  shape: Shape,
  axis: number,
): { readonly outer: number; readonly length: number; readonly inner: number } {
  let outer = 1;
  let inner = 1;
  for (let i = 0; i < shape.length; i++) {
    if (i < axis) outer *= shape[i]!;
    else if (i > axis) inner *= shape[i]!;
  }
  return { outer, length: shape[axis]!, inner };
}

/** Rows along the last axis, and their length; no rows where they are empty. */
export interface Rows {
  readonly rows: number;
  readonly d: number;
}

export function rowsOf({ shape, size }: { readonly shape: Shape; readonly size: number }): Rows {
  const d = shape.at(-1)!;
  return { rows: d === 0 ? 0 : size / d, d };
}
