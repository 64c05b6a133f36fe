/** Comparisons, tests and logic, which give bytes 0 and 1, and selection by such bytes. */
import { splat, storeTail } from './vector';

// @ts-ignore: decorator
@inline
function test(op: i32, a: v128, b: v128): v128 {
  if (op == 0) return f32x4.eq(a, b);
  if (op == 1) return f32x4.ne(a, b);
  if (op == 2) return f32x4.lt(a, b);
  if (op == 3) return f32x4.le(a, b);
  if (op == 4) return f32x4.gt(a, b);
  if (op == 5) return f32x4.ge(a, b);
  if (op == 6) return i32x4.eq(a, b);
  if (op == 7) return i32x4.ne(a, b);
  if (op == 8) return i32x4.lt_s(a, b);
  if (op == 9) return i32x4.le_s(a, b);
  if (op == 10) return i32x4.gt_s(a, b);
  if (op == 11) return i32x4.ge_s(a, b);
  if (op == 12) return f32x4.ne(a, a);
  if (op == 13) return f32x4.eq(f32x4.abs(a), splat(Infinity));
  return f32x4.lt(f32x4.abs(a), splat(Infinity));
}

// Four flags as the bytes of an i32.
// @ts-ignore: decorator
@inline
function flags(mask: v128): i32 {
  const bits = v128.and(mask, i32x4.splat(1));
  return i32x4.extract_lane(i8x16.shuffle(bits, bits, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12, 0, 4, 8, 12), 0);
}

// @ts-ignore: decorator
@inline
function compareRow(op: i32, n: i32, a: usize, b: usize, oneB: bool, o: usize): void {
  const whole = n & ~3;
  const vb = v128.load32_splat(b);
  let i = 0;
  for (; i < whole; i += 4) {
    const at = <usize>i << 2;
    store<i32>(o + i, flags(test(op, v128.load(a + at), oneB ? vb : v128.load(b + at))));
  }
  if (i < n) {
    const at = <usize>i << 2;
    let f = flags(test(op, v128.load(a + at), oneB ? vb : v128.load(b + at)));
    for (; i < n; ++i) {
      store<u8>(o + i, <u8>f);
      f >>= 8;
    }
  }
}

// @ts-ignore: decorator
@inline
function compareRows(op: i32, rows: i32, n: i32, a: usize, rowA: usize, b: usize, rowB: usize, oneB: bool, o: usize): void {
  let pa = a;
  let pb = b;
  let po = o;
  for (let r = rows; r > 0; --r) {
    if (oneB) compareRow(op, n, pa, pb, true, po);
    else compareRow(op, n, pa, pb, false, po);
    pa += rowA;
    pb += rowB;
    po += <usize>n;
  }
}

/**
 * `rows` rows of n; row strides count elements, `oneB`: a row of b holds one value.
 * op: eq ne lt le gt ge of f32, the same of i32, then isNaN isInf isFinite of a.
 */
export function compare(op: i32, rows: i32, n: i32, a: usize, rowA: i32, b: usize, rowB: i32, oneB: bool, o: usize): void {
  const ra = <usize>rowA << 2;
  const rb = <usize>rowB << 2;
  switch (op) {
    case 0:
      compareRows(0, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 1:
      compareRows(1, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 2:
      compareRows(2, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 3:
      compareRows(3, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 4:
      compareRows(4, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 5:
      compareRows(5, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 6:
      compareRows(6, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 7:
      compareRows(7, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 8:
      compareRows(8, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 9:
      compareRows(9, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 10:
      compareRows(10, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 11:
      compareRows(11, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 12:
      compareRows(12, rows, n, a, ra, b, rb, oneB, o);
      break;
    case 13:
      compareRows(13, rows, n, a, ra, b, rb, oneB, o);
      break;
    default:
      compareRows(14, rows, n, a, ra, b, rb, oneB, o);
  }
}

/** Bytes: and, or, xor. */
export function logic(op: i32, n: i32, a: usize, b: usize, o: usize): void {
  let i: usize = 0;
  const end = <usize>n;
  for (; i + 16 <= end; i += 16) {
    const x = v128.load(a + i);
    const y = v128.load(b + i);
    v128.store(o + i, op == 0 ? v128.and(x, y) : op == 1 ? v128.or(x, y) : v128.xor(x, y));
  }
  for (; i < end; ++i) {
    const x = load<u8>(a + i);
    const y = load<u8>(b + i);
    store<u8>(o + i, op == 0 ? x & y : op == 1 ? x | y : x ^ y);
  }
}

export function logicNot(n: i32, a: usize, o: usize): void {
  let i: usize = 0;
  const end = <usize>n;
  for (; i + 16 <= end; i += 16) v128.store(o + i, v128.xor(v128.load(a + i), i8x16.splat(1)));
  for (; i < end; ++i) store<u8>(o + i, load<u8>(a + i) ^ 1);
}

/** out = cond ? a : b, 32-bit elements of any kind; a flag says that the operand is one value. */
export function select32(n: i32, cond: usize, oneCond: bool, a: usize, oneA: bool, b: usize, oneB: bool, o: usize): void {
  const whole = n & ~3;
  const va = v128.load32_splat(a);
  const vb = v128.load32_splat(b);
  const zero = i32x4.splat(0);
  const fixed = i32x4.splat(<i32>load<u8>(cond));
  for (let i = 0; i < n; i += 4) {
    const at = <usize>i << 2;
    const bytes = oneCond ? fixed : i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(cond + i)));
    const mask = i32x4.ne(bytes, zero);
    const r = v128.bitselect(oneA ? va : v128.load(a + at), oneB ? vb : v128.load(b + at), mask);
    if (i < whole) v128.store(o + at, r);
    else storeTail(o + at, r, n - i);
  }
}
