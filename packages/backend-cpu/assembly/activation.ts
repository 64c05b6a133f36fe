/** GELU (both forms), SiLU and SwiGLU with their gradients, and the AdamW step. */
import { exp, madd, onePlusErf, put, sigmoid, splat } from './vector';

const ROOT: f32 = 0.7978845608028654; // sqrt(2 / pi)
const CUBE: f32 = 0.044715;

// 0.5 (1 + tanh u) = sigmoid(2u), which keeps the negative tail accurate.
// @ts-ignore: decorator
@inline
function gate(x: v128): v128 {
  const cube = f32x4.mul(f32x4.mul(x, x), f32x4.mul(x, splat(CUBE)));
  return sigmoid(f32x4.mul(f32x4.add(x, cube), splat(2 * ROOT)));
}

// @ts-ignore: decorator
@inline
function halfOnePlusErf(x: v128): v128 {
  return f32x4.mul(onePlusErf(f32x4.mul(x, splat(0.7071067811865476))), splat(0.5));
}

export function gelu(approximate: bool, n: i32, x: usize, y: usize): void {
  const bytes = <usize>n << 2;
  if (approximate) {
    for (let i: usize = 0; i < bytes; i += 16) {
      const v = v128.load(x + i);
      put(y, f32x4.mul(v, gate(v)), bytes, i);
    }
  } else {
    for (let i: usize = 0; i < bytes; i += 16) {
      const v = v128.load(x + i);
      put(y, f32x4.mul(v, halfOnePlusErf(v)), bytes, i);
    }
  }
}

export function geluGrad(approximate: bool, n: i32, x: usize, dy: usize, dx: usize): void {
  const bytes = <usize>n << 2;
  // Beyond 30 the derivative is 0 or 1; the cap keeps 0 * inf away.
  const cap = splat(30);
  const floor = splat(-30);
  if (approximate) {
    for (let i: usize = 0; i < bytes; i += 16) {
      const v = f32x4.pmax(f32x4.pmin(v128.load(x + i), cap), floor);
      const s = gate(v);
      const slope = madd(f32x4.mul(v, v), splat(6 * CUBE * ROOT), splat(2 * ROOT));
      const d = madd(f32x4.mul(v, s), f32x4.mul(f32x4.sub(splat(1), s), slope), s);
      put(dx, f32x4.mul(v128.load(dy + i), d), bytes, i);
    }
  } else {
    for (let i: usize = 0; i < bytes; i += 16) {
      const v = f32x4.pmax(f32x4.pmin(v128.load(x + i), cap), floor);
      const density = f32x4.mul(exp(f32x4.mul(f32x4.mul(v, v), splat(-0.5))), splat(0.3989422804014327));
      put(dx, f32x4.mul(v128.load(dy + i), madd(v, density, halfOnePlusErf(v))), bytes, i);
    }
  }
}

export function silu(n: i32, x: usize, y: usize): void {
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(x + i);
    put(y, f32x4.mul(v, sigmoid(v)), bytes, i);
  }
}

// d silu = s (1 + x (1 - s)).
// @ts-ignore: decorator
@inline
function siluSlope(x: v128, s: v128): v128 {
  return f32x4.mul(s, madd(x, f32x4.sub(splat(1), s), splat(1)));
}

export function siluGrad(n: i32, x: usize, dy: usize, dx: usize): void {
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(x + i);
    put(dx, f32x4.mul(v128.load(dy + i), siluSlope(v, sigmoid(v))), bytes, i);
  }
}

/** y = silu(g) u. */
export function swiglu(n: i32, g: usize, u: usize, y: usize): void {
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(g + i);
    put(y, f32x4.mul(f32x4.mul(v, sigmoid(v)), v128.load(u + i)), bytes, i);
  }
}

export function swigluGrad(n: i32, g: usize, u: usize, dy: usize, dg: usize, du: usize): void {
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = v128.load(g + i);
    const d = v128.load(dy + i);
    const s = sigmoid(v);
    put(dg, f32x4.mul(f32x4.mul(d, v128.load(u + i)), siluSlope(v, s)), bytes, i);
    put(du, f32x4.mul(d, f32x4.mul(v, s)), bytes, i);
  }
}

/**
 * AdamW (Loshchilov and Hutter 2019): g is scaled, p decays by 1 - lr wd, then steps by lr m^ / (sqrt(v^) + eps).
 * hyper: lr, 1 - beta1^t, 1 - beta2^t, gradScale, weightDecay. Outputs may be the inputs.
 */
export function adamw(
  n: i32,
  beta1: f64,
  beta2: f64,
  eps: f32,
  p: usize,
  g: usize,
  m: usize,
  v: usize,
  hyper: usize,
  po: usize,
  mo: usize,
  vo: usize,
): void {
  const bytes = <usize>n << 2;
  const lr = load<f32>(hyper);
  const step = splat(<f32>(<f64>lr / <f64>load<f32>(hyper, 4)));
  const root = splat(<f32>(1.0 / sqrt<f64>(<f64>load<f32>(hyper, 8))));
  const scale = v128.load32_splat(hyper, 12);
  const keep = splat(<f32>(1.0 - <f64>lr * <f64>load<f32>(hyper, 16)));
  const b1 = splat(<f32>beta1);
  const b2 = splat(<f32>beta2);
  const c1 = splat(<f32>(1.0 - beta1));
  const c2 = splat(<f32>(1.0 - beta2));
  const tiny = splat(eps);
  for (let i: usize = 0; i < bytes; i += 16) {
    const grad = f32x4.mul(v128.load(g + i), scale);
    const first = madd(v128.load(m + i), b1, f32x4.mul(grad, c1));
    const second = madd(v128.load(v + i), b2, f32x4.mul(f32x4.mul(grad, grad), c2));
    const denominator = f32x4.add(f32x4.mul(f32x4.sqrt(second), root), tiny);
    const moved = f32x4.div(f32x4.mul(first, step), denominator);
    const next = f32x4.sub(f32x4.mul(v128.load(p + i), keep), moved);
    put(mo, first, bytes, i);
    put(vo, second, bytes, i);
    put(po, next, bytes, i);
  }
}
