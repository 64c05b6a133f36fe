/** What is drawn from words that are known, to the last bit, and the edges of parameters. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  bernoulli,
  categorical,
  full,
  gumbel,
  hostRandom,
  key,
  normal,
  setBackend,
  tensor,
  truncatedNormal,
  uniform,
  ValueError,
} from '../src';
import { randomBitsOp } from '../src/random';
import { instead } from '../src/testing';
import { threefry2x32 } from '../src/threefry';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

/** Draws from these words, over and over. */
function words(...list: number[]): void {
  setBackend(
    instead(backend, {
      kernels: {
        ...backend.kernels,
        randomBits: (_, [out]) =>
          backend.write(
            out!.buffer,
            out!.offset,
            Int32Array.from({ length: out!.size }, (_, i) => list[i % list.length]!),
          ),
      },
    }),
  );
}

/** The largest multiple of 2^-24 below 1. */
const TOP = 1 - 2 ** -24;

describe('uniform', () => {
  it('is the low 24 bits of a word, scaled to its range', () => {
    words(0, -1, 2 ** 23, 2 ** 24 + 3);
    const unit = [0, TOP, 0.5, 3 * 2 ** -24];
    const k = key(1);
    expect(uniform(k, [4], { dtype: 'f64' }).toArraySync()).toEqual(unit);
    fc.assert(
      fc.property(fc.integer({ min: -8, max: 8 }), fc.integer({ min: 0, max: 8 }), (low, width) => {
        const drawn = uniform(k, [4], { low, high: low + width, dtype: 'f64' });
        expect(drawn.toArraySync()).toEqual(unit.map((u) => u * width + low));
      }),
      {
        ...{ seed: 1, numRuns: 40 },
        examples: [
          [0, 5],
          [-1, 2],
          [0, 1],
          [1, 0],
        ],
      },
    );
  });

  it('of an empty range is its one end', () => {
    expect(uniform(key(1), [3], { low: 2, high: 2 }).toArraySync()).toEqual([2, 2, 2]);
    expect(() => uniform(key(1), [3], { low: Number.NaN })).toThrow(ValueError);
  });
});

describe('normal', () => {
  it('with no deviation is the mean', () => {
    expect(normal(key(1), [3], { mean: 2, std: 0 }).toArraySync()).toEqual([2, 2, 2]);
  });
});

describe('truncatedNormal', () => {
  it.each([0.25, 1, 3])('keeps to two deviations of %f, and comes near to both ends', (std) => {
    words(0, -1, 2 ** 23);
    const drawn = truncatedNormal(key(1), [3], { mean: 5, std, dtype: 'f64' }).dataSync();
    expect(drawn[0]).toBeCloseTo(5 - 2 * std, 5);
    expect(drawn[1]).toBeCloseTo(5 + 2 * std, 5);
    expect(drawn[2]).toBeCloseTo(5, 5);
  });

  it('needs a deviation above 0, also where the range is given', () => {
    for (const std of [0, -1, Number.NaN]) {
      expect(() => truncatedNormal(key(1), [2], { std, low: 0, high: 1 })).toThrow(ValueError);
    }
  });
});

describe('bernoulli', () => {
  it('is true where the uniform value lies below the probability', () => {
    words(0, 2 ** 22 - 1, 2 ** 22, -1);
    expect(bernoulli(key(1), 0.25, [4]).toArraySync()).toEqual([1, 1, 0, 0]);
    expect(bernoulli(key(1), TOP, [4]).toArraySync()).toEqual([1, 1, 1, 0]);
  });

  it('takes a tensor of probabilities, in f32 and f64', () => {
    words(0, 2 ** 22 - 1, 2 ** 22, -1);
    for (const dtype of ['f32', 'f64'] as const) {
      const p = tensor([0, 0.25, 0.25, 1], { dtype });
      expect(bernoulli(key(1), p, [4]).toArraySync()).toEqual([0, 1, 0, 1]);
    }
  });

  it('refuses a number that is no probability', () => {
    for (const p of [-0.1, 1.1, Number.NaN]) {
      expect(() => bernoulli(key(1), p, [2])).toThrow(ValueError);
    }
  });
});

describe('gumbel', () => {
  it('is finite for every word, and rises with it', () => {
    words(0, 1, 2 ** 23, -2, -1);
    for (const dtype of ['f32', 'f64'] as const) {
      const drawn = gumbel(key(1), [5], { dtype }).dataSync();
      expect([...drawn].every(Number.isFinite)).toBe(true);
      expect([...drawn]).toEqual([...drawn].sort((a, b) => a - b));
    }
  });

  it('inverts the distribution at the midpoints of the grid', () => {
    words(0, -1);
    const [least, most] = gumbel(key(1), [2], { dtype: 'f64' }).dataSync();
    const middle = (n: number): number => n * 2 ** -24 * (1 - 2 ** -23) + 2 ** -25;
    expect(least).toBeCloseTo(-Math.log(25 * Math.LN2), 12);
    expect(most).toBeCloseTo(-Math.log(-Math.log(middle(2 ** 24 - 1))), 12);
  });
});

describe('categorical', () => {
  const never = Number.NEGATIVE_INFINITY;

  it('draws along the last axis, whatever the rank', () => {
    const one = (at: number): number[] => [0, 1, 2].map((i) => (i === at ? 0 : never));
    expect(categorical(key(1), tensor(one(2))).toArraySync()).toBe(2);
    const rows = tensor([
      [one(0), one(1)],
      [one(2), one(0)],
    ]);
    expect(categorical(key(1), rows).toArraySync()).toEqual([
      [0, 1],
      [2, 0],
    ]);
  });

  it('takes logits in f64', () => {
    const logits = tensor([never, 0, never], { dtype: 'f64' });
    expect(categorical(key(1), logits).toArraySync()).toBe(1);
  });

  it('takes the larger logit where the noise is the same', () => {
    words(7);
    const logits = full([2, 3], 0).add(tensor([0, 2, 1]));
    expect(categorical(key(1), logits).toArraySync()).toEqual([1, 1]);
  });
});

describe('keys and streams', () => {
  it('fold takes every 32-bit index, the last included', () => {
    const { words: found } = key(3).fold(0xffffffff);
    expect(found).toEqual(threefry2x32(0, 3, 0xffffffff, 1));
  });

  it('a stream is an integer that fits 31 bits', () => {
    const draw = (stream: number): unknown =>
      randomBitsOp.infer([{ shape: [2], dtype: 'i32' }], { shape: [3], stream });
    expect(draw(2 ** 31 - 1)).toEqual([{ shape: [3], dtype: 'i32' }]);
    for (const stream of [-1, 0.5, 2 ** 31, 2 ** 31 + 1]) {
      expect(() => draw(stream)).toThrow(ValueError);
    }
  });
});

describe('hostRandom', () => {
  it('gives word i of stream 2 of its seed, also beyond 2^32 words', () => {
    const at = [0, 1, 77, 2 ** 32 - 1, 2 ** 32, 3 * 2 ** 32 + 5];
    for (const i of at) {
      const [word] = threefry2x32(0, 9, i >>> 0, 2 + Math.floor(i / 2 ** 32));
      expect(hostRandom(9, i).uniform()).toBe(word / 2 ** 32);
    }
    const r = hostRandom(9, 2 ** 32 - 1);
    expect([r.uniform(), r.uniform()]).toEqual(
      [2 ** 32 - 1, 2 ** 32].map((i) => hostRandom(9, i).uniform()),
    );
    expect(r.counter).toBe(2 ** 32 + 1);
  });
});
