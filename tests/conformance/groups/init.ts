/** Initialisers: moments, bounds and the Kolmogorov–Smirnov distance of what they draw. */
import { key, scope, type Tensor } from '@loretta-ts/core';
import * as nn from '@loretta-ts/nn';
import { Call } from '../call';
import type { Case, Group } from '../format';
import type { Verdict } from '../verdict';

const SEED = 20240521;

const INITIALISERS: Readonly<Record<string, (c: Call) => Tensor>> = {
  xavier_uniform: (c) => nn.xavierUniform(key(SEED), c.nums('shape'), gain(c)),
  xavier_normal: (c) => nn.xavierNormal(key(SEED), c.nums('shape'), gain(c)),
  kaiming_uniform: (c) => nn.kaimingUniform(key(SEED), c.nums('shape'), kaiming(c)),
  kaiming_normal: (c) => nn.kaimingNormal(key(SEED), c.nums('shape'), kaiming(c)),
  normal: (c) =>
    nn.normalInit(key(SEED), c.nums('shape'), {
      mean: c.num('mean', 0),
      std: c.num('std', 1),
      dtype: c.dtype,
    }),
  trunc_normal: (c) =>
    nn.truncNormalInit(key(SEED), c.nums('shape'), {
      mean: c.num('mean', 0),
      std: c.num('std', 1),
      low: c.num('a', -2),
      high: c.num('b', 2),
      dtype: c.dtype,
    }),
  uniform: (c) =>
    nn.uniformInit(key(SEED), c.nums('shape'), {
      low: c.num('low', 0),
      high: c.num('high', 1),
      dtype: c.dtype,
    }),
  gpt2_residual: (c) =>
    nn.gpt2Residual(key(SEED), c.nums('shape'), c.num('layers'), { dtype: c.dtype }),
};

const gain = (c: Call): nn.XavierOptions => ({ gain: c.num('gain', 1), dtype: c.dtype });

const kaiming = (c: Call): nn.KaimingOptions => ({
  mode: c.text('mode', 'fan_in') as 'fan_in' | 'fan_out',
  nonlinearity: c.text('nonlinearity', 'leaky_relu') as 'relu' | 'leaky_relu',
  a: c.num('a', 0),
  dtype: c.dtype,
});

interface Expected {
  readonly mean: number;
  readonly std: number;
  readonly bound: number | null;
}

export async function initCase(_group: Group, c: Case, verdict: Verdict): Promise<void> {
  const draw = INITIALISERS[c.op];
  if (draw === undefined) throw new Error(`the op map has no initialiser ${c.op}`);
  using s = scope();
  const call = new Call(new Map(), c.attrs, verdict.precision);
  const t = s.run(() => draw(call));
  const values = Float64Array.from(await t.data()).sort();
  const want = c.raw['expected'] as Expected;
  const within = (what: string, value: number, limit: unknown): void =>
    verdict.that(value <= Number(limit), `${what} is ${value}, allowed ${String(limit)}`);

  const n = values.length;
  verdict.that(
    t.shape.join() === call.nums('shape').join(),
    `shape [${t.shape.join(',')}], want [${call.nums('shape').join(',')}]`,
  );
  const mean = values.reduce((a, b) => a + b, 0) / n;
  const std = Math.sqrt(values.reduce((a, x) => a + (x - mean) ** 2, 0) / n);
  within('|mean - expected|', Math.abs(mean - want.mean), c.raw['tol_mean']);
  within('|std / expected - 1|', Math.abs(std / want.std - 1), c.raw['tol_std']);
  if (want.bound !== null) {
    // one rounding of the bound itself is not a value beyond it
    const slack = verdict.precision === 'f32' ? want.bound * 2 ** -23 : 0;
    within('largest |value|', Math.max(-values[0]!, values[n - 1]!), want.bound + slack);
  }
  const cdf = distribution(String(c.raw['distribution']), want, call);
  const distance = values.reduce((worst, x, i) => {
    const p = cdf(x);
    return Math.max(worst, Math.abs(p - i / n), Math.abs(p - (i + 1) / n));
  }, 0);
  within('Kolmogorov–Smirnov distance', distance, c.raw['tol_ks']);
}

/** The distribution function that the values should follow. */
function distribution(name: string, want: Expected, c: Call): (x: number) => number {
  if (name === 'uniform') {
    const bound = want.bound!;
    return (x) => Math.min(1, Math.max(0, (x - want.mean + bound) / (2 * bound)));
  }
  if (name === 'normal') return (x) => phi((x - want.mean) / want.std);
  if (name === 'trunc_normal') {
    // the expected deviation is that after cutting
    const [mean, std] = [c.num('mean'), c.num('std')];
    const [low, high] = [phi((c.num('a') - mean) / std), phi((c.num('b') - mean) / std)];
    return (x) => (phi((x - mean) / std) - low) / (high - low);
  }
  throw new Error(`no distribution is called ${name}`);
}

/** The normal distribution function, by the complementary error function of Numerical Recipes (error below 1.2e-7). */
function phi(z: number): number {
  const x = Math.abs(z) / Math.SQRT2;
  const t = 1 / (1 + x / 2);
  const coefficients = [
    -1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806, 0.27886807, -1.13520398,
    1.48851587, -0.82215223, 0.17087277,
  ];
  const series = coefficients.reduceRight((sum, c) => sum * t + c, 0);
  const erfc = t * Math.exp(-x * x + series);
  return z >= 0 ? 1 - erfc / 2 : erfc / 2;
}
