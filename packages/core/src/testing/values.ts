/**
 * Host values and their arbitraries. Floats come from a half-offset grid, (k + ½)/16: exact in f32, never on the kinks of
 * relu, abs or floor, never large, and they shrink to something readable.
 */
import * as fc from 'fast-check';
import type { Backend } from '../backend';
import { tensor } from '../create-tensor';
import { type FloatDType, type Shape, sizeOf } from '../dtype';
import type { Tensor } from '../tensor';

/** A tensor before it has a backend; `float` becomes f32 or f64 as the run wants it. */
export interface HostValue {
  /** Row-major sizes. */
  readonly shape: Shape;
  /** What the elements are. */
  readonly kind: 'float' | 'i32' | 'bool';
  /** Row-major elements; bools as 0 and 1. */
  readonly data: readonly number[];
}

/** A tensor of a host value on a backend. */
export function toTensor(v: HostValue, backend: Backend, float: FloatDType): Tensor {
  const dtype = v.kind === 'float' ? float : v.kind;
  return tensor(Float64Array.from(v.data), { shape: v.shape, dtype, backend });
}

/** Limits of `shapes`. */
export interface ShapeLimits {
  /** Default 0. */
  readonly minRank?: number;
  /** Default 4. */
  readonly maxRank?: number;
  /** Default 0: empty tensors are tensors. */
  readonly minDim?: number;
  /** Default 5. */
  readonly maxDim?: number;
}

/** Small tensors are enough: larger shapes are not drawn. */
const MAX_SIZE = 120;

/** Shapes of rank 0 to 4 with sizes 0 to 5, of at most 120 elements. */
export function shapes(limits: ShapeLimits = {}): fc.Arbitrary<number[]> {
  const { minRank = 0, maxRank = 4, minDim = 0, maxDim = 5 } = limits;
  const dim =
    minDim > 0
      ? fc.integer({ min: minDim, max: maxDim })
      : // an axis of size 0 empties the whole tensor: rarely
        fc.oneof(
          { weight: 1, arbitrary: fc.constant(0) },
          { weight: 14, arbitrary: fc.integer({ min: 1, max: maxDim }) },
        );
  return fc
    .array(dim, { minLength: minRank, maxLength: maxRank })
    .filter((s) => sizeOf(s) <= MAX_SIZE);
}

/** (k + ½)/16 in ±1.5. */
export const grid: fc.Arbitrary<number> = fc
  .integer({ min: -24, max: 23 })
  .map((k) => (k + 0.5) / 16);

/** (k + ¼)/16 in ±1.5: never equal to a value of `grid`. */
export const quarterGrid: fc.Arbitrary<number> = fc
  .integer({ min: -24, max: 23 })
  .map((k) => (k + 0.25) / 16);

/** From 0.28 to 1.75: for logarithms, roots and bases of powers. */
export const positive: fc.Arbitrary<number> = fc
  .integer({ min: 4, max: 27 })
  .map((k) => (k + 0.5) / 16);

/** ±0.5 to ±1.5 in eighths: divisors. A value of `grid` is never a multiple of one. */
export const divisor: fc.Arbitrary<number> = fc
  .tuple(fc.integer({ min: 4, max: 12 }), fc.boolean())
  .map(([k, negative]) => (negative ? -k : k) / 8);

/** Quarters in ±1, NaN and infinities: for what compares and tests. */
export const special: fc.Arbitrary<number> = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -4, max: 4 }).map((k) => k / 4) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity) },
);

const smallInteger = fc.integer({ min: -5, max: 5 });

function filled(
  shape: Shape,
  kind: HostValue['kind'],
  element: fc.Arbitrary<number>,
): fc.Arbitrary<HostValue> {
  const n = sizeOf(shape);
  return fc
    .array(element, { minLength: n, maxLength: n })
    .map((data) => ({ shape: [...shape], kind, data }));
}

/** Floats of a shape, from `grid` unless told otherwise. */
export function floats(
  shape: Shape,
  element: fc.Arbitrary<number> = grid,
): fc.Arbitrary<HostValue> {
  return filled(shape, 'float', element);
}

/** i32 of a shape, -5 to 5 unless told otherwise. */
export function integers(
  shape: Shape,
  element: fc.Arbitrary<number> = smallInteger,
): fc.Arbitrary<HostValue> {
  return filled(shape, 'i32', element);
}

/** Indices below `limit`. */
export function indices(shape: Shape, limit: number): fc.Arbitrary<HostValue> {
  return integers(shape, fc.integer({ min: 0, max: Math.max(0, limit - 1) }));
}

/** Bools of a shape. */
export function bools(shape: Shape): fc.Arbitrary<HostValue> {
  return filled(shape, 'bool', fc.integer({ min: 0, max: 1 }));
}

/** Floats or i32. */
export function numbers(
  shape: Shape,
  element: fc.Arbitrary<number> = grid,
): fc.Arbitrary<HostValue> {
  return fc.oneof(
    { weight: 3, arbitrary: floats(shape, element) },
    { weight: 1, arbitrary: integers(shape) },
  );
}

/** Floats of the half-offset grid, all different: no ties at a maximum. */
export function distinct(shape: Shape): fc.Arbitrary<HostValue> {
  const n = sizeOf(shape);
  const places = Array.from({ length: n }, (_, i) => i);
  return fc.shuffledSubarray(places, { minLength: n, maxLength: n }).map((order) => ({
    shape: [...shape],
    kind: 'float' as const,
    data: order.map((i) => (i - Math.floor(n / 2) + 0.5) / 16),
  }));
}

/** A shape that broadcasts to `shape`: axes made 1, leading axes dropped. */
export function broadcastable(shape: Shape): fc.Arbitrary<number[]> {
  const flags = fc.array(fc.integer({ min: 0, max: 3 }), {
    minLength: shape.length,
    maxLength: shape.length,
  });
  const dropped = fc.integer({ min: 0, max: shape.length });
  return fc
    .tuple(
      flags,
      fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: dropped }),
    )
    .map(([f, drop]) => shape.map((d, i) => (f[i] === 0 ? 1 : d)).slice(drop));
}

/** Two shapes that broadcast together. */
export function broadcastPair(): fc.Arbitrary<readonly [number[], number[]]> {
  return shapes().chain((shape) =>
    fc
      .tuple(broadcastable(shape), fc.boolean())
      .map(([other, swap]): readonly [number[], number[]] =>
        swap ? [other, shape] : [shape, other],
      ),
  );
}

/** A sorted selection of axes, possibly none. */
export function axesOf(shape: Shape): fc.Arbitrary<number[]> {
  return fc.subarray(shape.map((_, i) => i));
}

/** One axis of a shape that has some. */
export function axisOf(shape: Shape): fc.Arbitrary<number> {
  return fc.integer({ min: 0, max: shape.length - 1 });
}
