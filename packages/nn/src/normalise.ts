/** Normalisation over groups of channels and over the batch, for `[b, channels, ...space]`. */
import {
  mean,
  rsqrt,
  ShapeError,
  square,
  sub,
  type Tensor,
  ValueError,
  variance,
} from '@loretta-ts/core';

/** Scale and shift after a normalisation. */
export interface AffineOptions {
  /** [channels]. */
  readonly weight?: Tensor | null;
  /** [channels]. */
  readonly bias?: Tensor | null;
  /** Added to the variance; default 1e-5. */
  readonly eps?: number;
}

/** Mean 0 and variance 1 over each of `groups` groups of channels (Wu and He 2018). */
export function groupNorm(x: Tensor, groups: number, options: AffineOptions = {}): Tensor {
  const channels = channelsOf('groupNorm', x, options);
  if (!Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new ValueError('groupNorm', `${groups} groups do not divide ${channels} channels`);
  }
  const rows = x.reshape(x.shape[0]!, groups, -1); // [b, g, n]
  const centred = sub(rows, mean(rows, -1, { keepDims: true }));
  const inverse = rsqrt(mean(square(centred), -1, { keepDims: true }).add(options.eps ?? 1e-5));
  return affine(centred.mul(inverse).reshape(...x.shape), options);
}

/** Mean 0 and variance 1 of each channel over the batch and space (Ioffe and Szegedy 2015), as in training. */
export function batchNorm(x: Tensor, options: AffineOptions = {}): Tensor {
  channelsOf('batchNorm', x, options);
  const axes = x.shape.flatMap((_, i) => (i === 1 ? [] : [i]));
  const centred = sub(x, mean(x, axes, { keepDims: true }));
  const inverse = rsqrt(mean(square(centred), axes, { keepDims: true }).add(options.eps ?? 1e-5));
  return affine(centred.mul(inverse), options);
}

/** As `batchNorm` with given statistics, `[channels]` each: evaluation. */
export function batchNormEval(
  x: Tensor,
  average: Tensor,
  spread: Tensor,
  options: AffineOptions = {},
): Tensor {
  channelsOf('batchNormEval', x, options);
  const inverse = rsqrt(perChannel(spread, x.rank).add(options.eps ?? 1e-5));
  return affine(sub(x, perChannel(average, x.rank)).mul(inverse), options);
}

/** Running statistics after a batch: old · (1 − momentum) + new · momentum; the variance is the unbiased one. */
export function batchNormRunning(
  x: Tensor,
  average: Tensor,
  spread: Tensor,
  momentum = 0.1,
): {
  /** `[channels]`. */
  readonly mean: Tensor;
  /** `[channels]`. */
  readonly variance: Tensor;
} {
  channelsOf('batchNormRunning', x, {});
  const axes = x.shape.flatMap((_, i) => (i === 1 ? [] : [i]));
  const blend = (old: Tensor, now: Tensor): Tensor => old.mul(1 - momentum).add(now.mul(momentum));
  return {
    mean: blend(average, mean(x, axes)),
    variance: blend(spread, variance(x, axes, { correction: 1 })),
  };
}

function affine(x: Tensor, { weight = null, bias = null }: AffineOptions): Tensor {
  const y = weight === null ? x : x.mul(perChannel(weight, x.rank));
  return bias === null ? y : y.add(perChannel(bias, x.rank));
}

/** `[c] -> [c, 1, …]`, one axis fewer than x. */
function perChannel(t: Tensor, rank: number): Tensor {
  return t.reshape(-1, ...new Array<number>(rank - 2).fill(1));
}

function channelsOf(op: string, x: Tensor, { weight = null, bias = null }: AffineOptions): number {
  const channels = x.shape[1];
  if (channels === undefined)
    throw new ShapeError(op, `x [${x.shape.join(',')}] is not [b, channels, ...]`, [x.shape]);
  for (const t of [weight, bias]) {
    if (t !== null && (t.rank !== 1 || t.shape[0] !== channels)) {
      throw new ShapeError(op, `[${t.shape.join(',')}] is not [${channels}] (channels)`, [
        t.shape,
        x.shape,
      ]);
    }
  }
  return channels;
}
