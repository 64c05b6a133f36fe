/** Products with few rows, where packing would cost more than the product: B is read where it lies. */
import { madd, splat, storeTail } from './vector';

/** One row of C over B: [k, n], 32, 4 and 1..3 columns at a time; `stepA` is the distance of the values of a. */
function oneRow(n: i32, k: i32, a: usize, stepA: usize, b: usize, stepB: usize, c: usize): void {
  let j = 0;
  for (; j + 32 <= n; j += 32) {
    let pb = b + (<usize>j << 2);
    let pa = a;
    let s0 = splat(0);
    let s1 = splat(0);
    let s2 = splat(0);
    let s3 = splat(0);
    let s4 = splat(0);
    let s5 = splat(0);
    let s6 = splat(0);
    let s7 = splat(0);
    for (let i = k; i > 0; --i) {
      const x = v128.load32_splat(pa);
      s0 = madd(x, v128.load(pb), s0);
      s1 = madd(x, v128.load(pb, 16), s1);
      s2 = madd(x, v128.load(pb, 32), s2);
      s3 = madd(x, v128.load(pb, 48), s3);
      s4 = madd(x, v128.load(pb, 64), s4);
      s5 = madd(x, v128.load(pb, 80), s5);
      s6 = madd(x, v128.load(pb, 96), s6);
      s7 = madd(x, v128.load(pb, 112), s7);
      pa += stepA;
      pb += stepB;
    }
    const p = c + (<usize>j << 2);
    v128.store(p, s0);
    v128.store(p, s1, 16);
    v128.store(p, s2, 32);
    v128.store(p, s3, 48);
    v128.store(p, s4, 64);
    v128.store(p, s5, 80);
    v128.store(p, s6, 96);
    v128.store(p, s7, 112);
  }
  for (; j < n; j += 4) {
    let pb = b + (<usize>j << 2);
    let pa = a;
    let s = splat(0);
    for (let i = k; i > 0; --i) {
      s = madd(v128.load32_splat(pa), v128.load(pb), s);
      pa += stepA;
      pb += stepB;
    }
    const p = c + (<usize>j << 2);
    if (n - j >= 4) v128.store(p, s);
    else storeTail(p, s, n - j);
  }
}

/** Four rows of C at once, 8 columns at a time. */
function fourRows(n: i32, k: i32, a: usize, rowA: usize, stepA: usize, b: usize, stepB: usize, c: usize, stepC: usize): void {
  const c1 = c + stepC;
  const c2 = c1 + stepC;
  const c3 = c2 + stepC;
  let j = 0;
  for (; j + 8 <= n; j += 8) {
    let pb = b + (<usize>j << 2);
    let p0 = a;
    let p1 = a + rowA;
    let p2 = p1 + rowA;
    let p3 = p2 + rowA;
    let c00 = splat(0);
    let c01 = splat(0);
    let c10 = splat(0);
    let c11 = splat(0);
    let c20 = splat(0);
    let c21 = splat(0);
    let c30 = splat(0);
    let c31 = splat(0);
    for (let i = k; i > 0; --i) {
      const b0 = v128.load(pb);
      const b1 = v128.load(pb, 16);
      const a0 = v128.load32_splat(p0);
      c00 = madd(a0, b0, c00);
      c01 = madd(a0, b1, c01);
      const a1 = v128.load32_splat(p1);
      c10 = madd(a1, b0, c10);
      c11 = madd(a1, b1, c11);
      const a2 = v128.load32_splat(p2);
      c20 = madd(a2, b0, c20);
      c21 = madd(a2, b1, c21);
      const a3 = v128.load32_splat(p3);
      c30 = madd(a3, b0, c30);
      c31 = madd(a3, b1, c31);
      p0 += stepA;
      p1 += stepA;
      p2 += stepA;
      p3 += stepA;
      pb += stepB;
    }
    const at = <usize>j << 2;
    v128.store(c + at, c00);
    v128.store(c + at, c01, 16);
    v128.store(c1 + at, c10);
    v128.store(c1 + at, c11, 16);
    v128.store(c2 + at, c20);
    v128.store(c2 + at, c21, 16);
    v128.store(c3 + at, c30);
    v128.store(c3 + at, c31, 16);
  }
  for (; j < n; j += 4) {
    let pb = b + (<usize>j << 2);
    let p = a;
    let s0 = splat(0);
    let s1 = splat(0);
    let s2 = splat(0);
    let s3 = splat(0);
    for (let i = k; i > 0; --i) {
      const b0 = v128.load(pb);
      s0 = madd(v128.load32_splat(p), b0, s0);
      s1 = madd(v128.load32_splat(p + rowA), b0, s1);
      s2 = madd(v128.load32_splat(p + (rowA << 1)), b0, s2);
      s3 = madd(v128.load32_splat(p + rowA * 3), b0, s3);
      p += stepA;
      pb += stepB;
    }
    const at = <usize>j << 2;
    const rest = n - j;
    if (rest >= 4) {
      v128.store(c + at, s0);
      v128.store(c1 + at, s1);
      v128.store(c2 + at, s2);
      v128.store(c3 + at, s3);
    } else {
      storeTail(c + at, s0, rest);
      storeTail(c1 + at, s1, rest);
      storeTail(c2 + at, s2, rest);
      storeTail(c3 + at, s3, rest);
    }
  }
}

/** C: [m, n] = A B for small m, B stored [k, n]; A has any strides (elements): rowA from row to row, stepA along k. */
export function gemmFewRows(m: i32, n: i32, k: i32, a: usize, rowA: i32, stepA: i32, b: usize, ldb: i32, c: usize, ldc: i32): void {
  const bytesRow = <usize>rowA << 2;
  const bytesA = <usize>stepA << 2;
  const bytesB = <usize>ldb << 2;
  const bytesC = <usize>ldc << 2;
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    fourRows(n, k, a + <usize>i * bytesRow, bytesRow, bytesA, b, bytesB, c + <usize>i * bytesC, bytesC);
  }
  for (; i < m; ++i) {
    oneRow(n, k, a + <usize>i * bytesRow, bytesA, b, bytesB, c + <usize>i * bytesC);
  }
}

/** Lanes of four vectors, each added up as `sumLanes` does. */
function sumFour(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab0 = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const ab1 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const cd0 = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd1 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const ab = f32x4.add(ab0, ab1); // a0 + a2, b0 + b2, a1 + a3, b1 + b3
  const cd = f32x4.add(cd0, cd1);
  const even = i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
  const odd = i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
  return f32x4.add(even, odd);
}

// Products of the last k % 4 values of a row with those of four others.
function tails(p: usize, q0: usize, q1: usize, q2: usize, q3: usize, rest: i32): v128 {
  let t = splat(0);
  for (let i: usize = 0, end = <usize>rest << 2; i < end; i += 4) {
    let q = v128.load32_zero(q0 + i);
    q = v128.load_lane<f32>(q1 + i, q, 1);
    q = v128.load_lane<f32>(q2 + i, q, 2);
    q = v128.load_lane<f32>(q3 + i, q, 3);
    t = f32x4.add(t, f32x4.mul(v128.load32_splat(p + i), q));
  }
  return t;
}

/** Four rows of A with two of B: C[0..3, j] and C[0..3, j + 1] as vectors over the rows. */
function dotsFourTwo(k: i32, a: usize, stepA: usize, b: usize, stepB: usize, c: usize, rowC: usize, stepC: usize): void {
  const a1 = a + stepA;
  const a2 = a1 + stepA;
  const a3 = a2 + stepA;
  const b1 = b + stepB;
  const whole = <usize>(k & ~3) << 2;
  let s00 = splat(0);
  let s01 = splat(0);
  let s10 = splat(0);
  let s11 = splat(0);
  let s20 = splat(0);
  let s21 = splat(0);
  let s30 = splat(0);
  let s31 = splat(0);
  for (let p: usize = 0; p < whole; p += 16) {
    const y0 = v128.load(b + p);
    const y1 = v128.load(b1 + p);
    const x0 = v128.load(a + p);
    s00 = madd(x0, y0, s00);
    s01 = madd(x0, y1, s01);
    const x1 = v128.load(a1 + p);
    s10 = madd(x1, y0, s10);
    s11 = madd(x1, y1, s11);
    const x2 = v128.load(a2 + p);
    s20 = madd(x2, y0, s20);
    s21 = madd(x2, y1, s21);
    const x3 = v128.load(a3 + p);
    s30 = madd(x3, y0, s30);
    s31 = madd(x3, y1, s31);
  }
  let left = sumFour(s00, s10, s20, s30);
  let right = sumFour(s01, s11, s21, s31);
  const rest = k & 3;
  if (rest) {
    left = f32x4.add(left, tails(b + whole, a + whole, a1 + whole, a2 + whole, a3 + whole, rest));
    right = f32x4.add(right, tails(b1 + whole, a + whole, a1 + whole, a2 + whole, a3 + whole, rest));
  }
  for (let r = 0; r < 2; ++r) {
    const sums = r == 0 ? left : right;
    const to = c + <usize>r * stepC;
    v128.store_lane<f32>(to, sums, 0);
    v128.store_lane<f32>(to + rowC, sums, 1);
    v128.store_lane<f32>(to + (rowC << 1), sums, 2);
    v128.store_lane<f32>(to + rowC * 3, sums, 3);
  }
}

/** One row of A with eight of B: eight elements of C. */
function dotsOneEight(k: i32, a: usize, b: usize, stepB: usize, c: usize, stepC: usize): void {
  const whole = <usize>(k & ~3) << 2;
  const b1 = b + stepB;
  const b2 = b1 + stepB;
  const b3 = b2 + stepB;
  const b4 = b3 + stepB;
  const b5 = b4 + stepB;
  const b6 = b5 + stepB;
  const b7 = b6 + stepB;
  let s0 = splat(0);
  let s1 = splat(0);
  let s2 = splat(0);
  let s3 = splat(0);
  let s4 = splat(0);
  let s5 = splat(0);
  let s6 = splat(0);
  let s7 = splat(0);
  for (let p: usize = 0; p < whole; p += 16) {
    const x = v128.load(a + p);
    s0 = madd(x, v128.load(b + p), s0);
    s1 = madd(x, v128.load(b1 + p), s1);
    s2 = madd(x, v128.load(b2 + p), s2);
    s3 = madd(x, v128.load(b3 + p), s3);
    s4 = madd(x, v128.load(b4 + p), s4);
    s5 = madd(x, v128.load(b5 + p), s5);
    s6 = madd(x, v128.load(b6 + p), s6);
    s7 = madd(x, v128.load(b7 + p), s7);
  }
  let low = sumFour(s0, s1, s2, s3);
  let high = sumFour(s4, s5, s6, s7);
  const rest = k & 3;
  if (rest) {
    low = f32x4.add(low, tails(a + whole, b + whole, b1 + whole, b2 + whole, b3 + whole, rest));
    high = f32x4.add(high, tails(a + whole, b4 + whole, b5 + whole, b6 + whole, b7 + whole, rest));
  }
  for (let h = 0; h < 2; ++h) {
    const sums = h == 0 ? low : high;
    const to = c + (<usize>h << 2) * stepC;
    v128.store_lane<f32>(to, sums, 0);
    v128.store_lane<f32>(to + stepC, sums, 1);
    v128.store_lane<f32>(to + (stepC << 1), sums, 2);
    v128.store_lane<f32>(to + stepC * 3, sums, 3);
  }
}

/** One row of A with all rows of B, eight at a time, then four. */
function dotsOne(n: i32, k: i32, a: usize, b: usize, stepB: usize, c: usize, stepC: usize): void {
  const whole = <usize>(k & ~3) << 2;
  const rest = k & 3;
  let pb = b;
  let pc = c;
  let j = 0;
  for (; j + 8 <= n; j += 8) {
    dotsOneEight(k, a, pb, stepB, pc, stepC);
    pc += stepC << 3;
    pb += stepB << 3;
  }
  for (; j < n; j += 4) {
    // past the last row the same one again
    const q1 = j + 1 < n ? pb + stepB : pb;
    const q2 = j + 2 < n ? q1 + stepB : pb;
    const q3 = j + 3 < n ? q2 + stepB : pb;
    let s0 = splat(0);
    let s1 = splat(0);
    let s2 = splat(0);
    let s3 = splat(0);
    for (let p: usize = 0; p < whole; p += 16) {
      const x = v128.load(a + p);
      s0 = madd(x, v128.load(pb + p), s0);
      s1 = madd(x, v128.load(q1 + p), s1);
      s2 = madd(x, v128.load(q2 + p), s2);
      s3 = madd(x, v128.load(q3 + p), s3);
    }
    let sums = sumFour(s0, s1, s2, s3);
    if (rest) sums = f32x4.add(sums, tails(a + whole, pb + whole, q1 + whole, q2 + whole, q3 + whole, rest));
    v128.store_lane<f32>(pc, sums, 0);
    if (j + 1 < n) v128.store_lane<f32>(pc + stepC, sums, 1);
    if (j + 2 < n) v128.store_lane<f32>(pc + (stepC << 1), sums, 2);
    if (j + 3 < n) v128.store_lane<f32>(pc + stepC * 3, sums, 3);
    pc += stepC << 2;
    pb += stepB << 2;
  }
}

/**
 * C[i, j] = A[i] · B[j], rows of k contiguous values in both; C has strides in elements. Nothing is packed: for small m. An
 * element's sum does not depend on m or n.
 */
export function gemmDots(m: i32, n: i32, k: i32, a: usize, lda: i32, b: usize, ldb: i32, c: usize, rowC: i32, stepC: i32): void {
  const bytesA = <usize>lda << 2;
  const bytesB = <usize>ldb << 2;
  const bytesRow = <usize>rowC << 2;
  const bytesC = <usize>stepC << 2;
  const four = m & ~3;
  if (four > 0) {
    let j = 0;
    for (; j + 2 <= n; j += 2) {
      const pb = b + <usize>j * bytesB;
      const pc = c + <usize>j * bytesC;
      for (let i = 0; i < four; i += 4) {
        dotsFourTwo(k, a + <usize>i * bytesA, bytesA, pb, bytesB, pc + <usize>i * bytesRow, bytesRow, bytesC);
      }
    }
    if (j < n) {
      const pb = b + <usize>j * bytesB;
      for (let i = 0; i < four; ++i) {
        dotsOne(1, k, a + <usize>i * bytesA, pb, bytesB, c + <usize>i * bytesRow + <usize>j * bytesC, bytesC);
      }
    }
  }
  for (let i = four; i < m; ++i) {
    dotsOne(n, k, a + <usize>i * bytesA, b, bytesB, c + <usize>i * bytesRow, bytesC);
  }
}
