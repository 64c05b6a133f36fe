/** Tensors from host values. */
import type { Backend } from './backend';
import { type DType, type Shape, showAval, sizeOf } from './dtype';
import { DTypeError, ShapeError, ValueError } from './errors';
import { fromHost } from './from-host';
import type { NestedNumbers } from './print';
import { getBackend } from './runtime';
import { checkShape } from './shape-rules';
import type { Tensor } from './tensor';

/** Options of `tensor`. */
export interface TensorOptions {
  /** Default: that of the data. */
  readonly shape?: Shape;
  /** Default: i32 for Int32Array, f64 for Float64Array, otherwise f32. */
  readonly dtype?: DType;
  /** Where the tensor lives; default: the one of `setBackend`. */
  readonly backend?: Backend;
}

/** What `tensor` reads: a number, nested arrays, or a typed array. */
export type TensorData =
  | number
  | boolean
  | readonly TensorData[]
  | NestedNumbers
  | Float32Array
  | Float64Array
  | Int32Array
  | Uint8Array;

/**
 * A tensor of host values.
 * @throws ShapeError for ragged arrays or a shape of another size; DTypeError or ValueError for values that the dtype
 * cannot hold
 */
export function tensor(data: TensorData, options: TensorOptions = {}): Tensor {
  const typed =
    data instanceof Float32Array ||
    data instanceof Float64Array ||
    data instanceof Int32Array ||
    data instanceof Uint8Array;
  const found: number[] = [];
  const flat: ArrayLike<number> = typed ? data : found;
  const natural = typed ? [data.length] : shapeOf(data, found);
  const dtype =
    options.dtype ??
    (data instanceof Int32Array ? 'i32' : data instanceof Float64Array ? 'f64' : 'f32');
  const shape = options.shape ?? natural;
  checkShape('tensor', shape);
  if (sizeOf(shape) !== flat.length) {
    throw new ShapeError(
      'tensor',
      `${flat.length} values do not fill ${showAval({ shape, dtype })}`,
      [shape],
    );
  }
  checkValues(flat, dtype);
  return fromHost(options.backend ?? getBackend(), flat, [...shape], dtype);
}

function shapeOf(data: TensorData, into: number[]): number[] {
  if (typeof data === 'number' || typeof data === 'boolean') {
    into.push(Number(data));
    return [];
  }
  if (!Array.isArray(data)) {
    throw new DTypeError(
      'tensor',
      `cannot read a ${typeof data}: use numbers, nested arrays or typed arrays`,
    );
  }
  let inner: number[] | null = null;
  for (const part of data as readonly TensorData[]) {
    const shape = shapeOf(part, into);
    if (
      inner !== null &&
      (shape.length !== inner.length || shape.some((d, i) => d !== inner![i]))
    ) {
      throw new ShapeError('tensor', `ragged: a part is [${shape}], another [${inner}]`, [
        shape,
        inner,
      ]);
    }
    inner = shape;
  }
  return [data.length, ...(inner ?? [])];
}

function checkValues(data: ArrayLike<number>, dtype: DType): void {
  if (dtype !== 'i32' || data instanceof Int32Array) return;
  for (let i = 0; i < data.length; i++) {
    const x = data[i]!;
    if (!Number.isInteger(x) || x < -(2 ** 31) || x >= 2 ** 31) {
      throw new ValueError('tensor', `${x} is no 32-bit integer: use dtype 'f32'`);
    }
  }
}
