/** Elementwise kernels: binary with row and column broadcasting (f32, some i32), unary (f32). */
import { erf, exp, log, sigmoid, softplus, splat, storeTail, tanh } from './vector';

// @ts-ignore: decorator
@inline
function combine(op: i32, a: v128, b: v128): v128 {
  if (op == 0) return f32x4.add(a, b);
  if (op == 1) return f32x4.sub(a, b);
  if (op == 2) return f32x4.mul(a, b);
  if (op == 3) return f32x4.div(a, b);
  if (op == 4) return f32x4.max(a, b);
  if (op == 5) return f32x4.min(a, b);
  if (op == 6) return i32x4.add(a, b);
  if (op == 7) return i32x4.sub(a, b);
  if (op == 8) return i32x4.mul(a, b);
  if (op == 9) return i32x4.max_s(a, b);
  if (op == 10) return i32x4.min_s(a, b);
  // The remainder of a power of two has the sign of the divisor.
  return v128.and(a, i32x4.sub(b, i32x4.splat(1)));
}

// One row; a flag says that the operand is one value for the whole row.
// @ts-ignore: decorator
@inline
function binaryRow(op: i32, n: i32, a: usize, b: usize, o: usize, oneA: bool, oneB: bool): void {
  const end = <usize>n << 2;
  const whole = end & ~15;
  const pairs = end & ~31;
  const va = v128.load32_splat(a);
  const vb = v128.load32_splat(b);
  let i: usize = 0;
  for (; i < pairs; i += 32) {
    v128.store(o + i, combine(op, oneA ? va : v128.load(a + i), oneB ? vb : v128.load(b + i)));
    v128.store(o + i, combine(op, oneA ? va : v128.load(a + i, 16), oneB ? vb : v128.load(b + i, 16)), 16);
  }
  if (i < whole) {
    v128.store(o + i, combine(op, oneA ? va : v128.load(a + i), oneB ? vb : v128.load(b + i)));
    i += 16;
  }
  if (i < end) {
    storeTail(o + i, combine(op, oneA ? va : v128.load(a + i), oneB ? vb : v128.load(b + i)), <i32>((end - i) >> 2));
  }
}

// @ts-ignore: decorator
@inline
function binaryRows(op: i32, rows: i32, n: i32, a: usize, rowA: usize, oneA: bool, b: usize, rowB: usize, oneB: bool, o: usize): void {
  let pa = a;
  let pb = b;
  let po = o;
  const rowO = <usize>n << 2;
  if (oneA) {
    for (let r = rows; r > 0; --r) {
      binaryRow(op, n, pa, pb, po, true, false);
      pa += rowA;
      pb += rowB;
      po += rowO;
    }
  } else if (oneB) {
    for (let r = rows; r > 0; --r) {
      binaryRow(op, n, pa, pb, po, false, true);
      pa += rowA;
      pb += rowB;
      po += rowO;
    }
  } else {
    for (let r = rows; r > 0; --r) {
      binaryRow(op, n, pa, pb, po, false, false);
      pa += rowA;
      pb += rowB;
      po += rowO;
    }
  }
}

/**
 * `rows` rows of n. Row strides count elements (0 repeats a row); `oneA`/`oneB` say that a row holds one value.
 * op: add sub mul div maximum minimum of f32, then add sub mul maximum minimum of i32, and remainder by powers of two.
 */
export function binary(op: i32, rows: i32, n: i32, a: usize, rowA: i32, oneA: bool, b: usize, rowB: i32, oneB: bool, o: usize): void {
  const ra = <usize>rowA << 2;
  const rb = <usize>rowB << 2;
  switch (op) {
    case 0:
      binaryRows(0, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 1:
      binaryRows(1, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 2:
      binaryRows(2, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 3:
      binaryRows(3, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 4:
      binaryRows(4, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 5:
      binaryRows(5, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 6:
      binaryRows(6, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 7:
      binaryRows(7, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 8:
      binaryRows(8, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 9:
      binaryRows(9, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    case 10:
      binaryRows(10, rows, n, a, ra, oneA, b, rb, oneB, o);
      break;
    default:
      binaryRows(11, rows, n, a, ra, oneA, b, rb, oneB, o);
  }
}

// @ts-ignore: decorator
@inline
function evaluate(op: i32, x: v128): v128 {
  if (op == 0) return f32x4.neg(x);
  if (op == 1) return f32x4.abs(x);
  if (op == 2) return f32x4.mul(x, x);
  if (op == 3) return f32x4.sqrt(x);
  if (op == 4) return f32x4.div(splat(1), f32x4.sqrt(x));
  if (op == 5) return f32x4.div(splat(1), x);
  if (op == 6) return f32x4.pmax(x, splat(0));
  if (op == 7) return exp(x);
  if (op == 8) return log(x);
  if (op == 9) return tanh(x);
  if (op == 10) return sigmoid(x);
  if (op == 11) return softplus(x);
  if (op == 12) return erf(x);
  if (op == 13) return f32x4.floor(x);
  if (op == 14) return f32x4.ceil(x);
  if (op == 15) return f32x4.nearest(x);
  // sign: zeros and NaN stay.
  const one = v128.bitselect(x, splat(1), i32x4.splat(0x80000000));
  return v128.bitselect(one, x, f32x4.gt(f32x4.abs(x), splat(0)));
}

// @ts-ignore: decorator
@inline
function unaryLoop(op: i32, n: i32, x: usize, y: usize): void {
  const end = <usize>n << 2;
  const whole = end & ~15;
  let i: usize = 0;
  for (; i < whole; i += 16) v128.store(y + i, evaluate(op, v128.load(x + i)));
  if (i < end) storeTail(y + i, evaluate(op, v128.load(x + i)), <i32>((end - i) >> 2));
}

/** op: neg abs square sqrt rsqrt reciprocal relu exp log tanh sigmoid softplus erf floor ceil round sign. */
export function unary(op: i32, n: i32, x: usize, y: usize): void {
  switch (op) {
    case 0:
      unaryLoop(0, n, x, y);
      break;
    case 1:
      unaryLoop(1, n, x, y);
      break;
    case 2:
      unaryLoop(2, n, x, y);
      break;
    case 3:
      unaryLoop(3, n, x, y);
      break;
    case 4:
      unaryLoop(4, n, x, y);
      break;
    case 5:
      unaryLoop(5, n, x, y);
      break;
    case 6:
      unaryLoop(6, n, x, y);
      break;
    case 7:
      unaryLoop(7, n, x, y);
      break;
    case 8:
      unaryLoop(8, n, x, y);
      break;
    case 9:
      unaryLoop(9, n, x, y);
      break;
    case 10:
      unaryLoop(10, n, x, y);
      break;
    case 11:
      unaryLoop(11, n, x, y);
      break;
    case 12:
      unaryLoop(12, n, x, y);
      break;
    case 13:
      unaryLoop(13, n, x, y);
      break;
    case 14:
      unaryLoop(14, n, x, y);
      break;
    case 15:
      unaryLoop(15, n, x, y);
      break;
    default:
      unaryLoop(16, n, x, y);
  }
}
