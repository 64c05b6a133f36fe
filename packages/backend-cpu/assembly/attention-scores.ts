/** What attention and its gradient share: the description of a call, and one block of scores. */

/** Fields in the order in which the host writes them, 4 bytes each; pointers to absent inputs are 0. */
@unmanaged
export class Attention {
  b: i32;
  t: i32;
  s: i32;
  h: i32;
  hkv: i32;
  d: i32;
  dv: i32;
  causal: i32;
  window: i32;
  qOffset: i32;
  scale: f32;
  q: usize;
  k: usize;
  v: usize;
  /** Elements between neighbours along b, h, t and s; 0 where the axis is broadcast. */
  mask: usize;
  maskB: i32;
  maskH: i32;
  maskT: i32;
  maskS: i32;
  bias: usize;
  biasB: i32;
  biasH: i32;
  biasT: i32;
  biasS: i32;
  segments: usize;
  lengths: usize;
  o: usize;
  lse: usize;
  dout: usize;
  dq: usize;
  dk: usize;
  dvalue: usize;
  dbias: usize;
}

/** Most queries of a block, and most keys. */
export const BQ: i32 = 64;
export const BK: i32 = 128;

/** Keys that are there for batch row i. */
export function keysOf(a: Attention, i: i32): i32 {
  if (a.lengths == 0) return a.s;
  return max(0, min(a.s, load<i32>(a.lengths + (<usize>i << 2))));
}

/** Position of query 0 among the keys. */
export function offsetOf(a: Attention, i: i32): i32 {
  return a.lengths == 0 ? a.qOffset : load<i32>(a.lengths + (<usize>i << 2)) - a.t;
}

/** First key that a query at this position can see. */
export function firstKey(a: Attention, position: i32): i32 {
  return a.window > 0 ? max(0, position - a.window + 1) : 0;
}

/** End of the keys that a query at this position can see. */
export function endKey(a: Attention, position: i32, keys: i32): i32 {
  return a.causal ? max(0, min(keys, position + 1)) : keys;
}

// @ts-ignore: decorator
@inline
export function headRow(base: usize, row: i32, heads: i32, head: i32, width: i32): usize {
  return base + ((<usize>row * <usize>heads + <usize>head) * <usize>width << 2);
}

function fillRow(p: usize, from: i32, to: i32, value: f32): void {
  for (let j = from; j < to; ++j) store<f32>(p + (<usize>j << 2), value);
}

/**
 * Bias and masks on the scaled scores of queries [i0, i0 + rows) with keys [j0, j0 + columns), rows `ld` apart: -inf where a
 * query does not see a key, and -inf up to the next multiple of 4 columns.
 */
export function maskScores(a: Attention, i: i32, head: i32, i0: i32, rows: i32, j0: i32, columns: i32, out: usize, ld: i32): void {
  const keys = keysOf(a, i);
  const offset = offsetOf(a, i);
  const padded = (columns + 3) & ~3;
  for (let r = 0; r < rows; ++r) {
    const row = out + (<usize>(r * ld) << 2);
    const query = i0 + r;
    const lo = max(0, min(columns, firstKey(a, query + offset) - j0));
    const hi = max(lo, min(columns, endKey(a, query + offset, keys) - j0));
    if (a.bias) addBias(a, row, columns, i, head, query, j0);
    if (lo > 0) fillRow(row, 0, lo, -Infinity);
    if (hi < padded) fillRow(row, hi, padded, -Infinity);
    if (a.mask) applyMask(a, row, lo, hi, i, head, query, j0);
    if (a.segments) applySegments(a, row, lo, hi, i, query, j0);
  }
}

/** Whether no query of a block shares a segment with any key of it, told by the ranges of their numbers. */
export function segmentsApart(a: Attention, i: i32, i0: i32, rows: i32, j0: i32, columns: i32): bool {
  if (!a.segments) return false;
  const base = a.segments + (<usize>i * <usize>a.s << 2);
  let least = i32.MAX_VALUE;
  let most = i32.MIN_VALUE;
  for (let r = 0; r < rows; ++r) {
    const x = load<i32>(base + (<usize>(i0 + r) << 2));
    least = min(least, x);
    most = max(most, x);
  }
  for (let j = 0; j < columns; ++j) {
    const x = load<i32>(base + (<usize>(j0 + j) << 2));
    if (x >= least && x <= most) return false;
  }
  return true;
}

function addBias(a: Attention, row: usize, columns: i32, i: i32, head: i32, query: i32, j0: i32): void {
  const at = i * a.biasB + head * a.biasH + query * a.biasT + j0 * a.biasS;
  let p = a.bias + (<usize>at << 2);
  let j = 0;
  if (a.biasS == 1) {
    for (; j + 4 <= columns; j += 4) {
      const q = row + (<usize>j << 2);
      v128.store(q, f32x4.add(v128.load(q), v128.load(p)));
      p += 16;
    }
  }
  const step = <usize>a.biasS << 2;
  for (; j < columns; ++j) {
    const q = row + (<usize>j << 2);
    store<f32>(q, load<f32>(q) + load<f32>(p));
    p += step;
  }
}

function applyMask(a: Attention, row: usize, lo: i32, hi: i32, i: i32, head: i32, query: i32, j0: i32): void {
  const at = i * a.maskB + head * a.maskH + query * a.maskT + (j0 + lo) * a.maskS;
  let p = a.mask + <usize>at;
  for (let j = lo; j < hi; ++j) {
    if (!load<u8>(p)) store<f32>(row + (<usize>j << 2), -Infinity);
    p += <usize>a.maskS;
  }
}

function applySegments(a: Attention, row: usize, lo: i32, hi: i32, i: i32, query: i32, j0: i32): void {
  const base = a.segments + (<usize>i * <usize>a.s << 2);
  const own = load<i32>(base + (<usize>query << 2));
  for (let j = lo; j < hi; ++j) {
    if (load<i32>(base + (<usize>(j0 + j) << 2)) != own) store<f32>(row + (<usize>j << 2), -Infinity);
  }
}
