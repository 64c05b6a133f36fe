import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { apart, auc, hits, meanOf, proportion, rangeOf } from '../src/evaluate/intervals';

const estimate = (low: number, high: number) => ({ value: (low + high) / 2, low, high, n: 1 });

describe('proportion', () => {
  it.each([
    // Newcombe (1998), table I: Wilson's score interval at 95 %
    [81, 263, 0.2553, 0.3662],
    [15, 148, 0.0624, 0.1605],
    [0, 20, 0, 0.1611],
    [1, 29, 0.0061, 0.1718],
    [29, 29, 0.883, 1],
  ])('%d of %d is in [%d, %d]', (right, n, low, high) => {
    const found = proportion(right, n);
    expect(found.value).toBe(right / n);
    expect(found.low).toBeCloseTo(low, 4);
    expect(found.high).toBeCloseTo(high, 4);
    expect(found.n).toBe(n);
  });

  it('holds its value, stays in [0, 1] and mirrors', () => {
    fc.assert(
      fc.property(fc.nat(500), fc.integer({ min: 1, max: 500 }), (a, b) => {
        const [right, n] = [Math.min(a, b), b];
        const { value, low, high } = proportion(right, n);
        expect(low >= 0 && high <= 1).toBe(true);
        expect(low <= value + 1e-12 && value <= high + 1e-12).toBe(true);
        const mirrored = proportion(n - right, n);
        expect(mirrored.low).toBeCloseTo(1 - high, 10);
        expect(mirrored.high).toBeCloseTo(1 - low, 10);
      }),
      { seed: 7 },
    );
  });
});

describe('meanOf', () => {
  it('is the mean with 1.96 standard errors', () => {
    const { value, low, high, n } = meanOf([1, 2, 3, 4, 5]);
    expect(value).toBe(3);
    expect(high - 3).toBeCloseTo(1.959964 * Math.sqrt(2.5 / 5), 5);
    expect(3 - low).toBeCloseTo(high - 3, 12);
    expect(n).toBe(5);
  });

  it('knows nothing of one observation', () => {
    expect(meanOf([2])).toEqual({
      value: 2,
      low: Number.NEGATIVE_INFINITY,
      high: Number.POSITIVE_INFINITY,
      n: 1,
    });
  });
});

describe('rangeOf', () => {
  it('spans all values', () => {
    expect(rangeOf([3, 1, 5])).toEqual({ value: 3, low: 1, high: 5, n: 3 });
  });
});

describe('hits', () => {
  it('counts what is right among what was found', () => {
    expect(hits([1, 2, 3], [1, 0, 3, 9, 9])).toEqual(proportion(2, 3));
  });
});

describe('apart', () => {
  it('is true only without a common point', () => {
    expect(apart(estimate(0, 1), estimate(2, 3))).toBe(true);
    expect(apart(estimate(2, 3), estimate(0, 1))).toBe(true);
    expect(apart(estimate(0, 1), estimate(1, 2))).toBe(false);
    expect(apart(estimate(0, 3), estimate(1, 2))).toBe(false);
  });
});

describe('auc', () => {
  it.each([
    [[0.9, 0.8, 0.2, 0.1], [0, 1], 1],
    [[0.9, 0.8, 0.2, 0.1], [2, 3], 0],
    [[0.9, 0.8, 0.2, 0.1], [0, 3], 0.5],
    [[0.5, 0.5, 0.1], [0], 0.75],
    [[0.5, 0.2], [], 0.5],
  ])('of %j, right at %j, is %d', (scores, right, wanted) => {
    expect(auc(scores, (i) => (right as number[]).includes(i))).toBe(wanted);
  });
});
