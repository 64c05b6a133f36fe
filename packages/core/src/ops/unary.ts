/** Elementwise functions of one tensor. */
import { apply1 } from '../apply';
import type { UnaryAttrs } from '../attrs';
import { type Aval, showAval } from '../dtype';
import { DTypeError } from '../errors';
import type { Op, Saved } from '../op';
import { wantFloat } from '../shape-rules';
import type { Tensor } from '../tensor';
import { add, div, mul, neg, sub } from './arithmetic';
import { gt, where } from './select';
import { tidy } from '../scope';

function unaryOp<N extends Exclude<keyof UnaryAttrs, 'neg' | 'floor' | 'log'>>(
  name: N,
  domain: 'number' | 'float',
  saves: 'ins' | 'outs' | 'none',
  /** From the saved tensor (input or output) and the cotangent; null is zero. */
  rule: ((saved: Tensor, ct: Tensor) => Tensor) | null,
): Op<N> {
  const infer = ([x]: readonly Aval[]): readonly Aval[] => {
    if (domain === 'float') wantFloat(name, x!);
    else if (x!.dtype === 'bool') {
      throw new DTypeError(name, `${showAval(x!)} is bool: convert it with .cast('f32')`, ['bool']);
    }
    return [{ shape: x!.shape, dtype: x!.dtype }];
  };
  const saveIns: Saved = saves === 'ins' ? 'all' : 'none';
  const saveOuts: Saved = saves === 'outs' ? 'all' : 'none';
  const vjp: NonNullable<Op['vjp']> = ({ ins, outs, cts }) => [
    rule?.(saves === 'outs' ? outs[0]! : ins[0]!, cts[0]!) ?? null,
  ];
  return { name, infer, vjp, saveIns, saveOuts, elementwise: true };
}

// relu, abs and sign have gradient 0 at 0
export const absOp: Op<'abs'> = unaryOp('abs', 'number', 'ins', (x, ct) => mul(ct, sign(x)));
export const signOp: Op<'sign'> = unaryOp('sign', 'number', 'none', null);
export const ceilOp: Op<'ceil'> = unaryOp('ceil', 'float', 'none', null);
export const roundOp: Op<'round'> = unaryOp('round', 'float', 'none', null);
export const expOp: Op<'exp'> = unaryOp('exp', 'float', 'outs', (y, ct) => mul(ct, y));
// d expm1 x = (y + 1) dx
export const expm1Op: Op<'expm1'> = unaryOp('expm1', 'float', 'outs', (y, ct) =>
  mul(ct, add(y, 1)),
);
export const log1pOp: Op<'log1p'> = unaryOp('log1p', 'float', 'ins', (x, ct) => div(ct, add(x, 1)));
// d sqrt x = dx / (2 y)
export const sqrtOp: Op<'sqrt'> = unaryOp('sqrt', 'float', 'outs', (y, ct) => div(ct, mul(y, 2)));
// d x^(-1/2) = -y^3 / 2 dx
export const rsqrtOp: Op<'rsqrt'> = unaryOp('rsqrt', 'float', 'outs', (y, ct) =>
  mul(mul(ct, -0.5), mul(y, mul(y, y))),
);
export const reciprocalOp: Op<'reciprocal'> = unaryOp('reciprocal', 'float', 'outs', (y, ct) =>
  neg(mul(ct, mul(y, y))),
);
export const squareOp: Op<'square'> = unaryOp('square', 'number', 'ins', (x, ct) =>
  mul(ct, mul(x, 2)),
);
export const sinOp: Op<'sin'> = unaryOp('sin', 'float', 'ins', (x, ct) => mul(ct, cos(x)));
export const cosOp: Op<'cos'> = unaryOp('cos', 'float', 'ins', (x, ct) => neg(mul(ct, sin(x))));
// d tanh x = (1 - y^2) dx
export const tanhOp: Op<'tanh'> = unaryOp('tanh', 'float', 'outs', (y, ct) =>
  mul(ct, sub(1, mul(y, y))),
);
// d sigmoid x = y (1 - y) dx
export const sigmoidOp: Op<'sigmoid'> = unaryOp('sigmoid', 'float', 'outs', (y, ct) =>
  mul(ct, mul(y, sub(1, y))),
);
export const softplusOp: Op<'softplus'> = unaryOp('softplus', 'float', 'ins', (x, ct) =>
  mul(ct, sigmoid(x)),
);
// d erf x = 2 / sqrt(pi) exp(-x^2) dx
export const erfOp: Op<'erf'> = unaryOp('erf', 'float', 'ins', (x, ct) =>
  mul(ct, mul(exp(neg(mul(x, x))), 2 / Math.sqrt(Math.PI))),
);
export const reluOp: Op<'relu'> = unaryOp('relu', 'number', 'ins', (x, ct) =>
  where(gt(x, 0), ct, 0),
);

/** Elementwise absolute value. */
export function abs(x: Tensor): Tensor {
  return apply1(absOp, [x], {});
}
/** -1, 0 or 1. */
export function sign(x: Tensor): Tensor {
  return apply1(signOp, [x], {});
}
/** Elementwise, up to an integer. */
export function ceil(x: Tensor): Tensor {
  return apply1(ceilOp, [x], {});
}
/** To the nearest integer, halves to even. */
export function round(x: Tensor): Tensor {
  return apply1(roundOp, [x], {});
}
/** Elementwise e^x. */
export function exp(x: Tensor): Tensor {
  return apply1(expOp, [x], {});
}
/** exp(x) - 1, exact near 0. */
export function expm1(x: Tensor): Tensor {
  return apply1(expm1Op, [x], {});
}
/** log(1 + x), exact near 0. */
export function log1p(x: Tensor): Tensor {
  return apply1(log1pOp, [x], {});
}
/** Elementwise √x; NaN below 0. */
export function sqrt(x: Tensor): Tensor {
  return apply1(sqrtOp, [x], {});
}
/** 1 / sqrt(x). */
export function rsqrt(x: Tensor): Tensor {
  return apply1(rsqrtOp, [x], {});
}
/** Elementwise 1 / x. */
export function reciprocal(x: Tensor): Tensor {
  return apply1(reciprocalOp, [x], {});
}
/** Elementwise x². */
export function square(x: Tensor): Tensor {
  return apply1(squareOp, [x], {});
}
/** Sine of radians. */
export function sin(x: Tensor): Tensor {
  return apply1(sinOp, [x], {});
}
/** Cosine of radians. */
export function cos(x: Tensor): Tensor {
  return apply1(cosOp, [x], {});
}
/** Elementwise hyperbolic tangent. */
export function tanh(x: Tensor): Tensor {
  return apply1(tanhOp, [x], {});
}
/** 1 / (1 + exp(-x)). */
export function sigmoid(x: Tensor): Tensor {
  return apply1(sigmoidOp, [x], {});
}
/** log(1 + exp(x)). */
export function softplus(x: Tensor): Tensor {
  return apply1(softplusOp, [x], {});
}
/** Gauss error function. */
export function erf(x: Tensor): Tensor {
  return apply1(erfOp, [x], {});
}
/** Elementwise max(x, 0); the gradient at 0 is 0. */
export function relu(x: Tensor): Tensor {
  return apply1(reluOp, [x], {});
}
/** log sigmoid(x). */
export function logSigmoid(x: Tensor): Tensor {
  return tidy(() => {
    return neg(softplus(neg(x)));
  });
}
/** x above 0, slope · x below. */
export function leakyRelu(x: Tensor, slope = 0.01): Tensor {
  return tidy(() => {
    return where(gt(x, 0), x, mul(x, slope));
  });
}
/** x above 0, alpha (exp(x) - 1) below. */
export function elu(x: Tensor, alpha = 1): Tensor {
  return tidy(() => {
    const positive = gt(x, 0);
    // exp only of what is used: no overflow, no NaN gradient on the other branch
    return where(positive, x, mul(expm1(where(positive, 0, x)), alpha));
  });
}
