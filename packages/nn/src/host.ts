/** Tensors on the host, as files hold them, and their way to and from the device. */
import {
  type DType,
  DTypeError,
  type Shape,
  sizeOf,
  type Tensor,
  type TypedArray,
  tensor,
} from '@loretta-ts/core';

/** Element types of a safetensors file. */
export type FileDType =
  | 'F64'
  | 'F32'
  | 'F16'
  | 'BF16'
  | 'I64'
  | 'I32'
  | 'I16'
  | 'I8'
  | 'U64'
  | 'U32'
  | 'U16'
  | 'U8'
  | 'BOOL';

/** Typed arrays that hold the element types of a file. */
export type HostData =
  | TypedArray
  | Int16Array
  | Int8Array
  | Uint32Array
  | Uint16Array
  | BigInt64Array
  | BigUint64Array;

/** A named tensor of a file. `data` is row-major; F16 and BF16 are widened to Float32Array. */
export interface HostTensor {
  /** Element type in the file. */
  readonly dtype: FileDType;
  /** Row-major sizes. */
  readonly shape: Shape;
  /** Row-major elements. */
  readonly data: HostData;
}

const FILE_DTYPE: Readonly<Record<DType, FileDType>> = {
  f32: 'F32',
  f64: 'F64',
  i32: 'I32',
  bool: 'BOOL',
};

/** Reads tensors back from the device, one after the other. */
export async function toHost(
  tensors: ReadonlyMap<string, Tensor>,
): Promise<Map<string, HostTensor>> {
  const out = new Map<string, HostTensor>();
  for (const [name, t] of tensors) {
    out.set(name, { dtype: FILE_DTYPE[t.dtype], shape: t.shape, data: await t.data() });
  }
  return out;
}

/**
 * A tensor on the default backend, of the same shape.
 * @param options.dtype what to convert to; default: f32 for F16, BF16 and F32, f64 for F64, bool for BOOL, else i32
 * @throws DTypeError when an integer does not fit i32: nothing is rounded silently
 */
export function fromHost(host: HostTensor, options: { readonly dtype?: DType } = {}): Tensor {
  const dtype = options.dtype ?? naturalDType(host.dtype);
  return tensor(convert(host, dtype), { shape: host.shape, dtype });
}

function naturalDType(dtype: FileDType): DType {
  switch (dtype) {
    case 'F64':
      return 'f64';
    case 'F32':
    case 'F16':
    case 'BF16':
      return 'f32';
    case 'BOOL':
      return 'bool';
    default:
      return 'i32';
  }
}

function convert({ data, shape, dtype: from }: HostTensor, to: DType): TypedArray {
  const n = sizeOf(shape);
  if (data.length !== n) {
    throw new DTypeError('fromHost', `${data.length} values for a shape of ${n} elements`, [from]);
  }
  if (to === 'f32') return data instanceof Float32Array ? data : Float32Array.from(numbers(data));
  if (to === 'f64') return data instanceof Float64Array ? data : Float64Array.from(numbers(data));
  if (to === 'bool') return Uint8Array.from(numbers(data), (x) => (x === 0 ? 0 : 1));
  if (data instanceof Int32Array) return data;
  return Int32Array.from(numbers(data), (x) => {
    if ((x | 0) !== x) {
      throw new DTypeError(
        'fromHost',
        `${x} of a ${from} tensor does not fit i32: keep it on the host`,
        [from],
      );
    }
    return x;
  });
}

function* numbers(data: HostData): Generator<number> {
  for (const x of data) {
    const n = Number(x);
    if (typeof x === 'bigint' && BigInt(n) !== x) {
      throw new DTypeError('fromHost', `${x} is not exact as a number: keep it on the host`, []);
    }
    yield n;
  }
}
