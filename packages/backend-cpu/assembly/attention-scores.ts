/** What attention and its gradient share: the description of a call, and one block of scores. */
import { gemm } from './gemm';
import { gemmDots } from './gemv';
import { splat } from './vector';

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

/** Most queries of a block; most keys, and most for few queries. */
export const BQ: i32 = 64;
export const BK: i32 = 128;
export const BK_FEW: i32 = 1024;
export const FEW: i32 = 8;

/** Queries in a block: few where a causal mask would waste half of a short block. */
export function blockRows(a: Attention): i32 {
  return a.causal && a.t <= 2 * BQ ? 16 : BQ;
}

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
 * Scores of queries [i0, i0 + rows) with keys [j0, j0 + columns) at `out`, rows `ld` apart: scaled, biased, -inf where a
 * query does not see a key, and -inf up to the next multiple of 4 columns.
 */
export function scores(a: Attention, i: i32, head: i32, i0: i32, rows: i32, j0: i32, columns: i32, out: usize, ld: i32): void {
  const kv = head / (a.h / a.hkv);
  const q = headRow(a.q, i * a.t + i0, a.h, head, a.d);
  const k = headRow(a.k, i * a.s + j0, a.hkv, kv, a.d);
  if (rows < FEW) gemmDots(rows, columns, a.d, q, a.h * a.d, k, a.hkv * a.d, out, ld, 1);
  else gemm(false, true, rows, columns, a.d, q, a.h * a.d, k, a.hkv * a.d, out, ld, false);
  const keys = keysOf(a, i);
  const offset = offsetOf(a, i);
  const padded = (columns + 3) & ~3;
  for (let r = 0; r < rows; ++r) {
    const row = out + (<usize>(r * ld) << 2);
    const query = i0 + r;
    const lo = max(0, min(columns, firstKey(a, query + offset) - j0));
    const hi = max(lo, min(columns, endKey(a, query + offset, keys) - j0));
    scaleRow(row, padded, a.scale);
    if (a.bias) addBias(a, row, columns, i, head, query, j0);
    if (lo > 0) fillRow(row, 0, lo, -Infinity);
    if (hi < padded) fillRow(row, hi, padded, -Infinity);
    if (a.mask) applyMask(a, row, lo, hi, i, head, query, j0);
    if (a.segments) applySegments(a, row, lo, hi, i, query, j0);
  }
}

// @ts-ignore: decorator
@inline
function scaleRow(row: usize, padded: i32, scale: f32): void {
  const by = splat(scale);
  const end = row + (<usize>padded << 2);
  for (let p = row; p < end; p += 16) v128.store(p, f32x4.mul(v128.load(p), by));
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
