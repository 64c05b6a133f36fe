/** Attention by blocks with online softmax (Dao 2023, FlashAttention-2): no [t, s] matrix is kept. */
import { Attention, BK, BK_FEW, BQ, FEW, blockRows, endKey, firstKey, headRow, keysOf, offsetOf, scores } from './attention-scores';
import { gemm } from './gemm';
import { gemmFewRows } from './gemv';
import { workspace } from './scratch';
import { expNegative, log, maxLanes, splat, sumLanes } from './vector';

/** Widest values for which few queries have working memory of their own. */
const WIDEST: i32 = 8192;

// Row of n values times x.
function scaleValues(p: usize, n: i32, x: f32): void {
  const by = splat(x);
  const end = p + (<usize>n << 2);
  let q = p;
  for (; q + 16 <= end; q += 16) v128.store(q, f32x4.mul(v128.load(q), by));
  for (; q < end; q += 4) store<f32>(q, load<f32>(q) * x);
}

// Row of n values: p = p * x + add.
function scaleAndAdd(p: usize, n: i32, x: f32, add: usize): void {
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 4) {
    store<f32>(p + i, load<f32>(p + i) * x + load<f32>(add + i));
  }
}

// @ts-ignore: decorator
@inline
function rowPeak(row: usize, bytes: usize): f32 {
  let m = v128.load(row);
  for (let p: usize = 16; p < bytes; p += 16) m = f32x4.pmax(m, v128.load(row + p));
  return maxLanes(m);
}

// Scores become e^(score - m); their sum.
// @ts-ignore: decorator
@inline
function rowExp(row: usize, bytes: usize, m: f32): f32 {
  const top = splat(m);
  let sum = splat(0);
  for (let p: usize = 0; p < bytes; p += 16) {
    const e = expNegative(f32x4.sub(v128.load(row + p), top));
    v128.store(row + p, e);
    sum = f32x4.add(sum, e);
  }
  return sumLanes(sum);
}

// @ts-ignore: decorator
@inline
function expOf(x: f32): f32 {
  return f32x4.extract_lane(expNegative(splat(x)), 0);
}

/** Queries [i0, i0 + rows) of one head. */
function queryBlock(a: Attention, i: i32, head: i32, i0: i32, rows: i32): void {
  const few = rows < FEW && a.dv <= WIDEST;
  const bk = few ? BK_FEW : BK;
  const kv = head / (a.h / a.hkv);
  const dv = a.dv;
  const stepO = a.h * dv;
  const bytesO = <usize>stepO << 2;
  const o = headRow(a.o, i * a.t + i0, a.h, head, dv);
  const offset = offsetOf(a, i);
  const keys = keysOf(a, i);
  const begin = firstKey(a, i0 + offset);
  const end = endKey(a, i0 + rows - 1 + offset, keys);
  // Peak and sum of each row, then the scores, then (few rows) what a block adds to o.
  const peaks = workspace;
  const sums = peaks + (BQ << 2);
  const block = sums + (BQ << 2);
  const extra = block + (max(BQ * BK, FEW * BK_FEW) << 2);
  for (let r = 0; r < rows; ++r) {
    store<f32>(peaks + (<usize>r << 2), -Infinity);
    store<f32>(sums + (<usize>r << 2), 0);
    if (begin >= end) memory.fill(o + <usize>r * bytesO, 0, <usize>dv << 2);
  }
  for (let j0 = begin; j0 < end; j0 += bk) {
    const columns = min(bk, end - j0);
    const bytes = <usize>((columns + 3) & ~3) << 2;
    const first = j0 == begin;
    scores(a, i, head, i0, rows, j0, columns, block, bk);
    for (let r = 0; r < rows; ++r) {
      const row = block + (<usize>(r * bk) << 2);
      const at = <usize>r << 2;
      const before = load<f32>(peaks + at);
      const peak = max<f32>(before, rowPeak(row, bytes));
      // A row that has seen nothing yet: -inf scores must become 0.
      const m: f32 = peak == -Infinity ? 0 : peak;
      const shrink: f32 = first ? 0 : expOf(before - m);
      const sum = rowExp(row, bytes, m);
      store<f32>(peaks + at, peak);
      store<f32>(sums + at, load<f32>(sums + at) * shrink + sum);
      if (!first && !few && shrink != 1) scaleValues(o + <usize>r * bytesO, dv, shrink);
      // For few rows the factor waits beside the extra rows.
      if (few) store<f32>(extra + at, shrink);
    }
    const v = headRow(a.v, i * a.s + j0, a.hkv, kv, dv);
    if (!few) gemm(false, false, rows, dv, columns, block, bk, v, a.hkv * dv, o, stepO, !first);
    else if (first) gemmFewRows(rows, dv, columns, block, bk, 1, v, a.hkv * dv, o, stepO);
    else {
      const part = extra + (FEW << 2);
      gemmFewRows(rows, dv, columns, block, bk, 1, v, a.hkv * dv, part, dv);
      for (let r = 0; r < rows; ++r) {
        const by = load<f32>(extra + (<usize>r << 2));
        scaleAndAdd(o + <usize>r * bytesO, dv, by, part + (<usize>(r * dv) << 2));
      }
    }
  }
  for (let r = 0; r < rows; ++r) {
    const sum = load<f32>(sums + (<usize>r << 2));
    const peak = load<f32>(peaks + (<usize>r << 2));
    const blind = sum == 0;
    const lse: f32 = blind ? -Infinity : peak + f32x4.extract_lane(log(splat(sum)), 0);
    store<f32>(a.lse + (<usize>((i * a.h + head) * a.t + i0 + r) << 2), lse);
    if (!blind) scaleValues(o + <usize>r * bytesO, dv, <f32>1 / sum);
  }
}

/** `count` heads from `begin` on, of the b * h heads of the batch. The host weighs a call by `work`, multiply-adds a head. */
export function attention(pointer: usize, begin: i32, count: i32, work: i32): void {
  const a = changetype<Attention>(pointer);
  const step = blockRows(a);
  for (let n = begin; n < begin + count; ++n) {
    const i = n / a.h;
    const head = n % a.h;
    for (let i0 = 0; i0 < a.t; i0 += step) queryBlock(a, i, head, i0, min(step, a.t - i0));
  }
}
