/** GELU (Hendrycks & Gimpel 2016), SiLU and SwiGLU (Shazeer 2020). */
import { apply, apply1 } from '../../apply';
import type { Aval } from '../../dtype';
import type { Op } from '../../op';
import { sameDType, wantFloat, wantShape } from '../../shape-rules';
import type { Tensor } from '../../tensor';
import { add, mul, sub } from '../arithmetic';
import { erf, exp, sigmoid, tanh } from '../unary';
import { byDecomposition } from './rules';

function inferSame(op: string, ins: readonly Aval[], outs: number): readonly Aval[] {
  const x = ins[0]!;
  wantFloat(op, ...ins);
  sameDType(op, ins);
  for (const other of ins) wantShape(op, 'an input', other, x.shape);
  return Array.from({ length: outs }, () => ({ shape: x.shape, dtype: x.dtype }));
}

const GELU_SCALE = Math.sqrt(2 / Math.PI);
const GELU_CUBIC = 0.044715;

/** Φ(x), or its tanh approximation. */
function gate(x: Tensor, approximate: boolean): Tensor {
  const inner = approximate
    ? tanh(mul(mul(x, add(mul(mul(x, x), GELU_CUBIC), 1)), GELU_SCALE))
    : erf(mul(x, Math.SQRT1_2));
  return mul(add(inner, 1), 0.5);
}

export const geluOp: Op<'gelu'> = {
  name: 'gelu',
  elementwise: true,
  infer: (ins) => inferSame('gelu', ins, 1),
  decompose: ([x], { approximate }) => [mul(x!, gate(x!, approximate))],
  vjp: ({ ins, cts, attrs }) => [apply1(geluGradOp, [ins[0]!, cts[0]!], attrs)],
};

export const geluGradOp: Op<'geluGrad'> = {
  name: 'geluGrad',
  elementwise: true,
  infer: (ins) => inferSame('geluGrad', ins, 1),
  decompose: ([x, dy], { approximate }) => geluGradRule(x!, dy!, approximate),
  vjp: byDecomposition<'geluGrad'>(([x, dy], { approximate }) =>
    geluGradRule(x!, dy!, approximate),
  ),
};

function geluGradRule(x: Tensor, dy: Tensor, approximate: boolean): readonly Tensor[] {
  const square = mul(x, x);
  if (!approximate) {
    // d x Φ(x) = Φ(x) + x φ(x)
    const density = mul(exp(mul(square, -0.5)), 1 / Math.sqrt(2 * Math.PI));
    return [mul(dy, add(gate(x, false), mul(x, density)))];
  }
  // with t = tanh(s (x + c x³)): d = (1 + t) / 2 + x (1 − t²) s (1 + 3 c x²) / 2
  const t = tanh(mul(mul(x, add(mul(square, GELU_CUBIC), 1)), GELU_SCALE));
  const slope = mul(add(mul(square, 3 * GELU_CUBIC), 1), GELU_SCALE);
  const tail = mul(mul(x, sub(1, mul(t, t))), slope);
  return [mul(dy, mul(add(add(t, 1), tail), 0.5))];
}

export const siluOp: Op<'silu'> = {
  name: 'silu',
  elementwise: true,
  infer: (ins) => inferSame('silu', ins, 1),
  decompose: ([x]) => [mul(x!, sigmoid(x!))],
  vjp: ({ ins, cts }) => [apply1(siluGradOp, [ins[0]!, cts[0]!], {})],
};

export const siluGradOp: Op<'siluGrad'> = {
  name: 'siluGrad',
  elementwise: true,
  infer: (ins) => inferSame('siluGrad', ins, 1),
  decompose: ([x, dy]) => [mul(dy!, siluSlope(x!))],
  vjp: byDecomposition<'siluGrad'>(([x, dy]) => [mul(dy!, siluSlope(x!))]),
};

// d silu = σ (1 + x (1 − σ))
function siluSlope(x: Tensor): Tensor {
  const s = sigmoid(x);
  return mul(s, add(mul(x, sub(1, s)), 1));
}

export const swigluOp: Op<'swiglu'> = {
  name: 'swiglu',
  elementwise: true,
  infer: (ins) => inferSame('swiglu', ins, 1),
  decompose: ([g, up]) => [mul(mul(g!, sigmoid(g!)), up!)],
  vjp: ({ ins, cts }) => apply(swigluGradOp, [ins[0]!, ins[1]!, cts[0]!], {}),
};

export const swigluGradOp: Op<'swigluGrad'> = {
  name: 'swigluGrad',
  infer: (ins) => inferSame('swigluGrad', ins, 2),
  decompose: ([g, up, dy]) => swigluGradRule(g!, up!, dy!),
  vjp: byDecomposition<'swigluGrad'>(([g, up, dy]) => swigluGradRule(g!, up!, dy!)),
};

function swigluGradRule(g: Tensor, up: Tensor, dy: Tensor): readonly Tensor[] {
  return [mul(mul(dy, up), siluSlope(g)), mul(dy, mul(g, sigmoid(g)))];
}

/** Options of `gelu`. */
export interface GeluOptions {
  /** The tanh approximation of GPT-2 (default), or exact. */
  readonly approximate?: boolean;
}

/** x Φ(x). @throws DTypeError for integers */
export function gelu(x: Tensor, options: GeluOptions = {}): Tensor {
  return apply1(geluOp, [x], { approximate: options.approximate ?? true });
}

/** x · sigmoid(x). @throws DTypeError for integers */
export function silu(x: Tensor): Tensor {
  return apply1(siluOp, [x], {});
}

/** silu(gate) · up, same shapes. @throws ShapeError, DTypeError */
export function swiglu(gateInput: Tensor, up: Tensor): Tensor {
  return apply1(swigluOp, [gateInput, up], {});
}
