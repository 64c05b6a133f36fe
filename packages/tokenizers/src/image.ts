import { requireInteger, requireNumber, TokenizerError } from './errors';

/** Size of an image: `height` rows of `width` pixels of `channels` values (1 grey, 2 grey+alpha, 3 RGB, 4 RGBA). */
export interface ImageShape {
  /** Pixels in a row. */
  readonly width: number;
  /** Rows. */
  readonly height: number;
  /** Values per pixel, 1…4. */
  readonly channels: number;
}

/** An 8-bit image, `data` `[height, width, channels]` row-major. */
export interface Image extends ImageShape {
  /** `[height, width, channels]`. */
  readonly data: Uint8Array;
}

/** Largest accepted width and height. */
const MAX_SIDE = 65535;

/** Throws TokenizerError unless the shape is a sensible image shape. */
export function requireImageShape(where: string, shape: ImageShape): void {
  requireInteger(where, 'width', shape.width, 1, MAX_SIDE);
  requireInteger(where, 'height', shape.height, 1, MAX_SIDE);
  requireInteger(where, 'channels', shape.channels, 1, 4);
}

/** Throws TokenizerError unless `image` has exactly this shape and as much data. */
export function requireImage(where: string, image: Image, shape: ImageShape): void {
  const { width, height, channels } = shape;
  if (image.width !== width || image.height !== height || image.channels !== channels) {
    throw new TokenizerError(
      'input',
      where,
      `image is ${image.width}×${image.height}×${image.channels}, this tokenizer was made for ${width}×${height}×${channels}`,
    );
  }
  const size = width * height * channels;
  if (!(image.data instanceof Uint8Array) || image.data.length !== size) {
    throw new TokenizerError(
      'input',
      where,
      `image data must be a Uint8Array of ${size} values, got ${image.data?.length} values`,
    );
  }
}

/**
 * An 8-bit image from values in [0, 1], `[height, width, channels]` row-major: 0 → 0, 1 → 255, rounded.
 * Throws TokenizerError for values outside [0, 1].
 */
export function imageFromUnit(shape: ImageShape, values: ArrayLike<number>): Image {
  const where = 'imageFromUnit';
  requireImageShape(where, shape);
  const { width, height, channels } = shape;
  const size = width * height * channels;
  if (values.length !== size) {
    throw new TokenizerError('input', where, `expected ${size} values, got ${values.length}`);
  }
  const data = new Uint8Array(size);
  for (let i = 0; i < size; i++) {
    const value = values[i];
    requireNumber(where, `value at ${i}`, value, 0, 1);
    data[i] = Math.round(value * 255);
  }
  return { width, height, channels, data };
}

/** The image's values in [0, 1], `[height, width, channels]`. */
export function imageToUnit(image: Image): Float32Array {
  return Float32Array.from(image.data, (v) => v / 255);
}
