import { describe, expect, it } from 'vitest';
import {
  erf,
  pow,
  remainder,
  roundHalfEven,
  sigmoid,
  softplus,
  toInt32Saturating,
} from '../src/reference/math';
import { threefry2x32 } from '../src/reference/threefry';

const relative = (got: number, want: number): number => Math.abs(got - want) / Math.abs(want);

describe('erf', () => {
  // mpmath 1.2, mp.dps = 40: float(mp.erf(x)).
  const golden: readonly (readonly [number, number])[] = [
    [1e-300, 1.1283791670955126e-300],
    [1e-8, 1.1283791670955126e-8],
    [0.05611199202909556, 0.0632492146504792],
    [0.25, 0.27632639016823696],
    [0.46875, 0.49261347321793797],
    [0.46876, 0.4926225311068465],
    [0.75, 0.7111556336535151],
    [1, 0.8427007929497149],
    [1.5, 0.9661051464753108],
    [2.25, 0.9985372834133188],
    [3, 0.9999779095030014],
    [3.9, 0.9999999652077514],
    [4, 0.9999999845827421],
    [4.0625, 0.9999999908210709],
    [4.5, 0.9999999998033839],
    [5.25, 0.9999999999998869],
    [5.9, 0.9999999999999999],
  ];

  it.each(golden)('erf(%d)', (x, want) => {
    expect(relative(erf(x), want)).toBeLessThan(5e-16);
    expect(erf(-x)).toBe(-erf(x));
  });

  it('meets its limits', () => {
    expect(erf(0)).toBe(0);
    expect(erf(-0)).toBe(-0);
    expect(erf(Infinity)).toBe(1);
    expect(erf(-Infinity)).toBe(-1);
    expect(erf(Number.NaN)).toBeNaN();
  });

  it('is continuous where the approximations meet', () => {
    for (const seam of [0.46875, 4, 6]) {
      const slope = (2 / Math.sqrt(Math.PI)) * Math.exp(-seam * seam);
      const step = 1e-9;
      const rise = erf(seam + step) - erf(seam - step);
      expect(Math.abs(rise - 2 * step * slope)).toBeLessThan(5e-16);
    }
  });
});

describe('pow', () => {
  it('follows IEEE 754 where Math.pow does not', () => {
    expect(pow(1, Number.NaN)).toBe(1);
    expect(pow(1, Infinity)).toBe(1);
    expect(pow(-1, Infinity)).toBe(1);
    expect(pow(-1, -Infinity)).toBe(1);
  });

  it('keeps the rest', () => {
    expect(pow(Number.NaN, 0)).toBe(1);
    expect(pow(Number.NaN, 1)).toBeNaN();
    expect(pow(-8, 1 / 3)).toBeNaN();
    expect(pow(-2, 3)).toBe(-8);
    expect(pow(-0, -3)).toBe(-Infinity);
    expect(pow(0, -2)).toBe(Infinity);
    expect(pow(0.5, -Infinity)).toBe(Infinity);
  });
});

describe('remainder', () => {
  it('has the sign of the divisor, zeros too', () => {
    expect(remainder(7, 3)).toBe(1);
    expect(remainder(-7, 3)).toBe(2);
    expect(remainder(7, -3)).toBe(-2);
    expect(remainder(-7, -3)).toBe(-1);
    expect(remainder(-6, 3)).toBe(0);
    expect(remainder(6, -3)).toBe(-0);
  });

  it('handles infinities and zero divisors', () => {
    expect(remainder(5, Infinity)).toBe(5);
    expect(remainder(-5, Infinity)).toBe(Infinity);
    expect(remainder(Infinity, 5)).toBeNaN();
    expect(remainder(5, 0)).toBeNaN();
  });
});

describe('roundHalfEven', () => {
  it('takes halves to the even neighbour', () => {
    const halves = [0.5, 1.5, 2.5, 3.5, -0.5, -1.5, -2.5];
    expect(halves.map(roundHalfEven)).toEqual([0, 2, 2, 4, -0, -2, -2]);
  });

  it('rounds what lies beside a half, and keeps what has no fraction', () => {
    expect(roundHalfEven(0.49999999999999994)).toBe(0);
    expect(roundHalfEven(2.5000000000000004)).toBe(3);
    for (const x of [-0, 0, 2 ** 52 + 1, -(2 ** 60), Infinity, -Infinity, Number.NaN]) {
      expect(roundHalfEven(x)).toBe(x);
    }
  });
});

describe('sigmoid and softplus', () => {
  it('neither overflow nor lose small values', () => {
    expect(sigmoid(0)).toBe(0.5);
    expect(sigmoid(1000)).toBe(1);
    expect(sigmoid(-1000)).toBe(0);
    expect(relative(sigmoid(-700), Math.exp(-700))).toBeLessThan(1e-15);
    expect(softplus(1000)).toBe(1000);
    expect(softplus(Infinity)).toBe(Infinity);
    expect(softplus(-Infinity)).toBe(0);
    expect(relative(softplus(-50), Math.exp(-50))).toBeLessThan(1e-15);
    expect(relative(softplus(0), Math.LN2)).toBeLessThan(1e-15);
    expect(sigmoid(Number.NaN)).toBeNaN();
    expect(softplus(Number.NaN)).toBeNaN();
  });
});

describe('toInt32Saturating', () => {
  it('truncates, saturates, and takes NaN to 0', () => {
    const xs = [1.9, -1.9, 3e9, -3e9, Infinity, -Infinity, Number.NaN, 2147483646.5];
    expect(xs.map(toInt32Saturating)).toEqual([
      1, -1, 2147483647, -2147483648, 2147483647, -2147483648, 0, 2147483646,
    ]);
  });
});

describe('threefry2x32', () => {
  // Known-answer vectors of Random123 (kat_vectors, threefry 2x32 20).
  it.each([
    ['00000000 00000000', '00000000 00000000', '6b200159 99ba4efe'],
    ['ffffffff ffffffff', 'ffffffff ffffffff', '1cb996fc bb002be7'],
    ['13198a2e 03707344', '243f6a88 85a308d3', 'c4923a9c 483df7a0'],
  ])('key %s counter %s', (key, counter, want) => {
    const words = (s: string): number[] => s.split(' ').map((w) => Number.parseInt(w, 16) | 0);
    const [k0, k1] = words(key) as [number, number];
    const [c0, c1] = words(counter) as [number, number];
    const out = new Int32Array(3);
    threefry2x32(k0, k1, c0, c1, out, 1);
    expect(Array.from(out)).toEqual([0, ...words(want)]);
  });
});
