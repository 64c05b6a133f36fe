import { requireBlock, requireInteger, TokenizerError } from './errors';
import { type Image, type ImageShape, requireImage } from './image';
import { kmeans, nearestCentroid } from './kmeans';
import { type PatchGrid, patchGrid } from './patchGrid';
import type { FixedLengthTokenizer } from './tokenizer';
import { integerField, numbersField, requireObject, requireType } from './untrusted';

/** How to train a {@link PatchCodebook}. */
export interface PatchCodebookOptions {
  /** Side of a patch in pixels; a divisor of width and height. */
  readonly patch: number;
  /** Number of codes, at most 65,536. */
  readonly codes: number;
  /** Seed: the same seed and images give the same codebook. */
  readonly seed: number;
  /** Most Lloyd iterations. Default 30. */
  readonly iterations?: number;
  /** Patches to train on, drawn at random. Default 24,000. */
  readonly sample?: number;
}

/** What {@link PatchCodebook.toJSON} writes. */
export interface PatchCodebookJson {
  /** Says what this is. */
  readonly type: 'PatchCodebook';
  /** Width of the images. */
  readonly width: number;
  /** Height of the images. */
  readonly height: number;
  /** Values per pixel. */
  readonly channels: number;
  /** Side of a patch. */
  readonly patch: number;
  /** Number of codes. */
  readonly codes: number;
  /** `[codes, patch² · channels]`, bytes. */
  readonly centroids: readonly number[];
}

const MAX_CODES = 65536;

/**
 * One token per image patch: the nearest code of a k-means codebook. Decoding pastes the codes.
 * 28×28 digits with 7×7 patches and 64 codes are 16 tokens.
 * Codes are bytes, so encoding a decoded image gives the same tokens.
 */
export class PatchCodebook implements FixedLengthTokenizer<Image> {
  /** Number of codes. */
  readonly vocabSize: number;
  /** Number of patches. */
  readonly length: number;
  /** Shape of the images. */
  readonly shape: ImageShape;
  /** Side of a patch. */
  readonly patch: number;
  /** `[codes, patch² · channels]`. */
  readonly centroids: Uint8Array;
  readonly #grid: PatchGrid;

  /** A codebook from its codes, `[codes, patch² · channels]`. Throws TokenizerError when sizes do not fit. */
  constructor(shape: ImageShape, patch: number, centroids: Uint8Array) {
    const where = 'PatchCodebook';
    this.#grid = patchGrid(where, shape, patch);
    const { dim, count } = this.#grid;
    if (centroids.length === 0 || centroids.length % dim !== 0) {
      throw new TokenizerError(
        'config',
        where,
        `centroids must hold a positive multiple of ${dim} bytes, got ${centroids.length}`,
      );
    }
    this.shape = this.#grid.shape;
    this.patch = patch;
    this.length = count;
    this.vocabSize = centroids.length / dim;
    this.centroids = centroids;
  }

  /** Trains on the patches of images of one shape. Throws TokenizerError when there are none or shapes differ. */
  static train(images: readonly Image[], options: PatchCodebookOptions): PatchCodebook {
    const where = 'PatchCodebook.train';
    const first = images[0];
    if (first === undefined) {
      throw new TokenizerError('input', where, 'no images: give at least one');
    }
    requireInteger(where, 'codes', options.codes, 1, MAX_CODES);
    const grid = patchGrid(where, first, options.patch);
    for (const image of images) requireImage(where, image, grid.shape);
    const size = grid.order.length;
    const points = new Float32Array(images.length * size);
    images.forEach((image, n) => {
      for (let i = 0; i < size; i++) points[n * size + i] = image.data[grid.order[i]!]!;
    });
    const { centroids } = kmeans(points, grid.dim, options.codes, {
      seed: options.seed,
      iterations: options.iterations ?? 30,
      sample: options.sample ?? 24_000,
    });
    return new PatchCodebook(grid.shape, options.patch, Uint8Array.from(centroids, Math.round));
  }

  /** Code of every patch in row-major order, `[patches]`. Throws TokenizerError for an image of another shape. */
  encode(image: Image): Int32Array {
    requireImage('PatchCodebook.encode', image, this.shape);
    const { order, dim, count } = this.#grid;
    const values = new Float32Array(order.length);
    for (let i = 0; i < order.length; i++) values[i] = image.data[order[i]!]!;
    const ids = new Int32Array(count);
    for (let p = 0; p < count; p++) {
      ids[p] = nearestCentroid(values, p * dim, this.centroids, dim);
    }
    return ids;
  }

  /** The image of the pasted codes. Throws TokenizerError for a wrong number of ids or an id out of range. */
  decode(ids: ArrayLike<number>): Image {
    requireBlock('PatchCodebook.decode', ids, this.length, this.vocabSize);
    const { order, dim, count } = this.#grid;
    const data = new Uint8Array(order.length);
    for (let p = 0; p < count; p++) {
      const start = ids[p]! * dim;
      for (let i = 0; i < dim; i++) data[order[p * dim + i]!] = this.centroids[start + i]!;
    }
    return { ...this.shape, data };
  }

  /** A JSON-able description, read back by {@link PatchCodebook.fromJSON}. */
  toJSON(): PatchCodebookJson {
    const { width, height, channels } = this.shape;
    return {
      type: 'PatchCodebook',
      width,
      height,
      channels,
      patch: this.patch,
      codes: this.vocabSize,
      centroids: Array.from(this.centroids),
    };
  }

  /** Reads what toJSON wrote, parsed or as text. Throws TokenizerError when anything in it is wrong. */
  static fromJSON(json: unknown): PatchCodebook {
    const where = 'PatchCodebook.fromJSON';
    const object = requireObject(where, 'the codebook', json);
    requireType(where, object, 'PatchCodebook');
    const shape = {
      width: integerField(where, object, 'width', 1, 65535),
      height: integerField(where, object, 'height', 1, 65535),
      channels: integerField(where, object, 'channels', 1, 4),
    };
    const patch = integerField(where, object, 'patch', 1, 65535);
    const codes = integerField(where, object, 'codes', 1, MAX_CODES);
    const dim = patch * patch * shape.channels;
    const centroids = numbersField(where, object, 'centroids', codes * dim);
    for (const value of centroids) {
      if (Number.isInteger(value) && value >= 0 && value <= 255) continue;
      throw new TokenizerError('format', where, `centroids must be bytes, got ${value}`);
    }
    return new PatchCodebook(shape, patch, Uint8Array.from(centroids));
  }
}
