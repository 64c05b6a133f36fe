/** Checks that ops share: axes, dtypes, broadcasting. All throw before anything is allocated. */
import { type Aval, broadcastShapes, type DType, isFloat, type Shape, showAval } from './dtype';
import { DTypeError, ShapeError, ValueError } from './errors';

/** A non-negative axis. @throws ShapeError when it is out of range */
export function normalizeAxis(op: string, axis: number, shape: Shape): number {
  const rank = shape.length;
  if (!Number.isInteger(axis) || axis < -rank || axis >= rank) {
    throw new ShapeError(
      op,
      `axis ${axis} is out of range for shape [${shape}]: use ${rank === 0 ? 'a tensor with axes' : `${-rank} to ${rank - 1}`}`,
      [shape],
    );
  }
  return axis < 0 ? axis + rank : axis;
}

/** Sorted, distinct, non-negative axes; null means all. @throws ShapeError */
export function normalizeAxes(
  op: string,
  axes: number | readonly number[] | null,
  shape: Shape,
): number[] {
  if (axes === null) return shape.map((_, i) => i);
  const list = typeof axes === 'number' ? [axes] : axes;
  const out = list.map((a) => normalizeAxis(op, a, shape)).sort((a, b) => a - b);
  if (new Set(out).size !== out.length) {
    throw new ShapeError(op, `axes [${list}] repeat for shape [${shape}]`, [shape]);
  }
  return out;
}

/** @throws ShapeError unless every size is a non-negative integer */
export function checkShape(op: string, shape: Shape): void {
  for (const d of shape) {
    if (!Number.isInteger(d) || d < 0) {
      throw new ShapeError(op, `[${shape}] is not a shape: sizes are integers from 0`, [shape]);
    }
  }
}

/** @throws DTypeError unless all inputs have one dtype */
export function sameDType(op: string, ins: readonly Aval[]): DType {
  const first = ins[0]!.dtype;
  for (const a of ins) {
    if (a.dtype !== first) {
      throw new DTypeError(
        op,
        `dtypes differ: ${ins.map(showAval).join(', ')}: convert one with .cast('${first}')`,
        ins.map((x) => x.dtype),
      );
    }
  }
  return first;
}

/** @throws DTypeError unless the dtype is f32 or f64 */
export function wantFloat(op: string, ...ins: readonly Aval[]): void {
  for (const a of ins) {
    if (!isFloat(a.dtype)) {
      throw new DTypeError(
        op,
        `${showAval(a)} is not floating point: convert it with .cast('f32')`,
        [a.dtype],
      );
    }
  }
}

/** @throws DTypeError unless the dtype is the one named */
export function wantDType(op: string, what: string, a: Aval, dtype: DType): void {
  if (a.dtype !== dtype) {
    throw new DTypeError(
      op,
      `${what} is ${showAval(a)}, not ${dtype}: convert it with .cast('${dtype}')`,
      [a.dtype],
    );
  }
}

/** @throws ShapeError unless the shapes broadcast */
export function broadcast(op: string, ...ins: readonly Aval[]): number[] {
  let shape: number[] = [];
  for (const a of ins) {
    const next = broadcastShapes(shape, a.shape);
    if (next === null) {
      throw new ShapeError(
        op,
        `shapes do not broadcast: ${ins.map(showAval).join(', ')}: sizes must match or be 1, from the last axis`,
        ins.map((x) => x.shape),
      );
    }
    shape = next;
  }
  return shape;
}

/** @throws ShapeError unless the rank is the one named */
export function wantRank(op: string, what: string, a: Aval, rank: number): void {
  if (a.shape.length !== rank) {
    throw new ShapeError(op, `${what} is ${showAval(a)}, not of rank ${rank}`, [a.shape]);
  }
}

/** @throws ShapeError unless the shape is the one named */
export function wantShape(op: string, what: string, a: Aval, shape: Shape): void {
  if (a.shape.length !== shape.length || a.shape.some((d, i) => d !== shape[i])) {
    throw new ShapeError(op, `${what} is ${showAval(a)}, not [${shape}]`, [a.shape, shape]);
  }
}

/** @throws ValueError unless `value` is an integer from `low` to `high` */
export function wantInteger(
  op: string,
  what: string,
  value: number,
  low: number,
  high: number = 2 ** 31 - 1,
): void {
  if (!Number.isInteger(value) || value < low || value > high) {
    throw new ValueError(op, `${what} ${value} is not an integer from ${low} to ${high}`);
  }
}

/** @throws ValueError unless `value` is finite, and from `low` to `high` */
export function wantFinite(
  op: string,
  what: string,
  value: number,
  low: number = -Infinity,
  high: number = Infinity,
): void {
  if (!(Number.isFinite(value) && value >= low && value <= high)) {
    throw new ValueError(op, `${what} ${value} is not a finite number from ${low} to ${high}`);
  }
}
