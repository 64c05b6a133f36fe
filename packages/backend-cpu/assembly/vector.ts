/** Helpers of all kernels: tails, horizontal sums and elementary functions on four f32 lanes. */

// A fused multiply-add in the relaxed build, two roundings in the plain one.
// @ts-ignore: decorator
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) {
    return f32x4.relaxed_madd(a, b, c);
  }
  return f32x4.add(f32x4.mul(a, b), c);
}

// @ts-ignore: decorator
@inline
export function splat(x: f32): v128 {
  return f32x4.splat(x);
}

/** Stores the first `count` (1, 2 or 3) lanes. Loads may run past a tail: memory ends in a guard. */
// @ts-ignore: decorator
@inline
export function storeTail(p: usize, v: v128, count: i32): void {
  v128.store_lane<f32>(p, v, 0);
  if (count > 1) v128.store_lane<f32>(p, v, 1, 4);
  if (count > 2) v128.store_lane<f32>(p, v, 2, 8);
}

/** The first `count` lanes of v, `fill` in the others. */
// @ts-ignore: decorator
@inline
export function maskTail(v: v128, count: i32, fill: v128): v128 {
  return v128.bitselect(v, fill, i32x4.gt_s(i32x4.splat(count), i32x4(0, 1, 2, 3)));
}

/** Stores v at byte i of a row of so many bytes, of which it may be the tail. */
// @ts-ignore: decorator
@inline
export function put(p: usize, v: v128, bytes: usize, i: usize): void {
  if (i + 16 <= bytes) v128.store(p + i, v);
  else storeTail(p + i, v, <i32>((bytes - i) >> 2));
}

/** v at byte i of a row of so many bytes; lanes beyond the row become 0. */
// @ts-ignore: decorator
@inline
export function inside(v: v128, bytes: usize, i: usize): v128 {
  return i + 16 <= bytes ? v : maskTail(v, <i32>((bytes - i) >> 2), splat(0));
}

// @ts-ignore: decorator
@inline
export function sumLanes(v: v128): f32 {
  const w = f32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(w, 0) + f32x4.extract_lane(w, 1);
}

/** NaN wins. */
// @ts-ignore: decorator
@inline
export function maxLanes(v: v128): f32 {
  const w = f32x4.max(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return max<f32>(f32x4.extract_lane(w, 0), f32x4.extract_lane(w, 1));
}

/** NaN wins. */
// @ts-ignore: decorator
@inline
export function minLanes(v: v128): f32 {
  const w = f32x4.min(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return min<f32>(f32x4.extract_lane(w, 0), f32x4.extract_lane(w, 1));
}

// 1.5 * 2^23: adding it rounds to an integer that stands in the low bits.
const MAGIC: f32 = 12582912;

/** e^r on |r| <= ln2 / 2: 1 + r + r^2 times a minimax polynomial of degree 4 (relative error 7e-8 after rounding). */
// @ts-ignore: decorator
@inline
function expPoly(r: v128): v128 {
  let p = madd(splat(1.3814598788e-3), r, splat(8.3687165756e-3));
  p = madd(p, r, splat(4.1668388993e-2));
  p = madd(p, r, splat(1.6666521132e-1));
  p = madd(p, r, splat(4.9999994040e-1));
  return f32x4.add(madd(f32x4.mul(p, r), r, r), splat(1));
}

/** e^x for x <= 0 or NaN; results under the least normal number become 0. */
// @ts-ignore: decorator
@inline
export function expNegative(x: v128): v128 {
  const t = madd(x, splat(1.44269504089), splat(MAGIC));
  const n = f32x4.sub(t, splat(MAGIC));
  const r = madd(n, splat(2.12194440e-4), madd(n, splat(-0.693359375), x));
  const scale = i32x4.add(i32x4.shl(t, 23), i32x4.splat(0x3f800000));
  // x < -87.33 would leave the exponent's range; NaN compares false and stays.
  return v128.andnot(f32x4.mul(expPoly(r), scale), f32x4.lt(x, splat(-87.33)));
}

/** e^x for every x, subnormal results included. */
// @ts-ignore: decorator
@inline
export function exp(value: v128): v128 {
  const x = f32x4.pmax(f32x4.pmin(value, splat(89)), splat(-104.5));
  const t = madd(x, splat(1.44269504089), splat(MAGIC));
  const n = f32x4.sub(t, splat(MAGIC));
  const r = madd(n, splat(2.12194440e-4), madd(n, splat(-0.693359375), x));
  // 2^n in two factors, so that neither leaves the normal range.
  const k = i32x4.sub(t, i32x4.splat(0x4b400000));
  const half = i32x4.shr_s(k, 1);
  const one = i32x4.splat(0x3f800000);
  const lo = i32x4.add(i32x4.shl(half, 23), one);
  const hi = i32x4.add(i32x4.shl(i32x4.sub(k, half), 23), one);
  return f32x4.mul(f32x4.mul(expPoly(r), lo), hi);
}

/** Natural logarithm (Cephes logf): log 0 = -inf, of a negative NaN. */
// @ts-ignore: decorator
@inline
export function log(value: v128): v128 {
  const least: f32 = 1.17549435e-38;
  const tiny = f32x4.lt(value, splat(least));
  // Subnormals are scaled up by 2^23.
  const x = v128.bitselect(f32x4.mul(value, splat(8388608)), value, tiny);
  let e = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_s(x, 23), i32x4.splat(126)));
  e = f32x4.sub(e, v128.and(splat(23), tiny));
  let m = v128.or(v128.and(x, i32x4.splat(0x007fffff)), splat(0.5)); // [0.5, 1)
  const low = f32x4.lt(m, splat(0.707106781186547524));
  e = f32x4.sub(e, v128.and(splat(1), low));
  m = f32x4.sub(f32x4.add(m, v128.and(m, low)), splat(1));
  const z = f32x4.mul(m, m);
  let y = madd(splat(7.0376836292e-2), m, splat(-1.1514610310e-1));
  y = madd(y, m, splat(1.1676998740e-1));
  y = madd(y, m, splat(-1.2420140846e-1));
  y = madd(y, m, splat(1.4249322787e-1));
  y = madd(y, m, splat(-1.6668057665e-1));
  y = madd(y, m, splat(2.0000714765e-1));
  y = madd(y, m, splat(-2.4999993993e-1));
  y = madd(y, m, splat(3.3333331174e-1));
  y = f32x4.mul(f32x4.mul(y, m), z);
  y = madd(e, splat(-2.12194440e-4), y);
  y = madd(z, splat(-0.5), y);
  let r = madd(e, splat(0.693359375), f32x4.add(m, y));
  // +inf and NaN map to themselves, 0 to -inf, negatives to NaN.
  const finite = f32x4.lt(value, splat(Infinity));
  r = v128.bitselect(r, value, finite);
  r = v128.bitselect(splat(-Infinity), r, f32x4.eq(value, splat(0)));
  return v128.bitselect(splat(NaN), r, f32x4.lt(value, splat(0)));
}

/** log(1 + z) for z >= 0, relative accuracy kept near 0 (Kahan). */
// @ts-ignore: decorator
@inline
export function log1pPositive(z: v128): v128 {
  const u = f32x4.add(z, splat(1));
  const d = f32x4.sub(u, splat(1));
  const exact = f32x4.eq(d, splat(0));
  return v128.bitselect(z, f32x4.mul(log(u), f32x4.div(z, d)), exact);
}

/** Cephes tanhf: a polynomial under 0.625, 1 - 2 / (e^2x + 1) above. */
// @ts-ignore: decorator
@inline
export function tanh(x: v128): v128 {
  const sign = v128.and(x, i32x4.splat(0x80000000));
  const a = v128.xor(x, sign);
  const z = f32x4.mul(x, x);
  let p = madd(splat(-5.70498872745e-3), z, splat(2.06390887954e-2));
  p = madd(p, z, splat(-5.37397155531e-2));
  p = madd(p, z, splat(1.33314422036e-1));
  p = madd(p, z, splat(-3.33332819422e-1));
  p = madd(f32x4.mul(p, z), x, x);
  // e^-2a <= 1 cannot overflow: tanh a = (1 - e^-2a) / (1 + e^-2a).
  const e = expNegative(f32x4.mul(a, splat(-2)));
  const big = f32x4.div(f32x4.sub(splat(1), e), f32x4.add(splat(1), e));
  return v128.bitselect(p, v128.or(big, sign), f32x4.lt(a, splat(0.625)));
}

/** 1 / (1 + e^-x), relative accuracy kept in the negative tail down to the least normal number. */
// @ts-ignore: decorator
@inline
export function sigmoid(x: v128): v128 {
  const e = expNegative(v128.or(x, i32x4.splat(0x80000000)));
  const top = v128.bitselect(e, splat(1), f32x4.lt(x, splat(0)));
  return f32x4.div(top, f32x4.add(splat(1), e));
}

/** log(1 + e^x) = max(x, 0) + log(1 + e^-|x|). */
// @ts-ignore: decorator
@inline
export function softplus(x: v128): v128 {
  const e = exp(v128.or(x, i32x4.splat(0x80000000)));
  return f32x4.add(f32x4.pmax(x, splat(0)), log1pPositive(e));
}

/** log of erfc(t) for t > 0.92 (minimax polynomial; t capped where erfc has no f32 left). */
// @ts-ignore: decorator
@inline
function logErfc(t: v128): v128 {
  const s = f32x4.mul(t, t);
  const r = madd(splat(-1.72853470e-5), t, splat(3.83197126e-4));
  const u = madd(splat(-3.88396438e-3), t, splat(2.42546219e-2));
  let p = madd(r, s, u);
  p = madd(p, t, splat(-1.06777877e-1));
  p = madd(p, t, splat(-6.34846687e-1));
  p = madd(p, t, splat(-1.28717512e-1));
  return f32x4.sub(f32x4.mul(p, t), t);
}

// @ts-ignore: decorator
@inline
function erfPoly(x: v128): v128 {
  const s = f32x4.mul(x, x);
  let p = madd(splat(-5.96761703e-4), s, splat(4.99119423e-3));
  p = madd(p, s, splat(-2.67681349e-2));
  p = madd(p, s, splat(1.12819925e-1));
  p = madd(p, s, splat(-3.76125336e-1));
  p = madd(p, s, splat(1.28379166e-1));
  return madd(p, x, x);
}

// @ts-ignore: decorator
@inline
export function erf(x: v128): v128 {
  const sign = v128.and(x, i32x4.splat(0x80000000));
  const a = v128.xor(x, sign);
  const tail = expNegative(logErfc(f32x4.pmin(a, splat(4))));
  const big = v128.or(f32x4.sub(splat(1), tail), sign);
  return v128.bitselect(erfPoly(x), big, f32x4.lt(a, splat(0.927734375)));
}

/** 1 + erf(x), without cancellation down to x = -4. */
// @ts-ignore: decorator
@inline
export function onePlusErf(x: v128): v128 {
  const a = v128.and(x, i32x4.splat(0x7fffffff));
  const tail = v128.andnot(
    expNegative(logErfc(f32x4.pmin(a, splat(4.5)))),
    f32x4.gt(a, splat(4.5)),
  );
  const big = v128.bitselect(tail, f32x4.sub(splat(2), tail), f32x4.lt(x, splat(0)));
  return v128.bitselect(f32x4.add(splat(1), erfPoly(x)), big, f32x4.lt(a, splat(0.927734375)));
}
