/** Survival: Harrell's C against its definition, and a Cox head that finds the risk that it was simulated from. */
import { cpu } from '@loretta-ts/backend-cpu';
import { hostRandom, setBackend, ValueError } from '@loretta-ts/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { concordance, concordanceEstimate, fitCox, simulateCohort } from '../src/compare/survival';

beforeAll(() => setBackend(cpu({ threads: 1 })));

const patients = fc.array(
  fc.record({
    time: fc.integer({ min: 1, max: 9 }),
    event: fc.boolean(),
    risk: fc.integer({ min: -3, max: 3 }),
  }),
  { minLength: 2, maxLength: 12 },
);

describe('concordance', () => {
  it('of risks and of their negatives add up to 1, whatever is censored', () => {
    fc.assert(
      fc.property(patients, (rows) => {
        const cohort = {
          times: Float64Array.from(rows, (r) => r.time),
          events: Uint8Array.from(rows, (r) => (r.event ? 1 : 0)),
        };
        const risks = rows.map((r) => r.risk);
        const c = concordance(cohort, risks);
        fc.pre(!Number.isNaN(c));
        expect(
          c +
            concordance(
              cohort,
              risks.map((r) => -r),
            ),
        ).toBeCloseTo(1, 12);
        expect(
          concordance(
            cohort,
            risks.map(() => 0),
          ),
        ).toBe(0.5);
        // only the order of risks matters
        expect(
          concordance(
            cohort,
            risks.map((r) => Math.exp(r)),
          ),
        ).toBe(c);
      }),
      { seed: 1, numRuns: 300 },
    );
  });

  it('counts only pairs whose order is known', () => {
    const times = Float64Array.of(1, 2, 3);
    expect(concordance({ times, events: Uint8Array.of(1, 1, 1) }, [3, 2, 1])).toBe(1);
    expect(concordance({ times, events: Uint8Array.of(0, 1, 0) }, [9, 1, 2])).toBe(0);
    expect(concordance({ times, events: Uint8Array.of(0, 0, 0) }, [3, 2, 1])).toBeNaN();
  });

  it('has an interval around it that shrinks with the patients, and covers the truth of many', () => {
    const width = (n: number): number => {
      const random = hostRandom(n);
      const risks = Float64Array.from({ length: n }, () => 3 * random.uniform());
      const cohort = simulateCohort(risks, { seed: n + 1 });
      const { value, low, high } = concordanceEstimate(cohort, risks, 7);
      expect(value).toBe(concordance(cohort, risks));
      expect(low).toBeLessThan(value);
      expect(high).toBeGreaterThan(value);
      const many = Float64Array.from({ length: 2000 }, () => 3 * random.uniform());
      const truth = concordance(simulateCohort(many, { seed: n + 2 }), many);
      expect(truth).toBeGreaterThan(low);
      expect(truth).toBeLessThan(high);
      return high - low;
    };
    expect(width(40)).toBeGreaterThan(1.7 * width(400));
  });
});

describe('fitCox', () => {
  const random = hostRandom(5);
  const [n, dim] = [200, 4];
  const x = Float32Array.from({ length: n * dim }, () => random.uniform() * 2 - 1);
  const truth = [2, -1, 0, 0];
  const risks = Float64Array.from({ length: n }, (_, i) =>
    truth.reduce((sum, w, d) => sum + w * x[i * dim + d]!, 0),
  );

  it('recovers the weights of a simulated cohort, and nearly its concordance', async () => {
    const cohort = simulateCohort(risks, { seed: 3 });
    const censored = cohort.events.filter((e) => e === 0).length / n;
    expect(Math.abs(censored - 0.3)).toBeLessThan(0.12);
    const head = await fitCox(x, dim, cohort, { penalty: 0.001, steps: 400 });
    truth.forEach((w, d) => {
      expect(Math.abs(head.weights[d]! - w)).toBeLessThan(0.45);
    });
    const found = concordance(cohort, head.risks(x));
    expect(Math.abs(found - concordance(cohort, risks))).toBeLessThan(0.03);
  });

  it('minimises the partial likelihood: nearby weights are worse, ties of time included', async () => {
    const raw = simulateCohort(risks, { seed: 4 });
    const cohort = { ...raw, times: raw.times.map((t) => Math.ceil(t)) };
    const penalty = 0.05;
    const { weights } = await fitCox(x, dim, cohort, { penalty, steps: 600 });
    const seen = cohort.events.reduce((a, b) => a + b, 0);
    const loss = (w: readonly number[]): number => {
      const eta = Array.from({ length: n }, (_, i) =>
        w.reduce((sum, v, d) => sum + v * x[i * dim + d]!, 0),
      );
      let total = 0;
      for (let i = 0; i < n; i++) {
        if (cohort.events[i] !== 1) continue;
        let risk = 0;
        for (let j = 0; j < n; j++)
          if (cohort.times[j]! >= cohort.times[i]!) risk += Math.exp(eta[j]!);
        total += (Math.log(risk) - eta[i]!) / seen;
      }
      return total + penalty * w.reduce((s, v) => s + v * v, 0);
    };
    const best = loss([...weights]);
    for (let d = 0; d < dim; d++) {
      for (const by of [-0.05, 0.05]) {
        expect(loss([...weights].map((v, i) => (i === d ? v + by : v)))).toBeGreaterThan(
          best - 1e-5,
        );
      }
    }
  });

  it('refuses sizes that differ and a cohort without events', async () => {
    const cohort = { times: Float64Array.of(1, 2), events: Uint8Array.of(0, 0) };
    await expect(fitCox(new Float32Array(3), 2, cohort)).rejects.toThrow(ValueError);
    await expect(fitCox(new Float32Array(4), 2, cohort)).rejects.toThrow('no event');
  });
});
