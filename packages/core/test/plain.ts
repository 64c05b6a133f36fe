/** Tensors from plain numbers, and how far a tensor may be from the numbers that plain JavaScript gives. */
import { expect } from 'vitest';
import { tensor, type Tensor } from '../src';

export const f64 = (shape: readonly number[], data: readonly number[]): Tensor =>
  tensor(Float64Array.from(data), { shape });

export const i32 = (...data: readonly number[]): Tensor => tensor(Int32Array.from(data));

export const bool = (shape: readonly number[], data: readonly number[]): Tensor =>
  tensor([...data], { shape, dtype: 'bool' });

/** n numbers in ±1, others for each seed, the same on every run. */
export const wave = (n: number, seed: number): number[] =>
  Array.from({ length: n }, (_, i) => Math.sin(1.7 * i + 0.9 * seed + 0.3));

export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

export const total = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);

/** Throws unless shape, dtype and every element are these; non-finite elements must be the same. */
export function near(
  t: Tensor,
  shape: readonly number[],
  want: readonly number[],
  tolerance = 1e-12,
): void {
  expect(t.shape).toEqual(shape);
  expect(t.dtype).toBe('f64');
  const got = [...t.dataSync()];
  expect(got.length).toBe(want.length);
  want.forEach((w, i) => {
    const same = Object.is(got[i], w) || Math.abs(got[i]! - w) <= tolerance;
    if (!same) expect.fail(`element ${i} is ${got[i]}, not ${w}`);
  });
}
