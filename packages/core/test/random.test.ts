/** Keys and what is drawn from them. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  bernoulli,
  capture,
  categorical,
  gumbel,
  hostRandom,
  Key,
  key,
  normal,
  permutation,
  randomBits,
  setBackend,
  splitTensor,
  tensor,
  truncatedNormal,
  uniform,
  ValueError,
} from '../src';
import { threefry2x32 } from '../src/threefry';

beforeEach(() => setBackend(cpu()));

const hex = (words: Iterable<number>): string[] =>
  [...words].map((w) => (w >>> 0).toString(16).padStart(8, '0'));

/** Largest distance between the distribution of the values and F. */
function ksDistance(values: ArrayLike<number>, F: (x: number) => number): number {
  const sorted = Float64Array.from(values).sort();
  const n = sorted.length;
  return sorted.reduce(
    (worst, x, i) => Math.max(worst, Math.abs(F(x) - i / n), Math.abs(F(x) - (i + 1) / n)),
    0,
  );
}

/** Kolmogorov's bound for a false alarm of about 1e-6. */
const ksBound = (n: number): number => Math.sqrt(-Math.log(1e-6 / 2) / (2 * n));

/** Normal distribution function, by Simpson's rule from the mean. */
function phi(z: number): number {
  const n = 200;
  const h = z / n;
  let s = 0;
  for (let i = 0; i < n; i++) {
    const f = (x: number): number => Math.exp((-x * x) / 2);
    s += (f(i * h) + 4 * f((i + 0.5) * h) + f((i + 1) * h)) / 6;
  }
  return 0.5 + (s * h) / Math.sqrt(2 * Math.PI);
}

const moments = (values: ArrayLike<number>): { mean: number; std: number } => {
  const list = Array.from(values);
  const mean = list.reduce((a, b) => a + b, 0) / list.length;
  return {
    mean,
    std: Math.sqrt(list.reduce((a, x) => a + (x - mean) ** 2, 0) / list.length),
  };
};

describe('Threefry-2x32, 20 rounds', () => {
  // Random123 1.14, tests/kat_vectors, lines "threefry2x32 20": counter, key, result
  it.each([
    [
      [0, 0],
      [0, 0],
      ['6b200159', '99ba4efe'],
    ],
    [
      [0xffffffff, 0xffffffff],
      [0xffffffff, 0xffffffff],
      ['1cb996fc', 'bb002be7'],
    ],
    [
      [0x243f6a88, 0x85a308d3],
      [0x13198a2e, 0x03707344],
      ['c4923a9c', '483df7a0'],
    ],
  ])('counter %j, key %j', ([c0, c1], [k0, k1], want) => {
    expect(hex(threefry2x32(k0!, k1!, c0!, c1!))).toEqual(want);
  });

  it.each([
    ['cpu', cpu],
    ['reference', referenceBackend],
  ] as const)('is what the %s kernel draws', (_, make) => {
    setBackend(make());
    const words = randomBits(key(0), [5]).dataSync();
    expect(hex(words).slice(0, 2)).toEqual(['6b200159', '99ba4efe']);
    expect(hex(words).slice(2, 4)).toEqual(hex(threefry2x32(0, 0, 1, 0)));
    expect(hex(words)[4]).toBe(hex(threefry2x32(0, 0, 2, 0))[0]);
  });
});

describe('keys', () => {
  it('derive distinct keys by split and fold', () => {
    const root = key(7);
    const derived = [root, ...root.split(64), ...root.fold(3).split(64), ...key(8).split(64)].map(
      (k) => k.words.join(),
    );
    expect(new Set(derived).size).toBe(derived.length);
  });

  it('split is fold of 0, 1, …, so that a longer split begins like a shorter one', () => {
    const root = key(1);
    expect(root.split(2)).toEqual([root.fold(0), root.fold(1)]);
    expect(root.split(4).slice(0, 2)).toEqual(root.split(2));
  });

  it('derived words are not the values drawn', () => {
    const root = key(1);
    const drawn = hex(randomBits(root, [64]).dataSync());
    for (const k of root.split(32)) for (const w of hex(k.words)) expect(drawn).not.toContain(w);
  });

  it('as tensors derive the same', () => {
    const root = key(99);
    const host = root.split(5).map((k) => hex(k.words));
    expect(splitTensor(root.tensor(), 5).map((t) => hex(t.dataSync()))).toEqual(host);
  });

  it('hold 53 bits of a seed', () => {
    expect(key(2 ** 32 + 5).words).toEqual([1, 5]);
    expect(key(5).words).toEqual([0, 5]);
  });

  it('refuse seeds and indices that are none', () => {
    for (const seed of [-1, 0.5, NaN, 2 ** 53]) expect(() => key(seed)).toThrow(ValueError);
    for (const i of [-1, 0.5, 2 ** 32]) expect(() => key(0).fold(i)).toThrow(ValueError);
  });

  it('give the same values again, and others for another key', () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 20 }), (seed, n) => {
        const draw = (s: number): string => uniform(key(s), [n]).dataSync().join();
        expect(draw(seed)).toBe(draw(seed));
        expect(draw(seed)).not.toBe(draw(seed + 1));
      }),
      { seed: 1, numRuns: 30 },
    );
  });

  it('give the same values in a captured function', () => {
    using drawn = capture((k) => [normal(k, [3, 4]), uniform(k, [5])]);
    for (const seed of [1, 2]) {
      const [a, b] = drawn.call(key(seed).tensor());
      expect([...a!.dataSync()]).toEqual([...normal(key(seed), [3, 4]).dataSync()]);
      expect([...b!.dataSync()]).toEqual([...uniform(key(seed), [5]).dataSync()]);
    }
  });
});

describe('distributions', () => {
  const n = 20_000;

  it('uniform', () => {
    const u = uniform(key(1), [n]).dataSync();
    expect(Math.min(...u)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...u)).toBeLessThan(1);
    expect(ksDistance(u, (x) => x)).toBeLessThan(ksBound(n));
    const wide = uniform(key(2), [n], { low: -3, high: 5 }).dataSync();
    expect(ksDistance(wide, (x) => (x + 3) / 8)).toBeLessThan(ksBound(n));
    expect(moments(wide).std).toBeCloseTo(8 / Math.sqrt(12), 1);
  });

  it('normal', () => {
    const z = normal(key(3), [100, n / 100], { mean: 2, std: 0.5 }).dataSync();
    expect(moments(z).mean).toBeCloseTo(2, 1);
    expect(moments(z).std).toBeCloseTo(0.5, 1);
    expect(ksDistance(z, (x) => phi((x - 2) / 0.5))).toBeLessThan(ksBound(n));
    expect(z.every(Number.isFinite)).toBe(true);
  });

  it('truncatedNormal', () => {
    const m = 5000;
    const z = truncatedNormal(key(4), [m], { mean: 1, std: 2, low: 0, high: 4 }).dataSync();
    expect(Math.min(...z)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...z)).toBeLessThanOrEqual(4);
    const [a, b] = [phi(-0.5), phi(1.5)];
    expect(ksDistance(z, (x) => (phi((x - 1) / 2) - a) / (b - a))).toBeLessThan(ksBound(m));
  });

  it('gumbel', () => {
    const g = gumbel(key(5), [n]).dataSync();
    expect(ksDistance(g, (x) => Math.exp(-Math.exp(-x)))).toBeLessThan(ksBound(n));
  });

  it('bernoulli', () => {
    const share = moments(bernoulli(key(6), 0.3, [n]).dataSync()).mean;
    expect(Math.abs(share - 0.3)).toBeLessThan(5 * Math.sqrt(0.21 / n));
    expect(new Set(bernoulli(key(7), 0, [100]).dataSync())).toEqual(new Set([0]));
    expect(new Set(bernoulli(key(7), 1, [100]).dataSync())).toEqual(new Set([1]));
  });

  it('categorical', () => {
    const p = [0.5, 0.3, 0.2, 0];
    const logits = tensor(p.map(Math.log)).broadcastTo([n, 4]);
    const drawn = categorical(key(8), logits).dataSync();
    p.forEach((want, i) => {
      const share = drawn.filter((d) => d === i).length / n;
      expect(Math.abs(share - want)).toBeLessThan(5 * Math.sqrt((want * (1 - want)) / n) + 1e-12);
    });
  });

  it('permutation', () => {
    const order = permutation(key(9), 1000).dataSync();
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    const fixed = order.filter((x, i) => x === i).length;
    expect(fixed).toBeLessThan(10);
  });

  it('are the same on every backend', () => {
    const draw = (): number[] => [...uniform(key(1), [50]).dataSync()];
    const mine = draw();
    setBackend(referenceBackend());
    expect(draw()).toEqual(mine);
  });

  it('refuse parameters that are none', () => {
    expect(() => uniform(key(1), [2], { low: 1, high: 0 })).toThrow(ValueError);
    expect(() => normal(key(1), [2], { std: -1 })).toThrow(ValueError);
    expect(() => normal(key(1), [2], { std: NaN })).toThrow(ValueError);
    for (const low of [NaN, -Infinity, 1.5]) {
      expect(() => uniform(key(1), [2], { low })).toThrow(
        new ValueError('uniform', `low ${low} is not a finite number from -Infinity to 1`),
      );
    }
    for (const high of [NaN, Infinity]) {
      expect(() => uniform(key(1), [2], { high })).toThrow(ValueError);
      expect(() => normal(key(1), [2], { std: high })).toThrow(ValueError);
      expect(() => normal(key(1), [2], { mean: high })).toThrow(ValueError);
      const bounds = { low: 0, high: 1 };
      expect(() => truncatedNormal(key(1), [2], { ...bounds, mean: high })).toThrow(ValueError);
      expect(() => truncatedNormal(key(1), [2], { ...bounds, std: high })).toThrow(ValueError);
    }
    expect(() => truncatedNormal(key(1), [2], { low: 1, high: 1 })).toThrow(ValueError);
    expect(() => bernoulli(key(1), NaN, [2])).toThrow(ValueError);
    expect(() => bernoulli(key(1), 1.5, [2])).toThrow(ValueError);
  });
});

describe('hostRandom', () => {
  it('resumes from its counter', () => {
    const a = hostRandom(5);
    const head = [a.uniform(), a.uniform()];
    const rest = [a.uniform(), a.int(10), a.uniform()];
    const b = hostRandom(5, 2);
    expect([b.uniform(), b.int(10), b.uniform()]).toEqual(rest);
    expect(b.counter).toBe(5);
    expect(hostRandom(6).uniform()).not.toBe(head[0]);
  });

  it('is uniform, also over integers', () => {
    const r = hostRandom(1);
    const u = Array.from({ length: 5000 }, () => r.uniform());
    expect(ksDistance(u, (x) => x)).toBeLessThan(ksBound(5000));
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 7000; i++) counts[r.int(7)]!++;
    for (const c of counts) expect(Math.abs(c - 1000)).toBeLessThan(5 * Math.sqrt(1000));
    expect(() => r.int(0)).toThrow(ValueError);
  });

  it('shares no word with a key of the same seed', () => {
    const r = hostRandom(3);
    const host = Array.from({ length: 50 }, () => hex([r.uniform() * 2 ** 32])[0]);
    const drawn = hex(randomBits(key(3), [200]).dataSync());
    for (const w of host) expect(drawn).not.toContain(w);
    expect(new Key([1, 2]).words).toEqual([1, 2]);
  });
});
