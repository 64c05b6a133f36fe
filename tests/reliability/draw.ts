/** Random values for the rows about numbers. */
import {
  type FloatDType,
  type HostRandom,
  type Shape,
  sizeOf,
  type Tensor,
  tensor,
} from '@loretta-ts/core';
import type { HostValue } from '@loretta-ts/core/testing';
import * as fc from 'fast-check';

/** From low to high, both included. */
export function between(random: HostRandom, low: number, high: number): number {
  return low + random.int(high - low + 1);
}

/** True half of the time. */
export function coin(random: HostRandom): boolean {
  return random.int(2) === 1;
}

/** Floats in ±1.5. */
export function values(random: HostRandom, shape: Shape, dtype: FloatDType = 'f64'): Tensor {
  const data = Float64Array.from({ length: sizeOf(shape) }, () => 3 * random.uniform() - 1.5);
  return tensor(data, { shape, dtype });
}

/** i32 below `limit`. */
export function ids(random: HostRandom, shape: Shape, limit: number): Tensor {
  const data = Int32Array.from({ length: sizeOf(shape) }, () => random.int(limit));
  return tensor(data, { shape });
}

/** `bool [b, t]`: false at random widths of padding on the left, true at the last place at least. */
export function leftMask(random: HostRandom, b: number, t: number): Tensor {
  const real = Array.from({ length: b }, () => random.int(t)).flatMap((n) =>
    Array.from({ length: t }, (_, i) => Number(i >= n)),
  );
  return tensor(Uint8Array.from(real), { shape: [b, t], dtype: 'bool' });
}

/** Draws in turn, corner cases of fast-check in every other one, until one is `wanted`; null after 5,000. */
export function drawUntil<T>(
  random: HostRandom,
  from: fc.Arbitrary<T>,
  wanted: (drawn: T) => boolean,
): T | null {
  for (let i = 0; i < 5000; i++) {
    const [drawn] = fc.sample(from, {
      seed: random.int(2 ** 31),
      numRuns: 1,
      unbiased: i % 2 === 0,
    });
    if (wanted(drawn!)) return drawn!;
  }
  return null;
}

/** Whether it holds floats. */
export function isReal({ kind }: HostValue): boolean {
  return kind === 'float';
}
