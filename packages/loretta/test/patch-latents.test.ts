/** Patches as principal components: what they keep, standard numbers, eigenvectors, and wrong use. */
import { hostRandom } from '@loretta-ts/core';
import type { Image } from '@loretta-ts/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { symmetricEigen } from '../src/data/jacobi';
import { mnistPackage } from '../src/data/node/mnistFiles';
import { PatchLatents } from '../src/data/patchLatents';
import { limitSource } from '../src/data/source';

const digits = limitSource(mnistPackage(), 60, 10);
const codec = PatchLatents.fit(digits.train.items);

/** Random images whose pixels lie apart from both ends. */
function noise(n: number, width: number, height: number, channels: number): Image[] {
  const random = hostRandom(width);
  const size = width * height * channels;
  return Array.from({ length: n }, () => ({
    ...{ width, height, channels },
    data: Uint8Array.from({ length: size }, () => random.int(256)),
  }));
}

describe('PatchLatents', () => {
  it('has numbers of mean 0 and variance 1 over the training patches, not correlated', () => {
    const { train } = codec.data('image', digits);
    const n = train.latents!.length / 8;
    expect(train.latents).toHaveLength(600 * 16 * 8);
    for (let a = 0; a < 8; a++) {
      for (let b = 0; b <= a; b++) {
        let [mean, product] = [0, 0];
        for (let i = 0; i < n; i++) {
          mean += train.latents![i * 8 + a]! / n;
          product += (train.latents![i * 8 + a]! * train.latents![i * 8 + b]!) / n;
        }
        expect(mean).toBeCloseTo(0, 4);
        expect(product).toBeCloseTo(a === b ? 1 : 0, 3);
      }
    }
  });

  it('keeps of test digits what its share of the variance says, and more with more numbers', () => {
    const more = PatchLatents.fit(digits.train.items, { dim: 20 });
    expect(codec.explained).toBeGreaterThan(0.8);
    expect(more.explained).toBeGreaterThan(codec.explained);
    const [left, less] = [codec, more].map((c) => c.error(digits.test.items));
    expect(left).toBeLessThan(0.015);
    expect(less).toBeLessThan(left! / 2);
  });

  it('keeps everything with as many numbers as a patch has values', () => {
    const images = noise(60, 6, 4, 3);
    const whole = PatchLatents.fit(images, { patch: 2, dim: 12 });
    expect([whole.length, whole.dim]).toEqual([6, 12]);
    expect(whole.explained).toBeCloseTo(1, 12);
    for (const image of images) expect(whole.decode(whole.encode(image))).toEqual(image);
    expect(whole.error(images)).toBe(0);
  });

  it('is the same for the same images', () => {
    const again = PatchLatents.fit(digits.train.items);
    const [image] = digits.test.items;
    expect(again.encode(image!)).toEqual(codec.encode(image!));
  });

  it.each([
    [() => PatchLatents.fit([]), /no training images/],
    [() => PatchLatents.fit(digits.train.items, { patch: 5 }), /do not tile 28×28/],
    [
      () => PatchLatents.fit(digits.train.items, { dim: 50 }),
      /dim: must be an integer in \[1, 49\]/,
    ],
    [
      () => PatchLatents.fit([{ ...digits.train.items[0]!, data: new Uint8Array(784) }]),
      /differ in 0 directions/,
    ],
    [() => codec.encode(noise(1, 7, 7, 1)[0]!), /an image of 7×7×1, not 28×28×1/],
    [() => codec.decode([1, 2]), /2 numbers are not 16 vectors of 8/],
    [() => codec.error([]), /no images/],
  ])('refuses %#', (run, message) => {
    expect(run).toThrow(message);
  });
});

it('symmetricEigen gives orthonormal vectors that take the matrix apart, largest value first', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 9 }), fc.nat(1e6), (n, seed) => {
      const random = hostRandom(seed);
      const m = new Float64Array(n * n);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j <= i; j++) m[j * n + i] = m[i * n + j] = 2 * random.uniform() - 1;
      }
      const { values, vectors } = symmetricEigen(m, n);
      expect([...values].sort((a, b) => b - a)).toEqual([...values]);
      for (let i = 0; i < n; i++) {
        for (let j = 0; j < n; j++) {
          let [dot, back] = [0, 0];
          for (let k = 0; k < n; k++) {
            dot += vectors[i * n + k]! * vectors[j * n + k]!;
            back += values[k]! * vectors[k * n + i]! * vectors[k * n + j]!;
          }
          expect(dot).toBeCloseTo(Number(i === j), 10);
          expect(back).toBeCloseTo(m[i * n + j]!, 10);
        }
      }
    }),
    { numRuns: 40, seed: 1 },
  );
});
