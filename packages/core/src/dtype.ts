/** Element types, shapes and abstract values (shape + dtype, no data). */

/** `f32`, `i32` and `bool` everywhere; `f64` on reference executors (gradient checks). */
export type DType = 'f32' | 'f64' | 'i32' | 'bool';
/** dtypes that have gradients. */
export type FloatDType = 'f32' | 'f64';
/** Row-major sizes, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** What an op knows before it runs. */
export interface Aval {
  /** Row-major sizes. */
  readonly shape: Shape;
  /** Element type. */
  readonly dtype: DType;
}

/** Host arrays by dtype: f32, f64, i32, and bytes for bool. */
export type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/** Bytes of an element by dtype; a bool takes one. */
export const bytesPerElement: Readonly<Record<DType, number>> = { f32: 4, f64: 8, i32: 4, bool: 1 };

/** Number of elements of a shape; 1 for a scalar. */
export function sizeOf(shape: Shape): number {
  let n = 1;
  for (const d of shape) n *= d;
  return n;
}

/** Whether a dtype is f32 or f64. */
export function isFloat(dtype: DType): dtype is FloatDType {
  return dtype === 'f32' || dtype === 'f64';
}

/** A typed array of `length` zeros that holds one dtype (`bool` as bytes 0 and 1). */
export function typedArray(dtype: DType, length: number): TypedArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(length);
    case 'f64':
      return new Float64Array(length);
    case 'i32':
      return new Int32Array(length);
    case 'bool':
      return new Uint8Array(length);
  }
}

/** A typed view over bytes, without a copy. */
export function viewOf(
  dtype: DType,
  buffer: ArrayBufferLike,
  byteOffset: number,
  length: number,
): TypedArray {
  switch (dtype) {
    case 'f32':
      return new Float32Array(buffer, byteOffset, length);
    case 'f64':
      return new Float64Array(buffer, byteOffset, length);
    case 'i32':
      return new Int32Array(buffer, byteOffset, length);
    case 'bool':
      return new Uint8Array(buffer, byteOffset, length);
  }
}

/** Whether two shapes are equal, sizes and rank. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((d, i) => d === b[i]);
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let n = 1;
  for (let i = shape.length - 1; i >= 0; i--) {
    strides[i] = n;
    n *= shape[i]!;
  }
  return strides;
}

/** `f32[2,3]`, as errors and programs print it. */
export function showAval(a: Aval): string {
  return `${a.dtype}[${a.shape}]`;
}

/** The shape that NumPy broadcasting gives, or null where the two do not go together. */
export function broadcastShapes(a: Shape, b: Shape): number[] | null {
  const rank = Math.max(a.length, b.length);
  const out = new Array<number>(rank);
  for (let i = 0; i < rank; i++) {
    const x = a[a.length - rank + i] ?? 1;
    const y = b[b.length - rank + i] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return null;
    out[i] = x === 1 ? y : x;
  }
  return out;
}
