import { requireBlock, requireInteger } from './errors';
import { type Image, type ImageShape, requireImage } from './image';
import { type ByteLevels, byteLevels } from './levels';
import { type PatchGrid, patchGrid } from './patchGrid';
import type { FixedLengthTokenizer } from './tokenizer';

/** Image shape, patch side (a divisor of width and height) and number of levels (2…256). */
export interface PatchTokenizerConfig extends ImageShape {
  /** Side of a patch; a divisor of width and height. */
  readonly patch: number;
  /** Number of levels, 2…256. */
  readonly levels: number;
}

/**
 * One token per pixel value, like PixelTokenizer, but emitted patch after patch:
 * neighbours in the image stay neighbours in the sequence. Lossless at 256 levels.
 */
export class PatchTokenizer implements FixedLengthTokenizer<Image> {
  /** Number of levels. */
  readonly vocabSize: number;
  /** `width · height · channels`. */
  readonly length: number;
  /** Shape of the images. */
  readonly shape: ImageShape;
  readonly #grid: PatchGrid;
  readonly #levels: ByteLevels;

  /** Throws TokenizerError when a field is out of range or `patch` does not divide the image. */
  constructor(config: PatchTokenizerConfig) {
    const where = 'PatchTokenizer';
    this.#grid = patchGrid(where, config, config.patch);
    requireInteger(where, 'levels', config.levels, 2, 256);
    this.#levels = byteLevels(config.levels);
    this.shape = this.#grid.shape;
    this.vocabSize = config.levels;
    this.length = this.#grid.order.length;
  }

  /** Levels in patch order, `[patches · patch² · channels]`. Throws TokenizerError for another shape. */
  encode(image: Image): Int32Array {
    requireImage('PatchTokenizer.encode', image, this.shape);
    const { levelOf } = this.#levels;
    return this.#grid.order.map((offset) => levelOf[image.data[offset]!]!);
  }

  /** The image of the levels. Throws TokenizerError for a wrong number of ids or an id out of range. */
  decode(ids: ArrayLike<number>): Image {
    requireBlock('PatchTokenizer.decode', ids, this.length, this.vocabSize);
    const { byteOf } = this.#levels;
    const data = new Uint8Array(this.length);
    for (let i = 0; i < this.length; i++) data[this.#grid.order[i]!] = byteOf[ids[i]!]!;
    return { ...this.shape, data };
  }
}
