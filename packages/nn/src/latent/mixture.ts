/** A mixture of diagonal Gaussians as an output distribution over real vectors (GIVT, Tschannen et al. 2023, §3.2). */
import {
  type FloatDType,
  type Key,
  logSoftmax,
  logSumExp,
  normal,
  oneHot,
  ShapeError,
  sameShape,
  sum,
  type Tensor,
  uniform,
  ValueError,
} from '@loretta-ts/core';
import { greedy, sampleInverseCdf } from '../generate/filters';

/**
 * Bound B of log σ: it is B · tanh(s / B) of its parameter s, so σ lies in (e^−B, e^B) = (0.0067, 148), and every
 * parameter keeps a gradient. It also bounds the density where data repeat one vector exactly.
 */
export const LOG_SCALE_BOUND = 5;

/** What the randomness of a draw is: uniform numbers choose components, normal ones the place. */
export interface MixtureNoise {
  /** `[n]` in [0, 1). */
  readonly uniform: Tensor;
  /** `[n, z]`, standard normal. */
  readonly normal: Tensor;
}

/** Options of `sampleMixture`. */
export interface SampleMixtureOptions {
  /** Multiplies σ, as in GIVT; 0 gives the mean of the most probable component; default 1. */
  readonly temperature?: number;
}

interface Mixture {
  /** `[n, k]`, not normalised. */
  readonly logits: Tensor;
  /** `[n, k, z]`. */
  readonly means: Tensor;
  /** `[n, k, z]`, in (−B, B). */
  readonly logScales: Tensor;
}

/** Parameters of a mixture of `components` Gaussians in `dim` dimensions: k logits, k · z means, k · z log-scales. */
export function mixtureSize(dim: number, components: number): number {
  return components * (1 + 2 * dim);
}

/**
 * −log Σ_k π_k N(z; μ_k, diag σ_k²) in nats: `(params: [..., k (1 + 2 z)], z: [..., z]) -> [...]`. The parameters of a
 * vector are k logits, then k means, then k log-scales (`LOG_SCALE_BOUND`).
 * @throws ShapeError when the leading axes differ, or the last ones do not fit
 */
export function mixtureNll(params: Tensor, z: Tensor): Tensor {
  const dim = z.shape[z.rank - 1] ?? 0;
  const lead = z.shape.slice(0, -1);
  if (z.rank < 1 || !sameShape(params.shape.slice(0, -1), lead)) {
    throw new ShapeError(
      'mixtureNll',
      `params [${params.shape.join(',')}] and z [${z.shape.join(',')}] differ before the last axis`,
      [params.shape, z.shape],
    );
  }
  const { logits, means, logScales } = split('mixtureNll', params, dim);
  const n = logits.shape[0]!;
  const from = z.reshape(n, 1, dim).sub(means).mul(logScales.neg().exp()); // [n, k, z]
  const log = sum(from.square().mul(0.5).add(logScales), -1); // [n, k]
  const joint = logSoftmax(logits).sub(log); // [n, k]
  return logSumExp(joint, -1)
    .neg()
    .add(0.5 * dim * Math.log(2 * Math.PI))
    .reshape(...lead);
}

/**
 * A draw from each mixture: `[..., k (1 + 2 z)] -> [..., z]`. The same key gives the same draw.
 * @throws ValueError for a temperature that is negative or not finite; ShapeError when `dim` does not fit
 */
export function sampleMixture(
  params: Tensor,
  dim: number,
  key: Key,
  options: SampleMixtureOptions = {},
): Tensor {
  const { temperature = 1 } = options;
  checkTemperature('sampleMixture', temperature);
  const n = params.shape.slice(0, -1).reduce((a, b) => a * b, 1);
  return drawMixture(params, dim, mixtureNoise(key, n, dim, floatOf(params)), temperature);
}

/** Noise of a draw of n vectors. */
export function mixtureNoise(key: Key, n: number, dim: number, dtype: FloatDType): MixtureNoise {
  return {
    uniform: uniform(key.fold(0), [n], { dtype }),
    normal: normal(key.fold(1), [n, dim], { dtype }),
  };
}

/** As `sampleMixture`, by noise that is given; null at temperature 0. */
export function drawMixture(
  params: Tensor,
  dim: number,
  noise: MixtureNoise | null,
  temperature: number,
): Tensor {
  const lead = params.shape.slice(0, -1);
  const { logits, means, logScales } = split('sampleMixture', params, dim);
  const k = logits.shape[1]!;
  const still = noise === null || temperature === 0;
  const component = still ? greedy(logits) : sampleInverseCdf(logits, noise.uniform); // [n]
  const chosen = oneHot(component, k, { dtype: floatOf(means) }).unsqueeze(-1); // [n, k, 1]
  const mean = sum(means.mul(chosen), 1); // [n, z]
  if (still) return mean.reshape(...lead, dim);
  const logScale = sum(logScales.mul(chosen), 1);
  return mean.add(logScale.exp().mul(noise.normal).mul(temperature)).reshape(...lead, dim);
}

/** @throws ValueError unless it is 0 or more */
function checkTemperature(where: string, temperature: number): void {
  if (temperature >= 0 && Number.isFinite(temperature)) return;
  throw new ValueError(where, `temperature is ${temperature}, not 0 or more`);
}

function floatOf({ dtype }: Tensor): FloatDType {
  return dtype === 'f64' ? 'f64' : 'f32';
}

function split(where: string, params: Tensor, dim: number): Mixture {
  const size = params.shape[params.rank - 1] ?? 0;
  const k = size / (1 + 2 * dim);
  if (!Number.isInteger(dim) || dim < 1 || !Number.isInteger(k) || k < 1) {
    throw new ShapeError(
      where,
      `params [${params.shape.join(',')}] are not [..., k (1 + 2 z)] for z = ${dim}`,
      [params.shape],
    );
  }
  const rows = params.reshape(-1, size); // [n, k (1 + 2 z)]
  const n = rows.shape[0]!;
  const scales = rows.narrow(1, k * (1 + dim), k * dim).reshape(n, k, dim);
  return {
    logits: rows.narrow(1, 0, k),
    means: rows.narrow(1, k, k * dim).reshape(n, k, dim),
    logScales: scales.div(LOG_SCALE_BOUND).tanh().mul(LOG_SCALE_BOUND),
  };
}
