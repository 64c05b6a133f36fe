/** The gate of LORETTA §7.1 on the analytic toy, whose right answers are computed. */
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { TOY_TRIPLE } from '../src/data/toy';
import { logLikelihood } from '../src/infer/score';
import { ToyRun, toySettings } from '../src/experiment/toy-run';
import { compareArms, describeDirection } from './toy-arms';

beforeAll(() => {
  setBackend(cpu());
});

describe('the toy', () => {
  test('A and C meet through B only: LoReTTa links them, commutative modelling does not', async () => {
    const settings = { seed: 3, dim: 32, lr: 1e-2 };
    const { commutative, transitive } = await compareArms(TOY_TRIPLE, settings, 1000);
    const [before, after] = [commutative.backward, transitive.backward];
    const seen = `seed ${settings.seed}; ${describeDirection('commutative', before)}; ${describeDirection('LoReTTa', after)}`;
    const { unconditional } = after.optimum;
    expect(before.accuracy.value, seen).toBeLessThanOrEqual(0.2);
    expect(after.accuracy.value, seen).toBeGreaterThanOrEqual(0.45);
    expect(after.bits.value, seen).toBeLessThan(unconditional);
    expect(before.bits.value, seen).toBeGreaterThan(unconditional);
    // nothing beats Bayes' rule but by the luck of the sample: a lower value would be a leak
    for (const { backward, forward } of [commutative, transitive]) {
      for (const { excess } of [backward, forward]) expect(excess.high, seen).toBeGreaterThan(0);
    }
  }, 600_000);

  test('probabilities that the model gives to all sequences of a modality sum to one at most', async () => {
    const modalities = ['A', 'B', 'C'].map((name) => ({ name, length: 2, noise: 0.2 }));
    const run = new ToyRun(toySettings(modalities, { dim: 16, steps: 80, switchAt: 40, lr: 1e-2 }));
    await run.train();
    const all = Int32Array.from({ length: 64 * 2 }, (_, i) =>
      i % 2 === 0 ? i >> 4 : (i >> 1) % 8,
    );
    const ids = run.vocab.toJoint('A', all);
    for (const given of ['B', 'C']) {
      const condition = run.vocab.toJoint(given, new Int32Array(64 * 2).fill(3));
      const nats = await logLikelihood(
        run.model,
        run.vocab,
        [{ modality: given, ids: condition }],
        { modality: 'A', ids },
        64,
        { over: 'vocabulary' },
      );
      const total = nats.reduce((sum, x) => sum + Math.exp(x), 0);
      expect(total, given).toBeLessThan(1 + 1e-4);
      expect(total, given).toBeGreaterThan(0.8); // the rest is on ids of other modalities
    }
    run.dispose();
  });
});
