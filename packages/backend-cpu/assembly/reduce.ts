/** Sums, maxima and minima of rows and of columns. Sums add blocks in f64, so that length costs no accuracy. */
import { maskTail, maxLanes, minLanes, splat, sumLanes } from './vector';

const BLOCK: usize = 8192; // bytes that f32 accumulators add up
const ROWS: i32 = 64;

function sumRow(x: usize, n: i32): f32 {
  const end = x + (<usize>n << 2);
  let total: f64 = 0;
  let p = x;
  while (p < end) {
    const stop = min(end, p + BLOCK);
    let a = splat(0);
    let b = splat(0);
    let c = splat(0);
    let d = splat(0);
    for (; p + 64 <= stop; p += 64) {
      a = f32x4.add(a, v128.load(p));
      b = f32x4.add(b, v128.load(p, 16));
      c = f32x4.add(c, v128.load(p, 32));
      d = f32x4.add(d, v128.load(p, 48));
    }
    for (; p + 16 <= stop; p += 16) a = f32x4.add(a, v128.load(p));
    if (p < stop) {
      b = f32x4.add(b, maskTail(v128.load(p), <i32>((stop - p) >> 2), splat(0)));
      p = stop;
    }
    total += <f64>sumLanes(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)));
  }
  return <f32>total;
}

/** y[r] = sum of row r of x: [rows, n]. */
export function sumRows(rows: i32, n: i32, x: usize, y: usize): void {
  for (let r = 0; r < rows; ++r) {
    store<f32>(y + (<usize>r << 2), sumRow(x + (<usize>r << 2) * <usize>n, n));
  }
}

/** y[j] = sum of column j of n, rows of x `ld` apart. */
export function sumColumns(rows: i32, n: i32, ld: i32, x: usize, y: usize): void {
  const step = <usize>ld << 2;
  for (let j = 0; j < n; j += 16) {
    const width = n - j;
    let t0 = splat(0);
    let t1 = splat(0);
    let t2 = splat(0);
    let t3 = splat(0);
    let p = x + (<usize>j << 2);
    for (let r = 0; r < rows; r += ROWS) {
      let a = splat(0);
      let b = splat(0);
      let c = splat(0);
      let d = splat(0);
      const count = min(ROWS, rows - r);
      if (width > 12) {
        for (let i = count; i > 0; --i) {
          a = f32x4.add(a, v128.load(p));
          b = f32x4.add(b, v128.load(p, 16));
          c = f32x4.add(c, v128.load(p, 32));
          d = f32x4.add(d, v128.load(p, 48));
          p += step;
        }
      } else {
        // Few columns: what is loaded beyond them is not stored.
        for (let i = count; i > 0; --i) {
          a = f32x4.add(a, v128.load(p));
          if (width > 4) b = f32x4.add(b, v128.load(p, 16));
          if (width > 8) c = f32x4.add(c, v128.load(p, 32));
          p += step;
        }
      }
      t0 = f32x4.add(t0, a);
      t1 = f32x4.add(t1, b);
      t2 = f32x4.add(t2, c);
      t3 = f32x4.add(t3, d);
    }
    storeUpTo16(y + (<usize>j << 2), width, t0, t1, t2, t3);
  }
}

// @ts-ignore: decorator
@inline
function storeUpTo16(y: usize, width: i32, a: v128, b: v128, c: v128, d: v128): void {
  storePart(y, width, a);
  storePart(y + 16, width - 4, b);
  storePart(y + 32, width - 8, c);
  storePart(y + 48, width - 12, d);
}

function storePart(y: usize, width: i32, v: v128): void {
  if (width >= 4) {
    v128.store(y, v);
    return;
  }
  if (width > 0) v128.store_lane<f32>(y, v, 0);
  if (width > 1) v128.store_lane<f32>(y, v, 1, 4);
  if (width > 2) v128.store_lane<f32>(y, v, 2, 8);
}

// @ts-ignore: decorator
@inline
function better(least: bool, a: v128, b: v128): v128 {
  return least ? f32x4.min(a, b) : f32x4.max(a, b);
}

// @ts-ignore: decorator
@inline
function extremeRow(least: bool, x: usize, n: i32): f32 {
  const end = x + (<usize>n << 2);
  const worst = splat(least ? Infinity : -Infinity);
  let a = worst;
  let b = worst;
  let p = x;
  for (; p + 32 <= end; p += 32) {
    a = better(least, a, v128.load(p));
    b = better(least, b, v128.load(p, 16));
  }
  for (; p + 16 <= end; p += 16) a = better(least, a, v128.load(p));
  if (p < end) b = better(least, b, maskTail(v128.load(p), <i32>((end - p) >> 2), worst));
  a = better(least, a, b);
  return least ? minLanes(a) : maxLanes(a);
}

/** y[r] = maximum (minimum if `least`) of row r of x: [rows, n], n > 0; NaN wins. */
export function extremeRows(least: bool, rows: i32, n: i32, x: usize, y: usize): void {
  const step = <usize>n << 2;
  let p = x;
  for (let r = 0; r < rows; ++r) {
    store<f32>(y + (<usize>r << 2), least ? extremeRow(true, p, n) : extremeRow(false, p, n));
    p += step;
  }
}

/** y[j] = maximum (minimum if `least`) of column j of x: [rows, n], rows > 0; NaN wins. */
export function extremeColumns(least: bool, rows: i32, n: i32, x: usize, y: usize): void {
  const step = <usize>n << 2;
  for (let j = 0; j < n; j += 4) {
    let p = x + (<usize>j << 2);
    let a = v128.load(p);
    for (let r = rows; r > 0; --r) {
      a = least ? better(true, a, v128.load(p)) : better(false, a, v128.load(p));
      p += step;
    }
    storePart(y + (<usize>j << 2), n - j, a);
  }
}
