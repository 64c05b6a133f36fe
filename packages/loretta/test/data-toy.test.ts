import { hostRandom } from '@loretta-ts/core';
import { describe, expect, test } from 'vitest';
import { unseenPairs } from '../src/data/align';
import { DataError } from '../src/data/errors';
import { assertNeverPaired } from '../src/data/neverPaired';
import { TOY_CHAIN, Toy, toyOptimum } from '../src/data/toy';
import { ToySampler, toyData } from '../src/data/toyData';

const tiny = new Toy({
  seed: 1,
  classes: 3,
  alphabet: 2,
  modalities: [
    { name: 'A', length: 5, noise: 0.3 },
    { name: 'B', length: 4, noise: 0.1 },
  ],
});

/** All sequences over two tokens. */
const sequences = (length: number): Int32Array[] =>
  Array.from({ length: 2 ** length }, (_, code) =>
    Int32Array.from({ length }, (_unused, t) => (code >> t) & 1),
  );

const mean = (values: readonly number[]): number =>
  values.reduce((a, b) => a + b, 0) / values.length;

describe('Toy', () => {
  test('probabilities of all sequences sum to one, with and without a condition', () => {
    for (const prior of [
      [1 / 3, 1 / 3, 1 / 3],
      [0.9, 0.1, 0],
    ]) {
      const total = sequences(5).reduce((sum, x) => sum + 2 ** (-5 * tiny.bits('A', x, prior)), 0);
      expect(total).toBeCloseTo(1, 10);
    }
  });

  test('the posterior is Bayes’ rule', () => {
    for (const x of sequences(4)) {
      const likelihood = tiny.logLikelihoods('B', x).map(Math.exp);
      const total = likelihood.reduce((a, b) => a + b, 0);
      tiny.posterior('B', x).forEach((p, z) => {
        expect(p).toBeCloseTo(likelihood[z]! / total, 10);
      });
    }
  });

  test('class confusion of a link: columns sum to one, and sampling agrees with enumeration', () => {
    const exact = tiny.confusion('B');
    for (let to = 0; to < 3; to++) {
      expect(exact[to]! + exact[3 + to]! + exact[6 + to]!).toBeCloseTo(1, 10);
    }
    const one = { classes: 4, alphabet: 8, seed: 1 };
    const enumerated = new Toy({ ...one, modalities: [{ name: 'E', length: 6, noise: 0.8 }] });
    const sampled = new Toy({ ...one, modalities: [{ name: 'E', length: 7, noise: 0.8 }] });
    for (const toy of [enumerated, sampled]) {
      // An estimate of its own, from other samples than those of the toy.
      const random = hostRandom(77);
      const matrix = toy.confusion('E');
      const { length } = toy.modality('E');
      const labels = new Int32Array(4000).fill(2);
      const x = toy.sample('E', labels, random);
      const posteriors = Array.from(labels, (_, n) =>
        toy.posterior('E', x.subarray(n * length, (n + 1) * length)),
      );
      for (let z = 0; z < 4; z++) {
        expect(matrix[z * 4 + 2]).toBeCloseTo(mean(posteriors.map((p) => p[z]!)), 1);
      }
    }
  });

  test('a sample has the noise that was asked for', () => {
    const toy = new Toy({ seed: 2 });
    const labels = Int32Array.from({ length: 3000 }, (_, i) => i % 10);
    const ids = toy.sample('A', labels, hostRandom(3));
    const prototypes = toy.prototypes('A');
    const hits = ids.reduce(
      (sum, id, i) =>
        sum + (id === prototypes[labels[Math.floor(i / 12)]! * 12 + (i % 12)] ? 1 : 0),
      0,
    );
    expect(hits / ids.length).toBeCloseTo(1 - 0.35 * (7 / 8), 2);
  });

  test('reproduces the exact values of the specification, averaged over prototypes', () => {
    const labels = Int32Array.from({ length: 1000 }, (_, i) => i % 10);
    const runs = [0, 1, 2, 3, 4, 5].map((seed) => {
      const toy = new Toy({ seed });
      const random = hostRandom(100 + seed);
      const a = toy.sample('A', labels, random);
      const c = toy.sample('C', labels, random);
      return toyOptimum(toy, ['C', 'B', 'A'], c, a, labels);
    });
    for (const run of runs) {
      expect(run.bayes).toBeLessThan(run.link);
      expect(run.link).toBeLessThan(run.unconditional);
    }
    // LORETTA §7.1: 1.754, 1.765, 2.014 bits, 0.948 and 0.990, for one draw of prototypes.
    expect(mean(runs.map((r) => r.bayes))).toBeCloseTo(1.76, 1);
    expect(mean(runs.map((r) => r.link - r.bayes))).toBeLessThan(0.04);
    expect(mean(runs.map((r) => r.unconditional))).toBeCloseTo(2.02, 1);
    expect(Math.abs(mean(runs.map((r) => r.givenAccuracy)) - 0.948)).toBeLessThan(0.03);
    expect(Math.abs(mean(runs.map((r) => r.targetAccuracy)) - 0.99)).toBeLessThan(0.02);
  });

  test('a noisy link costs bits, two links cost more than one', () => {
    const labels = Int32Array.from({ length: 600 }, (_, i) => i % 10);
    const noisy = TOY_CHAIN.map((m) => (m.length === 4 ? { ...m, noise: 0.5 } : m));
    const toy = new Toy({ seed: 0, modalities: noisy });
    const random = hostRandom(9);
    const a = toy.sample('A', labels, random);
    const d = toy.sample('D', labels, random);
    const one = toyOptimum(toy, ['D', 'C', 'A'], d, a, labels);
    const two = toyOptimum(toy, ['D', 'C', 'B', 'A'], d, a, labels);
    expect(two.bayes).toBe(one.bayes);
    expect(one.link).toBeGreaterThan(one.bayes + 0.02);
    expect(two.link).toBeGreaterThan(one.link + 0.01);
    expect(two.link).toBeLessThan(two.unconditional);
  });

  test('refuses sizes out of range and unknown names', () => {
    expect(() => new Toy({ seed: 0, classes: 0 })).toThrow(DataError);
    expect(() => new Toy({ seed: 0, modalities: [{ name: 'A', length: 1, noise: 2 }] })).toThrow(
      DataError,
    );
    expect(() => tiny.sample('Z', [0], hostRandom(0))).toThrow(DataError);
    expect(() => tiny.logLikelihoods('A', [0])).toThrow(DataError);
    const empty = new Int32Array(0);
    expect(() => toyOptimum(tiny, ['A'], empty, empty, [])).toThrow(DataError);
  });
});

describe('toy data', () => {
  test('the endless sampler is a function of seed and step', () => {
    const toy = new Toy({ seed: 0 });
    const make = (seed: number) => new ToySampler(toy, ['A', 'B'], { batch: 8, seed });
    const straight = make(1);
    const first = straight.next();
    const second = straight.next();
    const resumed = make(1);
    resumed.resume(1);
    expect(resumed.next()).toEqual(second);
    expect(second.ids).not.toEqual(first.ids);
    expect(make(2).next().ids).not.toEqual(first.ids);
    expect(first.ids.map((ids) => ids.length)).toEqual([8 * 12, 8 * 4]);
  });

  test('finite data of a chain of four align neighbours and never the others', () => {
    const toy = new Toy({ seed: 0, modalities: TOY_CHAIN });
    const data = toyData(toy, { seed: 1, trainPerClass: 6, testPerClass: 4 });
    expect(data.pairs.map((p) => p.modalities.join(''))).toEqual(['AB', 'BC', 'CD']);
    expect(unseenPairs(data).map((p) => p.join(''))).toEqual(['AC', 'AD', 'BD']);
    for (const [x, y] of unseenPairs(data)) assertNeverPaired(data, x, y);
    expect(data.test.size).toBe(40);
    expect(data.modalities['D']!.train.ids.length).toBe(60 * 8);
  });
});
