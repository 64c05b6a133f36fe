/**
 * Reads the vectors of a conformance folder. It is a reader of its own, so that a fault in the framework's
 * safetensors code cannot hide behind itself; files are trusted.
 */
import { readFileSync } from 'node:fs';

/** Row-major values of one tensor. I64 must fit a number; BOOL is 0 and 1. */
export interface Vector {
  readonly shape: readonly number[];
  readonly dtype: string;
  readonly data: Float64Array;
}

/** All tensors of a safetensors file by name. */
export function readVectors(file: string): Map<string, Vector> {
  const bytes = readFileSync(file);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerLength = Number(view.getBigUint64(0, true));
  const text = new TextDecoder().decode(bytes.subarray(8, 8 + headerLength));
  const header = JSON.parse(text) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const vectors = new Map<string, Vector>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const { dtype, shape, data_offsets } = entry;
    const [from, to] = data_offsets.map((at) => 8 + headerLength + at) as [number, number];
    vectors.set(name, { shape, dtype, data: decode(dtype, bytes.subarray(from, to), name) });
  }
  return vectors;
}

function decode(dtype: string, bytes: Uint8Array, name: string): Float64Array {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const each = (width: number, read: (at: number) => number): Float64Array =>
    Float64Array.from({ length: bytes.byteLength / width }, (_, i) => read(i * width));
  switch (dtype) {
    case 'F64':
      return each(8, (at) => view.getFloat64(at, true));
    case 'F32':
      return each(4, (at) => view.getFloat32(at, true));
    case 'I32':
      return each(4, (at) => view.getInt32(at, true));
    case 'I64':
      return each(8, (at) => Number(view.getBigInt64(at, true)));
    case 'BOOL':
    case 'U8':
      return each(1, (at) => view.getUint8(at));
    default:
      throw new Error(`${name}: this reader knows no ${dtype}`);
  }
}
