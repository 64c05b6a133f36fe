import { convertIndexedToRgb, decode, encode } from 'fast-png';
import { TokenizerError } from './errors';
import { type Image, requireImage, requireImageShape } from './image';

/** Limits of {@link decodePng}. */
export interface DecodePngOptions {
  /** Refuse larger images before unpacking them. Default 2²⁶ pixels. */
  readonly maxPixels?: number;
}

/** A byte of deflate gives no more than this. */
const MAX_INFLATION = 1032;
const IDAT = 0x49444154;
const SIGNATURE = [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a];

/**
 * Decodes a PNG file to 8 bits a channel: palettes become RGB, 16-bit values keep their upper byte,
 * 1-, 2- and 4-bit grey is stretched to 0…255. Throws TokenizerError for anything damaged or larger than `maxPixels`.
 */
export function decodePng(bytes: Uint8Array, options: DecodePngOptions = {}): Image {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < 33 || SIGNATURE.some((byte, i) => bytes[i] !== byte)) {
    throw refuse('not a PNG file');
  }
  const pixels = view.getUint32(16) * view.getUint32(20);
  const maxPixels = options.maxPixels ?? 2 ** 26;
  if (pixels === 0 || pixels > maxPixels) {
    throw refuse(`the image has ${pixels} pixels, expected 1 to ${maxPixels}`);
  }
  const needed = view.getUint32(20) * Math.ceil((view.getUint32(16) * bits(bytes)) / 8);
  const most = MAX_INFLATION * compressedBytes(view);
  if (needed > most) {
    throw refuse(`damaged (the image has ${needed} bytes, its data gives ${most} at most)`);
  }
  let png: ReturnType<typeof decode>;
  try {
    png = decode(bytes, { checkCrc: true });
  } catch (error) {
    throw refuse(`damaged (${error instanceof Error ? error.message : 'unknown error'})`);
  }
  const { width, height } = png;
  if (png.palette !== undefined) {
    const data = Uint8Array.from(convertIndexedToRgb(png));
    return checked({ width, height, channels: png.palette[0]?.length === 4 ? 4 : 3, data });
  }
  return checked({ width, height, channels: png.channels, data: toBytes(png) });
}

/** A PNG file of the image, 8 bits a channel. Throws TokenizerError when data and shape disagree. */
export function encodePng(image: Image): Uint8Array {
  requireImageShape('encodePng', image);
  requireImage('encodePng', image, image);
  const { width, height, channels, data } = image;
  return encode({ width, height, channels, data, depth: 8 });
}

/** Bits of a pixel, as the header has it. */
function bits(bytes: Uint8Array): number {
  const channels = [1, 0, 3, 1, 2, 0, 4][bytes[25]!] ?? 0;
  return bytes[24]! * channels;
}

/** Bytes in the chunks of data; the chunks end where their lengths lead out of the file. */
function compressedBytes(view: DataView): number {
  let sum = 0;
  for (let at = 8; at + 12 <= view.byteLength; ) {
    const length = view.getUint32(at);
    if (at + 12 + length > view.byteLength) break;
    if (view.getUint32(at + 4) === IDAT) sum += length;
    at += 12 + length;
  }
  return sum;
}

function toBytes(png: ReturnType<typeof decode>): Uint8Array {
  const { data, depth, width, height, channels } = png;
  if (depth === 16) return Uint8Array.from(data, (v) => v >> 8);
  if (depth === 8) return Uint8Array.from(data);
  // Packed grey: rows start at byte boundaries, the first pixel is in the upper bits.
  const rowBytes = Math.ceil((width * channels * depth) / 8);
  const top = 2 ** depth - 1;
  return Uint8Array.from({ length: width * height * channels }, (_, i) => {
    const column = i % (width * channels);
    const row = (i - column) / (width * channels);
    const bit = column * depth;
    const byte = data[row * rowBytes + (bit >> 3)]!;
    return Math.round((((byte >> (8 - depth - (bit & 7))) & top) * 255) / top);
  });
}

function checked(image: Image): Image {
  requireImageShape('decodePng', image);
  requireImage('decodePng', image, image);
  return image;
}

function refuse(what: string): TokenizerError {
  return new TokenizerError('format', 'decodePng', what);
}
