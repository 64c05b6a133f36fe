/** The IDX format of MNIST: big-endian magic `00 00 type rank`, one 32-bit size an axis, then the bytes. */
import type { Image } from '@loretta-ts/tokenizers';
import { DataError } from './errors';

const MAGIC_LABELS = 2049;
const MAGIC_IMAGES = 2051;
const MAX_SIDE = 4096;

/**
 * Grey images of an IDX file of unsigned bytes with three axes, `[n, height, width]`.
 * @param file Name for error messages.
 * @throws DataError naming the file when magic, sizes or length are wrong
 */
export function parseIdxImages(bytes: Uint8Array, file: string): Image[] {
  const [count, height, width] = header(bytes, file, MAGIC_IMAGES, 3) as [number, number, number];
  if (height < 1 || width < 1 || height > MAX_SIDE || width > MAX_SIDE) {
    throw damaged(file, `images of ${width}×${height} pixels`);
  }
  const size = height * width;
  checkLength(bytes, file, 16, count * size, `${count} images of ${width}×${height}`);
  return Array.from({ length: count }, (_, i) => ({
    width,
    height,
    channels: 1,
    data: bytes.subarray(16 + i * size, 16 + (i + 1) * size),
  }));
}

/**
 * Labels of an IDX file of unsigned bytes with one axis, `[n]`.
 * @throws DataError naming the file when magic, sizes, length or a label are wrong
 */
export function parseIdxLabels(bytes: Uint8Array, file: string, classes: number): Int32Array {
  const [count] = header(bytes, file, MAGIC_LABELS, 1) as [number];
  checkLength(bytes, file, 8, count, `${count} labels`);
  const labels = Int32Array.from(bytes.subarray(8));
  const bad = labels.findIndex((label) => label >= classes);
  if (bad >= 0) throw damaged(file, `label ${labels[bad]} at ${bad} is not below ${classes}`);
  return labels;
}

function header(bytes: Uint8Array, file: string, magic: number, rank: number): number[] {
  const size = 4 + 4 * rank;
  if (bytes.length < size) {
    throw damaged(file, `${bytes.length} bytes are too few for an IDX header of ${size}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = view.getUint32(0);
  if (found !== magic) {
    throw damaged(file, `magic number is ${found}, an IDX file of this kind starts with ${magic}`);
  }
  return Array.from({ length: rank }, (_, axis) => view.getUint32(4 + 4 * axis));
}

function checkLength(
  bytes: Uint8Array,
  file: string,
  start: number,
  content: number,
  what: string,
): void {
  const found = bytes.length - start;
  if (found === content) return;
  const verdict = found < content ? 'the file is truncated' : 'there is more';
  throw damaged(file, `${what} need ${content} bytes, found ${found}: ${verdict}`);
}

function damaged(file: string, what: string): DataError {
  return new DataError('format', file, `${what}; fetch the file again`);
}
