/** Images as sequences of real vectors: the principal components of their patches (PCA), without quantisation. */
import type { Image, ImageShape } from '@loretta-ts/tokenizers';
import type { TokenData } from '../train/data';
import { DataError, requireCount } from './errors';
import { symmetricEigen } from './jacobi';
import type { TokenSet } from './modality';
import type { Labelled, RawSource } from './source';

/** Images that components are fitted on, at most: more do not change them. */
const FIT_IMAGES = 4000;
/** Least share of the variance that a component has: below it there is only rounding to be scaled up. */
const LEAST_SHARE = 1e-9;

/** Options of `PatchLatents.fit`. */
export interface PatchLatentsOptions {
  /** Side of a square patch, a divisor of both sides of the images; default 7. */
  readonly patch?: number;
  /** Numbers z of a vector; default 8. */
  readonly dim?: number;
}

/** Patches in reading order, each as its first principal components, of mean 0 and variance 1 over the training images. */
export class PatchLatents {
  /** Size of the images. */
  readonly shape: ImageShape;
  /** Side of a patch. */
  readonly patch: number;
  /** Numbers z of a vector. */
  readonly dim: number;
  /** Patches n of an image. */
  readonly length: number;
  /** Share of the variance of the training patches that the components hold. */
  readonly explained: number;
  /** `[p]`, p values of a patch. */
  private readonly mean: Float64Array;
  /** `[z, p]` unit vectors. */
  private readonly axes: Float64Array;
  /** `[z]` standard deviations along them. */
  private readonly scales: Float64Array;

  private constructor(
    shape: ImageShape,
    patch: number,
    explained: number,
    mean: Float64Array,
    axes: Float64Array,
    scales: Float64Array,
  ) {
    this.shape = shape;
    this.patch = patch;
    this.dim = scales.length;
    this.length = (shape.width / patch) * (shape.height / patch);
    this.explained = explained;
    this.mean = mean;
    this.axes = axes;
    this.scales = scales;
  }

  /**
   * Components of the patches of all images together; the same images give the same components.
   * @throws DataError for no images, images of several sizes, or patches with less than `dim` directions
   */
  static fit(
    images: readonly Image[],
    { patch = 7, dim = 8 }: PatchLatentsOptions = {},
  ): PatchLatents {
    const first = images[0];
    if (first === undefined)
      throw new DataError('class', 'PatchLatents', 'there are no training images');
    const { width, height, channels } = first;
    requireCount('PatchLatents: patch', patch, 1, Math.min(width, height));
    if (width % patch !== 0 || height % patch !== 0)
      fail(`patches of ${patch} do not tile ${width}×${height}`);
    const p = patch * patch * channels;
    requireCount('PatchLatents: dim', dim, 1, p);
    const step = Math.max(1, Math.floor(images.length / FIT_IMAGES));
    const shape = { width, height, channels };
    const { mean, covariance } = moments(
      images.filter((_, i) => i % step === 0),
      shape,
      patch,
    );
    const { values, vectors } = symmetricEigen(covariance, p);
    const total = values.reduce((a, b) => a + b, 0);
    const kept = values.subarray(0, dim);
    const directions = values.filter((x) => x > LEAST_SHARE * total).length;
    if (directions < dim) fail(`patches differ in ${directions} directions: dim can be no more`);
    return new PatchLatents(
      shape,
      patch,
      kept.reduce((a, b) => a + b, 0) / total,
      mean,
      vectors.slice(0, dim * p),
      kept.map(Math.sqrt),
    );
  }

  /** `[n, z]`. @throws DataError for an image of another size */
  encode(image: Image): Float32Array {
    const { length, dim, mean, axes, scales } = this;
    const p = mean.length;
    const patches = patchesOf(image, this.shape, this.patch); // [n, p]
    const out = new Float32Array(length * dim);
    for (let i = 0; i < length; i++) {
      for (let c = 0; c < dim; c++) {
        let sum = 0;
        for (let j = 0; j < p; j++) sum += (patches[i * p + j]! - mean[j]!) * axes[c * p + j]!;
        out[i * dim + c] = sum / scales[c]!;
      }
    }
    return out;
  }

  /** The image of `[n, z]`, pixels rounded and cut to [0, 255]. @throws DataError for another length */
  decode(latents: ArrayLike<number>): Image {
    const { length, dim, mean, axes, scales, shape, patch } = this;
    if (latents.length !== length * dim)
      fail(`${latents.length} numbers are not ${length} vectors of ${dim}`);
    const p = mean.length;
    const data = new Uint8Array(shape.width * shape.height * shape.channels);
    for (let i = 0; i < length; i++) {
      for (let j = 0; j < p; j++) {
        let value = mean[j]!;
        for (let c = 0; c < dim; c++)
          value += latents[i * dim + c]! * scales[c]! * axes[c * p + j]!;
        data[placeOf(shape, patch, i, j)] = Math.round(255 * Math.min(1, Math.max(0, value)));
      }
    }
    return { ...shape, data };
  }

  /** Mean squared error of decoded images, of pixels in [0, 1]. @throws DataError for no images */
  error(images: readonly Image[]): number {
    if (images.length === 0) fail('there are no images');
    let sum = 0;
    for (const image of images) {
      const { data } = this.decode(this.encode(image));
      data.forEach((x, i) => {
        sum += ((x - image.data[i]!) / 255) ** 2;
      });
    }
    return sum / (images.length * images[0]!.data.length);
  }

  /** A source of images as a modality of vectors for the trainer. */
  data(name: string, { train, test, classes }: RawSource<Image>): TokenData {
    const { length, dim } = this;
    return {
      name,
      vocabSize: 1,
      maxLength: length,
      fixedLength: true,
      latent: { dim },
      train: this.set(train, classes),
      test: this.set(test, classes),
    };
  }

  private set({ items, labels }: Labelled<Image>, classes: number): TokenSet {
    const { length, dim } = this;
    const latents = new Float32Array(items.length * length * dim);
    items.forEach((image, i) => {
      latents.set(this.encode(image), i * length * dim);
    });
    return { ids: new Int32Array(items.length * length), latents, length, labels, classes };
  }
}

/** Mean `[p]` and covariance `[p, p]` of all patches. */
function moments(
  images: readonly Image[],
  shape: ImageShape,
  patch: number,
): { readonly mean: Float64Array; readonly covariance: Float64Array } {
  const p = patch * patch * shape.channels;
  const mean = new Float64Array(p);
  const covariance = new Float64Array(p * p);
  let n = 0;
  for (const image of images) {
    const patches = patchesOf(image, shape, patch);
    for (let at = 0; at < patches.length; at += p, n++) {
      for (let i = 0; i < p; i++) {
        const x = patches[at + i]!;
        mean[i]! += x;
        if (x === 0) continue;
        for (let j = 0; j <= i; j++) covariance[i * p + j]! += x * patches[at + j]!;
      }
    }
  }
  for (let i = 0; i < p; i++) mean[i]! /= n;
  for (let i = 0; i < p; i++) {
    for (let j = 0; j <= i; j++) {
      const value = covariance[i * p + j]! / n - mean[i]! * mean[j]!;
      covariance[i * p + j] = value;
      covariance[j * p + i] = value;
    }
  }
  return { mean, covariance };
}

/** `[n, p]` in [0, 1]. */
function patchesOf(image: Image, shape: ImageShape, patch: number): Float64Array {
  const { width, height, channels } = shape;
  if (image.width !== width || image.height !== height || image.channels !== channels) {
    fail(
      `an image of ${image.width}×${image.height}×${image.channels}, not ${width}×${height}×${channels}`,
    );
  }
  const p = patch * patch * channels;
  const out = new Float64Array(width * height * channels);
  for (let at = 0; at < out.length; at++) {
    out[at] = image.data[placeOf(shape, patch, Math.floor(at / p), at % p)]! / 255;
  }
  return out;
}

/** Place in an image's data of value j of patch i. */
function placeOf({ width, channels }: ImageShape, patch: number, i: number, j: number): number {
  const across = width / patch;
  const row = Math.floor(i / across) * patch + Math.floor(j / (patch * channels));
  return (row * width + (i % across) * patch) * channels + (j % (patch * channels));
}

function fail(message: string): never {
  throw new DataError('config', 'PatchLatents', message);
}
