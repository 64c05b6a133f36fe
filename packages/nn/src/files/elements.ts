/** Elements of files as typed arrays, and back. Little-endian, as the machines that JavaScript runs on. */
import type { FileDType, HostData, HostTensor } from '../host';
import { narrowBF16, narrowF16, widenBF16, widenF16 } from './half';

/** Bytes of an element. */
export const ELEMENT_BYTES: ReadonlyMap<string, number> = new Map<FileDType, number>([
  ['F64', 8],
  ['I64', 8],
  ['U64', 8],
  ['F32', 4],
  ['I32', 4],
  ['U32', 4],
  ['F16', 2],
  ['BF16', 2],
  ['I16', 2],
  ['U16', 2],
  ['I8', 1],
  ['U8', 1],
  ['BOOL', 1],
]);

/** The same bytes as a Uint8Array proper: `slice` of Node's Buffer, a subclass, does not copy. */
export function plainBytes(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Elements from their bytes, which are taken over; 16-bit floats are widened. */
export function decodeElements(dtype: FileDType, raw: ArrayBufferLike): HostData {
  switch (dtype) {
    case 'F64':
      return new Float64Array(raw);
    case 'F32':
      return new Float32Array(raw);
    case 'F16':
      return widenF16(new Uint16Array(raw));
    case 'BF16':
      return widenBF16(new Uint16Array(raw));
    case 'I64':
      return new BigInt64Array(raw);
    case 'U64':
      return new BigUint64Array(raw);
    case 'I32':
      return new Int32Array(raw);
    case 'U32':
      return new Uint32Array(raw);
    case 'I16':
      return new Int16Array(raw);
    case 'U16':
      return new Uint16Array(raw);
    case 'I8':
      return new Int8Array(raw);
    case 'U8':
    case 'BOOL':
      return new Uint8Array(raw);
  }
}

/** Elements as a file has them: floats of a 16-bit dtype are rounded to the nearest. */
export function narrowElements({ dtype, data }: Pick<HostTensor, 'dtype' | 'data'>): HostData {
  if (dtype === 'F16' && data instanceof Float32Array) return narrowF16(data);
  if (dtype === 'BF16' && data instanceof Float32Array) return narrowBF16(data);
  return data;
}
