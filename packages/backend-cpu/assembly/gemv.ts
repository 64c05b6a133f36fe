/** Products with few rows, where packing would cost more than the product: B is read where it lies. */
import { madd, splat, storeTail, sumLanes } from './vector';

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

/** C[i, j] = A[i] · B[j], rows of k contiguous values in both; C has strides in elements. For small m. */
export function gemmDots(m: i32, n: i32, k: i32, a: usize, lda: i32, b: usize, ldb: i32, c: usize, rowC: i32, stepC: i32): void {
  const bytesA = <usize>lda << 2;
  const bytesB = <usize>ldb << 2;
  const bytesC = <usize>stepC << 2;
  const whole = <usize>(k & ~3) << 2;
  const end = <usize>k << 2;
  for (let i = 0; i < m; ++i) {
    const pa = a + <usize>i * bytesA;
    let pc = c + (<usize>(i * rowC) << 2);
    let pb = b;
    let j = 0;
    for (; j + 4 <= n; j += 4) {
      const q1 = pb + bytesB;
      const q2 = q1 + bytesB;
      const q3 = q2 + bytesB;
      let s0 = splat(0);
      let s1 = splat(0);
      let s2 = splat(0);
      let s3 = splat(0);
      for (let p: usize = 0; p < whole; p += 16) {
        const x = v128.load(pa + p);
        s0 = madd(x, v128.load(pb + p), s0);
        s1 = madd(x, v128.load(q1 + p), s1);
        s2 = madd(x, v128.load(q2 + p), s2);
        s3 = madd(x, v128.load(q3 + p), s3);
      }
      let t0 = sumLanes(s0);
      let t1 = sumLanes(s1);
      let t2 = sumLanes(s2);
      let t3 = sumLanes(s3);
      for (let p = whole; p < end; p += 4) {
        const x = load<f32>(pa + p);
        t0 += x * load<f32>(pb + p);
        t1 += x * load<f32>(q1 + p);
        t2 += x * load<f32>(q2 + p);
        t3 += x * load<f32>(q3 + p);
      }
      store<f32>(pc, t0);
      store<f32>(pc + bytesC, t1);
      store<f32>(pc + (bytesC << 1), t2);
      store<f32>(pc + bytesC * 3, t3);
      pc += bytesC << 2;
      pb += bytesB << 2;
    }
    for (; j < n; ++j) {
      let s = splat(0);
      for (let p: usize = 0; p < whole; p += 16) s = madd(v128.load(pa + p), v128.load(pb + p), s);
      let t = sumLanes(s);
      for (let p = whole; p < end; p += 4) t += load<f32>(pa + p) * load<f32>(pb + p);
      store<f32>(pc, t);
      pc += bytesC;
      pb += bytesB;
    }
  }
}
