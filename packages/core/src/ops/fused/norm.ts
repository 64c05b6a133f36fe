/** Layer normalisation (Ba et al. 2016) and RMS normalisation (Zhang & Sennrich 2019) over the last axis. */
import { apply } from '../../apply';
import { type Aval, showAval } from '../../dtype';
import { ShapeError } from '../../errors';
import type { Op } from '../../op';
import { sameDType, wantFinite, wantFloat, wantShape } from '../../shape-rules';
import type { Tensor } from '../../tensor';
import { add, mul, sub } from '../arithmetic';
import { full } from '../create';
import { sumTo, unsqueeze } from '../linear';
import { mean } from '../reduce';
import { rsqrt } from '../unary';
import { byDecomposition, fastOrDecomposed } from './rules';
import { tidy } from '../../scope';

function inferNorm(
  op: string,
  x: Aval,
  ...vectors: readonly Aval[]
): { row: Aval; stat: Aval; vector: Aval } {
  wantFloat(op, x, ...vectors);
  const dtype = sameDType(op, [x, ...vectors]);
  if (x.shape.length === 0 || x.shape.at(-1) === 0) {
    throw new ShapeError(op, `${showAval(x)} has nothing to normalise`, [x.shape]);
  }
  const d = x.shape.slice(-1);
  for (const v of vectors) wantShape(op, 'weight or bias', v, d);
  return {
    row: { shape: x.shape, dtype },
    stat: { shape: x.shape.slice(0, -1), dtype },
    vector: { shape: d, dtype },
  };
}

export const layerNormOp: Op<'layerNorm'> = {
  name: 'layerNorm',
  infer([x, weight, bias], { eps }) {
    wantFinite('layerNorm', 'eps', eps, 0);
    const { row, stat } = inferNorm('layerNorm', x!, weight!, bias!);
    return [row, stat, stat];
  },
  saveIns: [0, 1, 2],
  saveOuts: [1, 2],
  decompose: (ins, { eps }) => layerNormRule(ins, eps),
  vjp: fastOrDecomposed<'layerNorm'>(
    ({ ins, outs, cts }) =>
      apply(layerNormGradOp, [ins[0]!, ins[1]!, outs[1]!, outs[2]!, cts[0]!], {}),
    (ins, { eps }) => layerNormRule(ins, eps),
  ),
};

function layerNormRule(ins: readonly Tensor[], eps: number): readonly Tensor[] {
  const [x, weight, bias] = ins as [Tensor, Tensor, Tensor];
  const mu = mean(x, -1);
  const centred = sub(x, unsqueeze(mu, x.rank - 1));
  const rstd = rsqrt(add(mean(mul(centred, centred), -1), eps));
  return [add(mul(mul(centred, unsqueeze(rstd, x.rank - 1)), weight), bias), mu, rstd];
}

export const layerNormGradOp: Op<'layerNormGrad'> = {
  name: 'layerNormGrad',
  infer([x, weight, mu, rstd, dy]) {
    const { row, stat, vector } = inferNorm('layerNormGrad', x!, weight!);
    wantShape('layerNormGrad', 'mean', mu!, stat.shape);
    wantShape('layerNormGrad', 'rstd', rstd!, stat.shape);
    wantShape('layerNormGrad', 'dy', dy!, row.shape);
    return [row, vector, vector];
  },
  decompose: (ins) => layerNormGradRule(ins),
  vjp: byDecomposition<'layerNormGrad'>((ins) => layerNormGradRule(ins)),
};

// with x̂ = (x − μ) r and g = dy ⊙ w: dx = r (g − mean g − x̂ mean(g ⊙ x̂))
function layerNormGradRule(ins: readonly Tensor[]): readonly Tensor[] {
  const [x, weight, mu, rstd, dy] = ins as [Tensor, Tensor, Tensor, Tensor, Tensor];
  const column = (t: Tensor): Tensor => unsqueeze(t, x.rank - 1);
  const xhat = mul(sub(x, column(mu)), column(rstd));
  const g = mul(dy, weight);
  const inner = sub(
    sub(g, mean(g, -1, { keepDims: true })),
    mul(xhat, mean(mul(g, xhat), -1, { keepDims: true })),
  );
  return [mul(inner, column(rstd)), sumTo(mul(dy, xhat), weight.shape), sumTo(dy, weight.shape)];
}

export const rmsNormOp: Op<'rmsNorm'> = {
  name: 'rmsNorm',
  infer([x, weight], { eps }) {
    wantFinite('rmsNorm', 'eps', eps, 0);
    const { row, stat } = inferNorm('rmsNorm', x!, weight!);
    return [row, stat];
  },
  saveOuts: [1],
  decompose: (ins, { eps }) => rmsNormRule(ins, eps),
  vjp: fastOrDecomposed<'rmsNorm'>(
    ({ ins, outs, cts }) => apply(rmsNormGradOp, [ins[0]!, ins[1]!, outs[1]!, cts[0]!], {}),
    (ins, { eps }) => rmsNormRule(ins, eps),
  ),
};

function rmsNormRule(ins: readonly Tensor[], eps: number): readonly Tensor[] {
  const [x, weight] = ins as [Tensor, Tensor];
  const rstd = rsqrt(add(mean(mul(x, x), -1), eps));
  return [mul(mul(x, unsqueeze(rstd, x.rank - 1)), weight), rstd];
}

export const rmsNormGradOp: Op<'rmsNormGrad'> = {
  name: 'rmsNormGrad',
  infer([x, weight, rstd, dy]) {
    const { row, stat, vector } = inferNorm('rmsNormGrad', x!, weight!);
    wantShape('rmsNormGrad', 'rstd', rstd!, stat.shape);
    wantShape('rmsNormGrad', 'dy', dy!, row.shape);
    return [row, vector];
  },
  decompose: (ins) => rmsNormGradRule(ins),
  vjp: byDecomposition<'rmsNormGrad'>((ins) => rmsNormGradRule(ins)),
};

// with x̂ = x r and g = dy ⊙ w: dx = r (g − x̂ mean(g ⊙ x̂))
function rmsNormGradRule(ins: readonly Tensor[]): readonly Tensor[] {
  const [x, weight, rstd, dy] = ins as [Tensor, Tensor, Tensor, Tensor];
  const r = unsqueeze(rstd, x.rank - 1);
  const xhat = mul(x, r);
  const g = mul(dy, weight);
  const dx = mul(r, sub(g, mul(xhat, mean(mul(g, xhat), -1, { keepDims: true }))));
  return [dx, sumTo(mul(dy, xhat), weight.shape)];
}

/** Options of `layerNorm` and `rmsNorm`. */
export interface NormOptions {
  /** Added to the variance (1e-5). */
  readonly eps?: number;
}

/** `(x − mean) / sqrt(var + eps) · weight + bias` over the last axis of `[..., d]`. @throws ShapeError, DTypeError */
export function layerNorm(
  x: Tensor,
  weight: Tensor | null = null,
  bias: Tensor | null = null,
  options: NormOptions = {},
): Tensor {
  return tidy(() => {
    const d = x.shape.slice(-1);
    const w = weight ?? full(d, 1, { dtype: x.dtype });
    const b = bias ?? full(d, 0, { dtype: x.dtype });
    return apply(layerNormOp, [x, w, b], { eps: options.eps ?? 1e-5 })[0]!;
  });
}

/** `x / sqrt(mean(x²) + eps) · weight` over the last axis of `[..., d]`. @throws ShapeError, DTypeError */
export function rmsNorm(
  x: Tensor,
  weight: Tensor | null = null,
  options: NormOptions = {},
): Tensor {
  return tidy(() => {
    const w = weight ?? full(x.shape.slice(-1), 1, { dtype: x.dtype });
    return apply(rmsNormOp, [x, w], { eps: options.eps ?? 1e-5 })[0]!;
  });
}
