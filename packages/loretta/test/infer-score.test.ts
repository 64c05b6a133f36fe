/** Likelihoods by enumeration; ranking, consensus and zero-shot classes by hand. */
import { key, ValueError } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { type ChainStep, generateChain } from '../src/infer/chain';
import { likelihoods } from '../src/infer/conditional';
import { generateConsensus } from '../src/infer/consensus';
import { generateBest, rankCandidates } from '../src/infer/n-best';
import { logLikelihood } from '../src/infer/score';
import { zeroShot } from '../src/infer/zero-shot';
import type { Block } from '../src/sequence';
import { blocksOf, everyBlock, PAIR, pairModel, slowLogLikelihood, wide } from './infer-setup';
import { useCpu } from './objectives-setup';

beforeAll(useCpu);
const one = (modality: string, ids: Int32Array): Block => ({ modality, ids, generated: false });
const rowOf = (ids: Int32Array, length: number, row: number): Int32Array =>
  ids.slice(row * length, (row + 1) * length);

describe('logLikelihood', () => {
  it.each([
    ['X', []],
    ['X', ['Z']],
    ['X', ['Z', 'V']],
    ['X', ['V', 'Z']],
    ['V', []],
    ['V', ['X', 'Z']],
    ['Z', ['V']],
  ])('of all %s given %j is the slow one, and sums to 1', async (target, given) => {
    const model = pairModel();
    const ids = everyBlock(PAIR, target);
    const { length } = PAIR.modality(target);
    const k = ids.length / length;
    const condition = blocksOf(PAIR, given, 1, 3);
    const nats = await logLikelihood(
      model,
      PAIR,
      condition.map((x) => wide(x, k)),
      { modality: target, ids },
      k,
    );
    expect(nats.reduce((sum, x) => sum + Math.exp(x), 0)).toBeCloseTo(1, 5);
    nats.forEach((x, i) => {
      const slow = slowLogLikelihood(model, PAIR, condition, one(target, rowOf(ids, length, i)));
      expect(x).toBeCloseTo(slow, 4);
    });
    expect(Math.max(...nats) - Math.min(...nats)).toBeGreaterThan(0.3);
    model.dispose();
  });

  it('is less over the whole vocabulary', async () => {
    const model = pairModel();
    const ids = everyBlock(PAIR, 'X');
    const [own, all] = await Promise.all(
      (['modality', 'vocabulary'] as const).map((over) =>
        logLikelihood(model, PAIR, [], { modality: 'X', ids }, 8, { over }),
      ),
    );
    own!.forEach((x, i) => {
      expect(all![i]!).toBeLessThan(x);
    });
    model.dispose();
  });

  it('of several branches is a product', async () => {
    const model = pairModel();
    const given = blocksOf(PAIR, ['Z', 'V'], 8, 5);
    const target = one('X', everyBlock(PAIR, 'X'));
    const guidance = given.map((x) => ({ given: [x.modality], scale: 3 }));
    const found = await likelihoods(model, PAIR, given, target, 8, { guidance });
    const [z, v] = await Promise.all(given.map((x) => logLikelihood(model, PAIR, [x], target, 8)));
    found.conditional.forEach((x, i) => {
      expect(x).toBeCloseTo(z![i]! + v![i]! - found.prior[i]!, 6);
    });
    const joint = await likelihoods(model, PAIR, given, target, 8, { guidance: 3 });
    expect(Math.abs(joint.conditional[0]! - found.conditional[0]!)).toBeGreaterThan(1e-3);
    model.dispose();
  });
});

describe('n-best', () => {
  it('is in the order of log p(x|c) − λ log p(x), computed one by one', async () => {
    const model = pairModel();
    const ids = everyBlock(PAIR, 'X');
    const given = blocksOf(PAIR, ['Z'], 1, 2);
    const best = (lambda: number): number[][] => {
      const score = (x: Block): number =>
        slowLogLikelihood(model, PAIR, given, x) - lambda * slowLogLikelihood(model, PAIR, [], x);
      return Array.from({ length: 8 }, (_, i) => rowOf(ids, 3, i))
        .sort((x, y) => score(one('X', y)) - score(one('X', x)))
        .map((x) => [...x]);
    };
    const orders = [0, 0.5, 1].map(best);
    expect(orders[0]).not.toEqual(orders[2]); // the prior matters
    for (const [i, lambda] of [0, 0.5, 1].entries()) {
      const ranked = await rankCandidates(
        model,
        PAIR,
        given,
        { modality: 'X', ids },
        { n: 8, lambda },
      );
      expect(Array.from({ length: 8 }, (_, j) => [...rowOf(ranked.ids, 3, j)])).toEqual(orders[i]);
      expect([...ranked.score]).toEqual([...ranked.score].sort((x, y) => y - x));
    }
    model.dispose();
  });

  it('keeps candidates with their own row', async () => {
    const model = pairModel();
    const given = blocksOf(PAIR, ['V', 'Z'], 3, 2);
    const ranked = await generateBest(model, PAIR, given, 'X', { n: 4, key: key(3), guidance: 2 });
    for (let i = 0; i < 12; i++) {
      const row = Math.floor(i / 4);
      const own = given.map((x) =>
        one(x.modality, rowOf(x.ids, PAIR.modality(x.modality).length, row)),
      );
      const x = one('X', rowOf(ranked.ids, 3, i));
      expect(ranked.conditional[i]).toBeCloseTo(slowLogLikelihood(model, PAIR, own, x), 4);
      expect(ranked.prior[i]).toBeCloseTo(slowLogLikelihood(model, PAIR, [], x), 4);
    }
    model.dispose();
  });

  it.each([
    [{ n: 0 }, 'positive integer'],
    [{ n: 1.5 }, 'positive integer'],
    [{ n: 2, lambda: Number.NaN }, 'lambda'],
  ])('refuses %j', async (options, message) => {
    const model = pairModel();
    const run = generateBest(model, PAIR, [], 'X', { key: key(1), rows: 2, ...options });
    await expect(run).rejects.toThrow(message);
    model.dispose();
  });
});

describe('consensus', () => {
  const steps: readonly ChainStep[] = [
    { target: 'Z', from: ['V'] },
    { target: 'X', from: ['Z'] },
  ];
  const [rows, k] = [3, 4];

  it('takes the candidate of the highest likelihood, averaged over what its chains sampled', async () => {
    const model = pairModel();
    const given = blocksOf(PAIR, ['V'], rows, 6);
    for (const lambda of [0, 1]) {
      const found = await generateConsensus(model, PAIR, given, steps, {
        chains: k,
        key: key(4),
        lambda,
      });
      const repeated = Int32Array.from({ length: rows * k * 2 }, (_, i) => {
        const row = Math.floor(i / 2 / k);
        return given[0]!.ids[row * 2 + (i % 2)]!;
      });
      const [z, x] = await generateChain(model, PAIR, [one('V', repeated)], steps, { key: key(4) });
      for (let row = 0; row < rows; row++) {
        const candidates = Array.from({ length: k }, (_, j) => rowOf(x!.ids, 3, row * k + j));
        const average = candidates.map((ids) => {
          const ps = Array.from({ length: k }, (_, i) =>
            Math.exp(
              slowLogLikelihood(
                model,
                PAIR,
                [one('Z', rowOf(z!.ids, 1, row * k + i))],
                one('X', ids),
              ),
            ),
          );
          return Math.log(ps.reduce((a, b) => a + b, 0) / k);
        });
        const score = average.map(
          (a, j) => a - lambda * slowLogLikelihood(model, PAIR, [], one('X', candidates[j]!)),
        );
        const top = score.indexOf(Math.max(...score));
        expect(found.score[row]).toBeCloseTo(score[top]!, 4);
        expect(found.conditional[row]).toBeCloseTo(average[top]!, 4);
        expect(rowOf(found.ids, 3, row)).toEqual(candidates[top]);
      }
    }
    model.dispose();
  });

  it('lets the class of most chains decide first', async () => {
    const model = pairModel();
    const given = blocksOf(PAIR, ['V'], rows, 6);
    const [first] = PAIR.content('X');
    const classOf = (ids: Int32Array): number => ids[0]! - first;
    let seen: number[] = [];
    const found = await generateConsensus(model, PAIR, given, steps, {
      chains: 5,
      key: key(8),
      vote: async (modality, ids) => {
        expect(modality).toBe('X');
        seen = Array.from({ length: ids.length / 3 }, (_, i) => classOf(rowOf(ids, 3, i)));
        return seen;
      },
    });
    for (let row = 0; row < rows; row++) {
      const own = seen.slice(row * 5, (row + 1) * 5);
      const most = own.filter((c) => c === 1).length > 2 ? 1 : 0;
      expect(classOf(rowOf(found.ids, 3, row))).toBe(most);
      expect(found.votes![row]).toBe(own.filter((c) => c === most).length / 5);
    }
    expect(new Set(seen).size).toBe(2);
    model.dispose();
  });
});

describe('zeroShot', () => {
  it('takes the candidate of the highest pointwise mutual information, and its classes mean theirs', async () => {
    const model = pairModel();
    const given = blocksOf(PAIR, ['X', 'V'], 4, 8);
    const candidates = one('Z', everyBlock(PAIR, 'Z'));
    const found = await zeroShot(model, PAIR, given, candidates);
    const joined = await zeroShot(model, PAIR, given, candidates, { classes: [0, 1, 1] });
    for (let row = 0; row < 4; row++) {
      const own = given.map((x) =>
        one(x.modality, rowOf(x.ids, PAIR.modality(x.modality).length, row)),
      );
      const score = [0, 1, 2].map((j) => {
        const y = one('Z', rowOf(candidates.ids, 1, j));
        return slowLogLikelihood(model, PAIR, own, y) - slowLogLikelihood(model, PAIR, [], y);
      });
      expect(found.classes[row]).toBe(score.indexOf(Math.max(...score)));
      const total = score.reduce((sum, s) => sum + Math.exp(s), 0);
      score.forEach((s, j) => {
        expect(found.scores[row * 3 + j]).toBeCloseTo(s, 4);
        expect(found.probabilities[row * 3 + j]).toBeCloseTo(Math.exp(s) / total, 4);
      });
      const mean = Math.log((Math.exp(score[1]!) + Math.exp(score[2]!)) / 2);
      expect(joined.scores[row * 2 + 1]).toBeCloseTo(mean, 4);
    }
    expect(joined.count).toBe(2);
    model.dispose();
  });

  it.each([
    ['a class without a candidate', ['X'], { classes: [0, 2, 2] }, 'class 1 has no candidate'],
    ['too few classes', ['X'], { classes: [0] }, '1 values for 3'],
    ['nothing given', [], {}, 'nothing is given'],
  ])('refuses %s', async (_, names, options, message) => {
    const model = pairModel();
    const run = (): Promise<unknown> =>
      zeroShot(model, PAIR, blocksOf(PAIR, names, 2, 1), one('Z', everyBlock(PAIR, 'Z')), options);
    await expect(run()).rejects.toThrow(ValueError);
    await expect(run()).rejects.toThrow(message);
    model.dispose();
  });
});
