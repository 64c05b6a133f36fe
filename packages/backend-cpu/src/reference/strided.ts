/** Walks over strided operands: what broadcasting, slicing, padding and permuting share. */
import type { Kernel, Shape, TypedArray, View } from '@loretta-ts/core';
import { stridesOf } from '@loretta-ts/core';

/** The elements of a view, exactly `view.size` of them, without a copy. */
export type Read = (view: View) => TypedArray;

/** A kernel without attributes. */
export type PlainKernel = Kernel<'add'>;

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

/** The same walk with size-1 axes dropped and axes merged wherever every operand allows it. */
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

/**
 * Calls `row` once for each innermost row, in row-major order, with the offset of each operand
 * (`at` is reused). The row has `walk.shape.at(-1)` elements and the operand's innermost stride.
 */
export function eachRow(
  walk: Walk,
  start: readonly number[],
  row: (length: number, at: readonly number[]) => void,
): void {
  const { shape, strides } = walk;
  if (shape.includes(0)) return;
  const outer = shape.length - 1;
  const length = shape[outer]!;
  const at = [...start];
  const counter = new Array<number>(outer).fill(0);
  for (;;) {
    row(length, at);
    let d = outer - 1;
    for (; d >= 0; d--) {
      counter[d]!++;
      const wrapped = counter[d] === shape[d] ? shape[d]! : 0;
      for (let o = 0; o < at.length; o++) at[o]! += strides[o]![d]! * (1 - wrapped);
      if (wrapped === 0) break;
      counter[d] = 0;
    }
    if (d < 0) return;
  }
}

/** The stride of each operand along the innermost axis. */
export function innerStrides(walk: Walk): number[] {
  return walk.strides.map((s) => s[s.length - 1]!);
}

/** Where an operand starts and how it runs. */
export interface Layout {
  readonly offset: number;
  readonly strides: readonly number[];
}

/** From here on one block copy beats a loop. */
const longRow = 64;

/** Copies `shape` elements from one layout to another. */
export function copyStrided(
  shape: Shape,
  to: TypedArray,
  toLayout: Layout,
  from: TypedArray,
  fromLayout: Layout,
): void {
  const walk = coalesce(shape, [toLayout.strides, fromLayout.strides]);
  const [st, sf] = innerStrides(walk) as [number, number];
  const whole = st === 1 && sf === 1 && walk.shape[walk.shape.length - 1]! >= longRow;
  eachRow(walk, [toLayout.offset, fromLayout.offset], (n, at) => {
    let t = at[0]!;
    let f = at[1]!;
    if (whole) {
      to.set(from.subarray(f, f + n), t);
      return;
    }
    for (let i = 0; i < n; i++) {
      to[t] = from[f]!;
      t += st;
      f += sf;
    }
  });
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
