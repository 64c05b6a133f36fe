/**
 * The safetensors format, read strictly and bounded: nothing is allocated for what a header claims before the file
 * is known to hold it. 8 bytes of header length, JSON, then row-major little-endian data without gaps.
 */
import { pickleHint } from './pickle';
import { sizeOf } from '@loretta-ts/core';
import { SafetensorsError } from '../errors';
import type { FileDType, HostTensor } from '../host';
import { decodeElements, ELEMENT_BYTES, narrowElements, plainBytes } from './elements';
import { parseHeaderText, type RawEntry, show } from './header-parser';

/** Largest header, as the reference implementation has it. */
const MAX_HEADER_BYTES = 100_000_000;

/** A tensor's place in the data part of a file. */
export interface TensorEntry {
  /** Key in the header. */
  readonly name: string;
  /** Element type in the file. */
  readonly dtype: FileDType;
  /** Row-major sizes. */
  readonly shape: readonly number[];
  /** Bytes into the data. */
  readonly begin: number;
  /** Bytes into the data, behind the last one. */
  readonly end: number;
}

/** Header of a safetensors file. */
export interface SafetensorsHeader {
  /** In the order of the header. */
  readonly entries: readonly TensorEntry[];
  /** Strings by name. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Contents of a safetensors file. */
export interface Safetensors {
  /** In the order of the header; F16 and BF16 are widened. */
  readonly tensors: Map<string, HostTensor>;
  /** Strings by name. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** Everything in a file. @throws SafetensorsError, in one line, for every defect */
export function parseSafetensors(file: Uint8Array): Safetensors {
  const bytes = plainBytes(file);
  const length = headerLength(bytes.subarray(0, 8), bytes.length);
  const data = bytes.subarray(8 + length);
  const { entries, metadata } = parseSafetensorsHeader(bytes.subarray(8, 8 + length), data.length);
  const tensors = new Map<string, HostTensor>();
  for (const entry of entries) {
    // a copy: offsets need not be aligned
    tensors.set(entry.name, decodeEntry(entry, data.slice(entry.begin, entry.end).buffer));
  }
  return { tensors, metadata };
}

/** A tensor from its bytes, which it takes over. */
export function decodeEntry({ dtype, shape }: TensorEntry, raw: ArrayBufferLike): HostTensor {
  return { dtype, shape, data: decodeElements(dtype, raw) };
}

/**
 * The header's length from the first 8 bytes of a file of `fileSize` bytes.
 * @throws SafetensorsError when it is not there, too long, or beyond the file
 */
export function headerLength(first: Uint8Array, fileSize: number): number {
  if (first.length < 8 || fileSize < 8) {
    throw new SafetensorsError(
      `${fileSize} bytes are too few for a header length: the file is cut off or not safetensors`,
    );
  }
  const n = new DataView(first.buffer, first.byteOffset, 8).getBigUint64(0, true);
  if (n > BigInt(MAX_HEADER_BYTES)) {
    throw new SafetensorsError(
      `the header claims ${n} bytes, more than ${MAX_HEADER_BYTES}: not a safetensors file${pickleHint(first)}`,
    );
  }
  const length = Number(n);
  if (8 + length > fileSize) {
    throw new SafetensorsError(
      `the header claims ${length} bytes, the file has ${fileSize}: it is cut off${pickleHint(first)}`,
    );
  }
  return length;
}

/** @throws SafetensorsError unless the entries fill `dataLength` bytes exactly, without gap or overlap */
export function parseSafetensorsHeader(header: Uint8Array, dataLength: number): SafetensorsHeader {
  if (header[0] !== 0x7b)
    throw new SafetensorsError("the header does not begin with '{': not a safetensors file");
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(header);
  } catch {
    throw new SafetensorsError('the header is not UTF-8');
  }
  const raw = parseHeaderText(text);
  const entries = [...raw.tensors].map(([name, entry]) => checkEntry(name, entry, dataLength));
  let at = 0;
  for (const e of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (e.begin !== at) {
      throw new SafetensorsError(
        `tensor ${show(e.name)} begins at byte ${e.begin}, but ${at} is next: ${e.begin < at ? 'an overlap' : 'a hole'}`,
      );
    }
    at = e.end;
  }
  if (at !== dataLength) {
    throw new SafetensorsError(
      `the tensors end at byte ${at} of ${dataLength}: bytes are left over`,
    );
  }
  return { entries, metadata: raw.metadata };
}

/**
 * The bytes of a file. Tensors are ordered by element size, then name, and the data is aligned to 8 bytes; the same
 * input gives the same bytes. Float data of F16 and BF16 tensors is rounded.
 * @throws SafetensorsError for a name or data that the format cannot hold
 */
export function serializeSafetensors(
  tensors: ReadonlyMap<string, HostTensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const ordered = [...tensors].sort(
    ([a, x], [b, y]) =>
      ELEMENT_BYTES.get(y.dtype)! - ELEMENT_BYTES.get(x.dtype)! || (a < b ? -1 : 1),
  );
  const parts: Uint8Array[] = [];
  const fields =
    Object.keys(metadata).length === 0 ? [] : [`"__metadata__":${metadataText(metadata)}`];
  let at = 0;
  for (const [name, t] of ordered) {
    if (name === '__metadata__')
      throw new SafetensorsError('a tensor cannot be called __metadata__');
    const raw = encode(name, t);
    const entry = { dtype: t.dtype, shape: t.shape, data_offsets: [at, at + raw.length] };
    fields.push(`${wellFormed(name)}:${JSON.stringify(entry)}`);
    parts.push(raw);
    at += raw.length;
  }
  const text = new TextEncoder().encode(`{${fields.join(',')}}`);
  const length = Math.ceil(text.length / 8) * 8;
  if (length > MAX_HEADER_BYTES)
    throw new SafetensorsError(`the header would have ${length} bytes: too many tensors`);
  const out = new Uint8Array(8 + length + at).fill(0x20, 8, 8 + length);
  new DataView(out.buffer).setBigUint64(0, BigInt(length), true);
  out.set(text, 8);
  let offset = 8 + length;
  for (const part of parts) {
    out.set(part, offset);
    offset += part.length;
  }
  return out;
}

function checkEntry(
  name: string,
  { dtype, shape, begin, end }: RawEntry,
  dataLength: number,
): TensorEntry {
  const size = ELEMENT_BYTES.get(dtype);
  if (size === undefined) {
    throw new SafetensorsError(
      `tensor ${show(name)} has dtype ${show(dtype)}: known are ${[...ELEMENT_BYTES.keys()].join(', ')}`,
    );
  }
  if (begin > end || end > dataLength) {
    throw new SafetensorsError(
      `tensor ${show(name)} is at bytes ${begin} to ${end} of ${dataLength}: the file is cut off or damaged`,
    );
  }
  // dims of 0 apart, so that they do not hide an overflow
  const extent = shape.reduce((n, d) => n * Math.max(d, 1), size);
  const bytes = shape.includes(0) ? 0 : extent;
  if (!Number.isSafeInteger(extent) || bytes !== end - begin) {
    throw new SafetensorsError(
      `tensor ${show(name)} of ${dtype} [${shape.slice(0, 8).join(',')}] needs ${bytes} bytes, its range has ${end - begin}`,
    );
  }
  return { name, dtype: dtype as FileDType, shape, begin, end };
}

function encode(name: string, tensor: HostTensor): Uint8Array {
  const { dtype, shape, data } = tensor;
  const raw = narrowElements(tensor);
  const n = sizeOf(shape);
  if (data.length !== n || raw.BYTES_PER_ELEMENT !== ELEMENT_BYTES.get(dtype)) {
    throw new SafetensorsError(
      `tensor ${show(name)}: ${data.length} values of ${raw.BYTES_PER_ELEMENT} bytes are not ${dtype} [${shape.join(',')}]`,
    );
  }
  return new Uint8Array(raw.buffer, raw.byteOffset, raw.byteLength);
}

function metadataText(metadata: Readonly<Record<string, string>>): string {
  const fields = Object.entries(metadata).map(([key, value]) => {
    if (typeof value !== 'string')
      throw new SafetensorsError(`metadata ${show(key)} is not a string`);
    return `${wellFormed(key)}:${wellFormed(value)}`;
  });
  return `{${fields.join(',')}}`;
}

function wellFormed(text: string): string {
  if (/\p{Surrogate}/u.test(text))
    throw new SafetensorsError(`${show(text)} is not well-formed Unicode`);
  return JSON.stringify(text);
}
