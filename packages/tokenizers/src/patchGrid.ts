import { requireInteger, TokenizerError } from './errors';
import { type ImageShape, requireImageShape } from './image';

/**
 * Non-overlapping `patch`×`patch` tiles of an image, tiles in row-major order;
 * inside a tile values are `[patch, patch, channels]` row-major.
 */
export interface PatchGrid {
  /** Shape of the image. */
  readonly shape: ImageShape;
  /** Side of a patch in pixels. */
  readonly patch: number;
  /** Number of patches. */
  readonly count: number;
  /** Values per patch: `patch² · channels`. */
  readonly dim: number;
  /** `order[i]` is the offset in the image data of value i of the patch order, `[count · dim]`. */
  readonly order: Int32Array;
}

/** The grid of an image shape. Throws TokenizerError unless `patch` divides width and height. */
export function patchGrid(where: string, shape: ImageShape, patch: number): PatchGrid {
  requireImageShape(where, shape);
  const { width, height, channels } = shape;
  requireInteger(where, 'patch', patch, 1, Math.min(width, height));
  if (width % patch !== 0 || height % patch !== 0) {
    throw new TokenizerError(
      'config',
      where,
      `patch ${patch} does not divide ${width}×${height}: choose a common divisor of both`,
    );
  }
  const columns = width / patch;
  const count = columns * (height / patch);
  const dim = patch * patch * channels;
  const order = new Int32Array(count * dim);
  let next = 0;
  for (let p = 0; p < count; p++) {
    const top = Math.floor(p / columns) * patch;
    const left = (p % columns) * patch;
    for (let row = 0; row < patch; row++) {
      const start = ((top + row) * width + left) * channels;
      for (let i = 0; i < patch * channels; i++) order[next++] = start + i;
    }
  }
  return { shape: { width, height, channels }, patch, count, dim, order };
}
