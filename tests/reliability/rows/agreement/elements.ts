/** Elements of large tensors: exact in f32, off the kinks, small enough for long sums. */
import { type HostRandom, type Shape, sizeOf } from '@loretta-ts/core';
import type { HostValue } from '@loretta-ts/core/testing';

/** 32 bits from 32 bits (Wellons 2018, lowbias32): quicker than a random stream, and as good for elements. */
function mixed(at: number): number {
  let x = at | 0;
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d);
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b);
  return (x ^ (x >>> 16)) >>> 0;
}

/** An element from 32 random bits. */
export type Element = (bits: number) => number;

/** (k + ½)/16 in ±1.5. */
export const grid: Element = (bits) => ((bits % 48) - 23.5) / 16;
/** (k + ¼)/16 in ±1.5: never a value of `grid`. */
export const quarter: Element = (bits) => ((bits % 48) - 23.75) / 16;
/** 0.28 to 1.75. */
export const positive: Element = (bits) => ((bits % 24) + 4.5) / 16;
/** ±0.5 to ±1.5. */
export const divisor: Element = (bits) => (((bits % 9) + 4) / 8) * (bits % 2 === 0 ? 1 : -1);
/** ±0.9: a state that does not grow. */
export const decaying: Element = (bits) => ((bits % 59) - 29) / 32;
/** Quarters in ±1, NaN and infinities. */
export const special: Element = (bits) =>
  bits % 10 < 7 ? ((bits % 9) - 4) / 4 : [Number.NaN, Infinity, -Infinity][bits % 3]!;

function filled(
  random: HostRandom,
  shape: Shape,
  kind: HostValue['kind'],
  element: Element,
): HostValue {
  const start = random.int(2 ** 31);
  const data = Array.from({ length: sizeOf(shape) }, (_, i) => element(mixed(start + i)));
  return { shape, kind, data };
}

export function floats(random: HostRandom, shape: Shape, element: Element = grid): HostValue {
  return filled(random, shape, 'float', element);
}

/** i32 from 0 to `limit` − 1, or of an element. */
export function integers(random: HostRandom, shape: Shape, of: number | Element): HostValue {
  return filled(random, shape, 'i32', typeof of === 'number' ? (bits) => bits % of : of);
}

export function bools(random: HostRandom, shape: Shape): HostValue {
  return filled(random, shape, 'bool', (bits) => (bits >>> 7) % 2);
}

/** Floats that are all different: no ties at a maximum. */
export function distinct(random: HostRandom, shape: Shape): HostValue {
  const n = sizeOf(shape);
  const start = random.int(2 ** 31);
  const order = Array.from({ length: n }, (_, i) => [mixed(start + i), i] as const);
  order.sort(([x], [y]) => x - y);
  const data = order.map(([, i]) => (i - Math.floor(n / 2) + 0.5) / 64);
  return { shape, kind: 'float', data };
}
