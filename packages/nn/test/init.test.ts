/** Initialisers: moments, bounds and the Kolmogorov–Smirnov distance to the distribution. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { key, ShapeError, setBackend, type Tensor } from '@loretta-ts/core';
import { beforeAll, describe, expect, it } from 'vitest';
import * as nn from '../src/index';
import { type Case, hasShared, loadGroup } from './shared';

interface InitCase extends Case {
  readonly distribution: string;
  readonly expected: { readonly mean: number; readonly std: number; readonly bound: number | null };
  readonly tol_mean: number;
  readonly tol_std: number;
  readonly tol_ks: number;
}

const cases = hasShared ? (loadGroup('init').cases as InitCase[]) : [];

function draw(c: InitCase): Tensor {
  const a = c.attrs;
  const shape = a['shape'] as number[];
  const n = (name: string): number => a[name] as number;
  const k = key(7);
  switch (c.op) {
    case 'xavier_uniform':
      return nn.xavierUniform(k, shape, { gain: n('gain') });
    case 'xavier_normal':
      return nn.xavierNormal(k, shape, { gain: n('gain') });
    case 'kaiming_uniform':
      return nn.kaimingUniform(k, shape, a as nn.KaimingOptions);
    case 'kaiming_normal':
      return nn.kaimingNormal(k, shape, a as nn.KaimingOptions);
    case 'normal':
      return nn.normalInit(k, shape, { mean: n('mean'), std: n('std') });
    case 'trunc_normal':
      return nn.truncNormalInit(k, shape, {
        mean: n('mean'),
        std: n('std'),
        low: n('a'),
        high: n('b'),
      });
    case 'uniform':
      return nn.uniformInit(k, shape, { low: n('low'), high: n('high') });
    case 'gpt2_residual':
      return nn.gpt2Residual(k, shape, n('layers'));
    default:
      throw new Error(`no initialiser for ${c.op}`);
  }
}

/** Φ by a series that is exact enough for a distance of 1e-2. */
function normalCdf(z: number): number {
  const t = 1 / (1 + 0.2316419 * Math.abs(z));
  const poly =
    t *
    (0.31938153 + t * (-0.356563782 + t * (1.781477937 + t * (-1.821255978 + t * 1.330274429))));
  const tail = (Math.exp((-z * z) / 2) / Math.sqrt(2 * Math.PI)) * poly;
  return z > 0 ? 1 - tail : tail;
}

function cdf(c: InitCase): (x: number) => number {
  const { mean, std, bound } = c.expected;
  if (c.distribution === 'uniform') {
    const half = std * Math.sqrt(3);
    return (x) => (x - mean + half) / (2 * half);
  }
  if (bound === null) return (x) => normalCdf((x - mean) / std);
  const scale = c.attrs['std'] as number;
  const edge = normalCdf(-bound / scale);
  return (x) => (normalCdf(x / scale) - edge) / (1 - 2 * edge);
}

describe('initialisers', () => {
  beforeAll(() => setBackend(referenceBackend()));

  it.runIf(hasShared).each(cases.map((c) => [c.id, c] as const))('%s', (_, c) => {
    const values = Array.from(draw(c).dataSync()).sort((a, b) => a - b);
    const n = values.length;
    const mean = values.reduce((s, x) => s + x, 0) / n;
    const std = Math.sqrt(values.reduce((s, x) => s + (x - mean) ** 2, 0) / n);
    expect(Math.abs(mean - c.expected.mean)).toBeLessThanOrEqual(c.tol_mean);
    expect(Math.abs(std / c.expected.std - 1)).toBeLessThanOrEqual(c.tol_std);
    if (c.expected.bound !== null) {
      const reach = Math.max(-values[0]!, values[n - 1]!);
      expect(reach).toBeLessThanOrEqual(c.expected.bound * (1 + 1e-6));
    }
    const f = cdf(c);
    const distance = values.reduce(
      (d, x, i) => Math.max(d, Math.abs(f(x) - i / n), Math.abs(f(x) - (i + 1) / n)),
      0,
    );
    expect(distance).toBeLessThanOrEqual(c.tol_ks);
  });

  it('has no fan for a vector', () => {
    expect(() => nn.xavierUniform(key(0), [3])).toThrow(ShapeError);
  });

  it('draws the same from the same key and another from another', () => {
    const at = (seed: number): number[] => [...nn.normalInit(key(seed), [4]).dataSync()];
    expect(at(1)).toEqual(at(1));
    expect(at(1)).not.toEqual(at(2));
  });
});
