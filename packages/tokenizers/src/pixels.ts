import { requireBlock, requireInteger } from './errors';
import { type Image, type ImageShape, requireImage, requireImageShape } from './image';
import { type ByteLevels, byteLevels } from './levels';
import type { FixedLengthTokenizer } from './tokenizer';

/** Image shape and number of grey levels (2…256) of a pixel tokenizer. */
export interface PixelTokenizerConfig extends ImageShape {
  /** Number of levels, 2…256. */
  readonly levels: number;
}

/**
 * One token per pixel value in row-major order, quantised to `levels` evenly spaced levels.
 * Lossless at 256 levels. 28×28 grey at 256 levels is the image tokenizer of LoReTTa's SVL-MNIST script.
 */
export class PixelTokenizer implements FixedLengthTokenizer<Image> {
  /** Number of levels. */
  readonly vocabSize: number;
  /** `width · height · channels`. */
  readonly length: number;
  /** Shape of the images. */
  readonly shape: ImageShape;
  readonly #levels: ByteLevels;

  /** Throws TokenizerError when the shape or the number of levels is out of range. */
  constructor(config: PixelTokenizerConfig) {
    const where = 'PixelTokenizer';
    requireImageShape(where, config);
    requireInteger(where, 'levels', config.levels, 2, 256);
    const { width, height, channels, levels } = config;
    this.shape = { width, height, channels };
    this.vocabSize = levels;
    this.length = width * height * channels;
    this.#levels = byteLevels(levels);
  }

  /** Level of every value, `[height · width · channels]`. Throws TokenizerError for an image of another shape. */
  encode(image: Image): Int32Array {
    requireImage('PixelTokenizer.encode', image, this.shape);
    const { levelOf } = this.#levels;
    return Int32Array.from(image.data, (byte) => levelOf[byte]!);
  }

  /** The image of the levels. Throws TokenizerError for a wrong number of ids or an id out of range. */
  decode(ids: ArrayLike<number>): Image {
    requireBlock('PixelTokenizer.decode', ids, this.length, this.vocabSize);
    const { byteOf } = this.#levels;
    return { ...this.shape, data: Uint8Array.from(ids, (level) => byteOf[level]!) };
  }
}
