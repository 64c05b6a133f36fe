/** Arrays of numbers in loops: the plainest meaning of an op, for comparison with the framework's. */

/** A row-major array. */
export interface Plain {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((n, d) => n * d, 1);

/** The index of an element along every axis. */
function indexOf(shape: readonly number[], at: number): number[] {
  const index: number[] = [];
  let rest = at;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    index[axis] = rest % shape[axis]!;
    rest = Math.floor(rest / shape[axis]!);
  }
  return index;
}

function offsetOf(shape: readonly number[], index: readonly number[]): number {
  return index.reduce((at, i, axis) => at * shape[axis]! + i, 0);
}

/** An array whose element at an index is `from(index)`. */
export function build(shape: readonly number[], from: (index: readonly number[]) => number): Plain {
  return {
    shape,
    data: Array.from({ length: sizeOf(shape) }, (_, at) => from(indexOf(shape, at))),
  };
}

/** An element. */
export function get(x: Plain, index: readonly number[]): number {
  return x.data[offsetOf(x.shape, index)]!;
}

/** The element that broadcasting (NumPy's rules) puts at an index of the result. */
export function getBroadcast(x: Plain, index: readonly number[]): number {
  const shift = index.length - x.shape.length;
  return get(
    x,
    x.shape.map((d, axis) => (d === 1 ? 0 : index[axis + shift]!)),
  );
}

/** The shape of two arrays together; null when they do not broadcast. */
export function together(a: readonly number[], b: readonly number[]): readonly number[] | null {
  const rank = Math.max(a.length, b.length);
  const shape: number[] = [];
  for (let axis = 0; axis < rank; axis++) {
    const x = a[axis - rank + a.length] ?? 1;
    const y = b[axis - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return null;
    shape.push(x === 1 ? y : x);
  }
  return shape;
}

/** The index with one axis changed. */
export function withAxis(index: readonly number[], axis: number, value: number): number[] {
  return index.map((i, a) => (a === axis ? value : i));
}
