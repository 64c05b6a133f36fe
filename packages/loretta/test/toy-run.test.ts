/** The analytic toy, whose right answers are computed: the gate of LORETTA §7.1, and a chain of four modalities. */
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { beforeAll, describe, expect, test } from 'vitest';
import { TOY_CHAIN, TOY_TRIPLE, type ToyModality } from '../src/data/toy';
import { logLikelihood } from '../src/evaluate/score';
import {
  type ToyDirection,
  type ToyEvaluation,
  ToyRun,
  toySettings,
} from '../src/experiment/toy-run';

/** Both arms from one warm-up, scored alike. */
async function compare(
  modalities: readonly ToyModality[],
  changes: Parameters<typeof toySettings>[1],
  n: number,
): Promise<{ commutative: ToyEvaluation; transitive: ToyEvaluation }> {
  const commutative = new ToyRun(toySettings(modalities, { ...changes, arm: 'commutative' }));
  const transitive = new ToyRun(toySettings(modalities, { ...changes, arm: 'transitive' }));
  await commutative.train(transitive.settings.switchAt);
  transitive.restore(await commutative.save());
  await commutative.train();
  await transitive.train();
  const found = {
    commutative: await commutative.evaluate(n),
    transitive: await transitive.evaluate(n),
  };
  commutative.dispose();
  transitive.dispose();
  return found;
}

/** No model beats Bayes' rule but by the luck of the sample: a lower value would be a leak. */
function expectNoLeak({ backward, forward }: ToyEvaluation): void {
  for (const { excess } of [backward, forward]) expect(excess.high).toBeGreaterThan(0);
}

const report = (name: string, d: ToyDirection): string =>
  `${name} ${d.to}|${d.from}: ${d.bits.value.toFixed(3)} bits, class accuracy ${d.accuracy.value.toFixed(3)}, chain ${d.chain.value.toFixed(3)}`;

beforeAll(() => {
  setBackend(cpu());
});

describe('the toy', () => {
  test('A and C meet through B only: LoReTTa links them, commutative modelling does not', async () => {
    const settings = { seed: 0, dim: 32, lr: 1e-2 };
    const { commutative, transitive } = await compare(TOY_TRIPLE, settings, 1000);
    const [before, after] = [commutative.backward, transitive.backward];
    const seen = `seed ${settings.seed}; ${report('commutative', before)}; ${report('LoReTTa', after)}`;
    const { unconditional } = after.optimum;
    expect(before.accuracy.value, seen).toBeLessThanOrEqual(0.2);
    expect(after.accuracy.value, seen).toBeGreaterThanOrEqual(0.45);
    expect(after.bits.value, seen).toBeLessThan(unconditional);
    expect(before.bits.value, seen).toBeGreaterThan(unconditional);
    expectNoLeak(commutative);
    expectNoLeak(transitive);
  }, 600_000);

  test('a chain A–B–C–D: the ends, two links apart, are linked too', async () => {
    const settings = { seed: 0, dim: 32, lr: 1e-2, steps: 1300, switchAt: 450 };
    const { commutative, transitive } = await compare(TOY_CHAIN, settings, 500);
    for (const direction of ['backward', 'forward'] as const) {
      const [before, after] = [commutative[direction], transitive[direction]];
      const seen = `seed ${settings.seed}; ${report('commutative', before)}; ${report('transitive', after)}`;
      expect(after.accuracy.value - before.accuracy.value, seen).toBeGreaterThan(0.1);
      expect(before.bits.value - after.bits.value, seen).toBeGreaterThan(0.2);
    }
    expectNoLeak(commutative);
    expectNoLeak(transitive);
  }, 600_000);

  test('probabilities that the model gives to all sequences of a modality sum to one at most', async () => {
    const modalities = ['A', 'B', 'C'].map((name) => ({ name, length: 2, noise: 0.2 }));
    const run = new ToyRun(toySettings(modalities, { dim: 16, steps: 80, switchAt: 40, lr: 1e-2 }));
    await run.train();
    const all = Int32Array.from({ length: 2 * 64 }, (_, i) =>
      i % 2 === 0 ? i >> 4 : (i >> 1) % 8,
    );
    const ids = run.vocab.toJoint('A', all);
    for (const given of ['B', 'C']) {
      const condition = run.vocab.toJoint(given, new Int32Array(2 * 64).fill(3));
      const nats = await logLikelihood(
        run.model,
        run.vocab,
        [{ modality: given, ids: condition }],
        { modality: 'A', ids },
        64,
      );
      const total = nats.reduce((sum, x) => sum + Math.exp(x), 0);
      expect(total, given).toBeLessThan(1 + 1e-4);
      expect(total, given).toBeGreaterThan(0.8);
    }
    run.dispose();
  });
});
