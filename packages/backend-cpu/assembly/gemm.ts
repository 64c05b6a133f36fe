/**
 * C = op(A) op(B), row-major with leading dimensions: packed panels and a 4 x 8 register tile.
 * K is not unrolled on purpose: engines then spill registers.
 */
import { edge, KC, MC, NC, packedA, packedB } from './scratch';
import { madd, splat } from './vector';

// One 4 x 8 tile from packed panels; `step` is the distance of the rows of c in bytes.
function tile(k: i32, pa: usize, pb: usize, c: usize, step: usize, accumulate: bool): void {
  let a = pa;
  let b = pb;
  let c00 = splat(0);
  let c01 = splat(0);
  let c10 = splat(0);
  let c11 = splat(0);
  let c20 = splat(0);
  let c21 = splat(0);
  let c30 = splat(0);
  let c31 = splat(0);
  for (let i = k; i > 0; --i) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    const a0 = v128.load32_splat(a);
    c00 = madd(a0, b0, c00);
    c01 = madd(a0, b1, c01);
    const a1 = v128.load32_splat(a, 4);
    c10 = madd(a1, b0, c10);
    c11 = madd(a1, b1, c11);
    const a2 = v128.load32_splat(a, 8);
    c20 = madd(a2, b0, c20);
    c21 = madd(a2, b1, c21);
    const a3 = v128.load32_splat(a, 12);
    c30 = madd(a3, b0, c30);
    c31 = madd(a3, b1, c31);
    a += 16;
    b += 32;
  }
  const r1 = c + step;
  const r2 = r1 + step;
  const r3 = r2 + step;
  if (accumulate) {
    c00 = f32x4.add(c00, v128.load(c));
    c01 = f32x4.add(c01, v128.load(c, 16));
    c10 = f32x4.add(c10, v128.load(r1));
    c11 = f32x4.add(c11, v128.load(r1, 16));
    c20 = f32x4.add(c20, v128.load(r2));
    c21 = f32x4.add(c21, v128.load(r2, 16));
    c30 = f32x4.add(c30, v128.load(r3));
    c31 = f32x4.add(c31, v128.load(r3, 16));
  }
  v128.store(c, c00);
  v128.store(c, c01, 16);
  v128.store(r1, c10);
  v128.store(r1, c11, 16);
  v128.store(r2, c20);
  v128.store(r2, c21, 16);
  v128.store(r3, c30);
  v128.store(r3, c31, 16);
}

function edgeTile(k: i32, pa: usize, pb: usize, c: usize, step: usize, accumulate: bool, mr: i32, nr: i32): void {
  tile(k, pa, pb, edge, 32, false);
  for (let i = 0; i < mr; ++i) {
    const from = edge + (<usize>i << 5);
    const to = c + <usize>i * step;
    for (let j = 0; j < nr; ++j) {
      const at = <usize>j << 2;
      const x = load<f32>(from + at);
      store<f32>(to + at, accumulate ? x + load<f32>(to + at) : x);
    }
  }
}

/** Panels of `width` (4 or 8) columns from rows of k: the source is [k, n], panel [k][width]. */
// @ts-ignore: decorator
@inline
function packRows(width: i32, from: usize, step: usize, k: i32, n: i32, to: usize): void {
  let out = to;
  let j = 0;
  for (; j + width <= n; j += width) {
    let p = from + (<usize>j << 2);
    for (let i = k; i > 0; --i) {
      v128.store(out, v128.load(p));
      if (width == 8) v128.store(out, v128.load(p, 16), 16);
      out += <usize>width << 2;
      p += step;
    }
  }
  if (j < n) {
    const rest = n - j;
    let p = from + (<usize>j << 2);
    for (let i = k; i > 0; --i) {
      for (let c = 0; c < width; ++c) {
        store<f32>(out + (<usize>c << 2), c < rest ? load<f32>(p + (<usize>c << 2)) : 0);
      }
      out += <usize>width << 2;
      p += step;
    }
  }
}

/** Four rows of k values become [k][4] (`gap` bytes between the quadruples). */
// @ts-ignore: decorator
@inline
function transposeFour(p: usize, step: usize, k: i32, to: usize, gap: usize): void {
  const p1 = p + step;
  const p2 = p1 + step;
  const p3 = p2 + step;
  let out = to;
  let i: usize = 0;
  const whole = <usize>(k & ~3) << 2;
  for (; i < whole; i += 16) {
    const a = v128.load(p + i);
    const b = v128.load(p1 + i);
    const c = v128.load(p2 + i);
    const d = v128.load(p3 + i);
    const ab0 = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const ab1 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    const cd0 = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const cd1 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    v128.store(out, i8x16.shuffle(ab0, cd0, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
    out += gap;
    v128.store(out, i8x16.shuffle(ab0, cd0, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
    out += gap;
    v128.store(out, i8x16.shuffle(ab1, cd1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
    out += gap;
    v128.store(out, i8x16.shuffle(ab1, cd1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
    out += gap;
  }
  const end = <usize>k << 2;
  for (; i < end; i += 4) {
    store<f32>(out, load<f32>(p + i));
    store<f32>(out, load<f32>(p1 + i), 4);
    store<f32>(out, load<f32>(p2 + i), 8);
    store<f32>(out, load<f32>(p3 + i), 12);
    out += gap;
  }
}

/** Panels of `width` (4 or 8) from a source stored [n, k]. */
// @ts-ignore: decorator
@inline
function packColumns(width: i32, from: usize, step: usize, k: i32, n: i32, to: usize): void {
  const gap = <usize>width << 2;
  let out = to;
  let j = 0;
  for (; j + width <= n; j += width) {
    const p = from + <usize>j * step;
    transposeFour(p, step, k, out, gap);
    if (width == 8) transposeFour(p + (step << 2), step, k, out + 16, gap);
    out += gap * <usize>k;
  }
  if (j < n) {
    const rest = n - j;
    for (let c = 0; c < width; ++c) {
      const p = from + <usize>(j + c) * step;
      let to = out + (<usize>c << 2);
      for (let i: usize = 0, end = <usize>k << 2; i < end; i += 4) {
        store<f32>(to, c < rest ? load<f32>(p + i) : 0);
        to += gap;
      }
    }
  }
}

/** op(A): [m, k] as panels of 4 rows; a set flag says that it is stored transposed. */
export function packLeft(trans: bool, from: usize, step: usize, k: i32, m: i32, to: usize): void {
  if (trans) packRows(4, from, step, k, m, to);
  else packColumns(4, from, step, k, m, to);
}

/** op(B): [k, n] as panels of 8 columns. */
export function packRight(trans: bool, from: usize, step: usize, k: i32, n: i32, to: usize): void {
  if (trans) packColumns(8, from, step, k, n, to);
  else packRows(8, from, step, k, n, to);
}

/** C: [m, n] from packed operands, whose panels are `panelA` and `panelB` bytes apart; rows of C are `step` apart. */
export function multiply(m: i32, n: i32, k: i32, pa: usize, panelA: usize, pb: usize, panelB: usize, c: usize, step: usize, add: bool): void {
  for (let j = 0; j < n; j += 8) {
    const nr = n - j;
    let at = c + (<usize>j << 2);
    let a = pa;
    for (let i = 0; i < m; i += 4) {
      const mr = m - i;
      if (mr >= 4 && nr >= 8) tile(k, a, pb, at, step, add);
      else edgeTile(k, a, pb, at, step, add, min(mr, 4), min(nr, 8));
      at += step << 2;
      a += panelA;
    }
    pb += panelB;
  }
}

/** One product: C: [m, n] from op(A): [m, k] and op(B): [k, n], steps in bytes. k is not 0. */
function product(transA: bool, transB: bool, m: i32, n: i32, k: i32, a: usize, stepA: usize, b: usize, stepB: usize, c: usize, stepC: usize): void {
  for (let jc = 0; jc < n; jc += NC) {
    const nc = min(NC, n - jc);
    for (let pc = 0; pc < k; pc += KC) {
      const kc = min(KC, k - pc);
      const fromB = transB ? b + <usize>jc * stepB + (<usize>pc << 2) : b + <usize>pc * stepB + (<usize>jc << 2);
      packRight(transB, fromB, stepB, kc, nc, packedB);
      for (let ic = 0; ic < m; ic += MC) {
        const mc = min(MC, m - ic);
        const fromA = transA ? a + <usize>pc * stepA + (<usize>ic << 2) : a + <usize>ic * stepA + (<usize>pc << 2);
        packLeft(transA, fromA, stepA, kc, mc, packedA);
        const at = c + <usize>ic * stepC + (<usize>jc << 2);
        multiply(mc, nc, kc, packedA, <usize>kc << 4, packedB, <usize>kc << 5, at, stepC, pc > 0);
      }
    }
  }
}

/**
 * `batch` products C = op(A) op(B), operands `batchA`, `batchB` and `batchC` bytes apart. A set flag says that the operand is
 * stored transposed. Leading dimensions count elements. k is not 0.
 */
export function gemm(
  batch: i32,
  batchA: usize,
  batchB: usize,
  batchC: usize,
  transA: bool,
  transB: bool,
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  lda: i32,
  b: usize,
  ldb: i32,
  c: usize,
  ldc: i32,
): void {
  const stepA = <usize>lda << 2;
  const stepB = <usize>ldb << 2;
  const stepC = <usize>ldc << 2;
  for (let i: usize = 0; i < <usize>batch; ++i) {
    product(transA, transB, m, n, k, a + i * batchA, stepA, b + i * batchB, stepB, c + i * batchC, stepC);
  }
}
