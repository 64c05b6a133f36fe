/**
 * Attention by blocks with online softmax (Dao 2023, FlashAttention-2): no [t, s] matrix is kept. Keys and values are packed
 * once for all queries of a head, and for all heads of a group.
 */
import { Attention, BK, endKey, firstKey, headRow, keysOf, maskScores, offsetOf, segmentsApart } from './attention-scores';
import { block, blockKeys, blockQueries, keyBytes, keys as keyPanels, layOut, packed, peaks, queries, sums } from './attention-space';
import { FEW, fewQueries } from './attention-few';
import { finishRow, foldRow, scaleValues } from './attention-rows';
import { multiply, packLeft, packRight } from './gemm';

/**
 * Queries [i0, i0 + rows) of a head against the packed keys [k0, k1). With `first` o and lse are made, otherwise they hold the
 * result over earlier keys, which counts as one term of sum 1 and peak lse.
 */
function queryBlock(a: Attention, i: i32, head: i32, i0: i32, rows: i32, k0: i32, k1: i32, first: bool): void {
  const dv = a.dv;
  const stepO = <usize>(a.h * dv) << 2;
  const o = headRow(a.o, i * a.t + i0, a.h, head, dv);
  const lse = a.lse + (<usize>((i * a.h + head) * a.t + i0) << 2);
  const offset = offsetOf(a, i);
  const begin = k0 + (max(0, firstKey(a, i0 + offset) - k0) & ~7);
  const end = min(k1, endKey(a, i0 + rows - 1 + offset, keysOf(a, i)));
  if (begin >= end && !first) return;
  for (let r: usize = 0; r < <usize>rows; ++r) {
    const before: f32 = first ? -Infinity : load<f32>(lse + (r << 2));
    store<f32>(peaks + (r << 2), before);
    store<f32>(sums + (r << 2), before == -Infinity ? 0 : 1);
  }
  const q = headRow(a.q, i * a.t + i0, a.h, head, a.d);
  packLeft(false, q, <usize>(a.h * a.d) << 2, a.d, rows, queries);
  scaleValues(queries, ((rows + 3) & ~3) * a.d, a.scale);
  let fresh = first;
  for (let j0 = begin; j0 < end; j0 += BK) {
    const columns = min(BK, end - j0);
    if (segmentsApart(a, i, i0, rows, j0, columns)) continue;
    const bytes = <usize>((columns + 3) & ~3) << 2;
    const k = keyPanels + (<usize>((j0 - k0) * a.d) << 2);
    multiply(rows, columns, a.d, queries, <usize>a.d << 4, k, <usize>a.d << 5, block, BK << 2, false);
    maskScores(a, i, head, i0, rows, j0, columns, block, BK);
    for (let r = 0; r < rows; ++r) {
      const row = block + (<usize>(r * BK) << 2);
      const at = <usize>r << 2;
      const shrink = foldRow(row, bytes, peaks + at, sums + at, fresh);
      if (!fresh && shrink != 1) scaleValues(o + <usize>r * stepO, dv, shrink);
    }
    const v = keyPanels + keyBytes + (<usize>(j0 - k0) << 5);
    packLeft(false, block, BK << 2, columns, rows, packed);
    multiply(rows, dv, columns, packed, <usize>columns << 4, v, <usize>blockKeys << 5, o, stepO, !fresh);
    fresh = false;
  }
  for (let r = 0; r < rows; ++r) {
    const at = <usize>r << 2;
    finishRow(lse + at, o + <usize>r * stepO, dv, load<f32>(peaks + at), load<f32>(sums + at));
  }
}

/** Keys [k0, k1) of a head: as columns for the scores, and its values as rows, panels `blockKeys` apart. */
function packKeys(a: Attention, i: i32, kv: i32, k0: i32, k1: i32): void {
  const k = headRow(a.k, i * a.s + k0, a.hkv, kv, a.d);
  packRight(true, k, <usize>(a.hkv * a.d) << 2, a.d, k1 - k0, keyPanels);
  const v = headRow(a.v, i * a.s + k0, a.hkv, kv, a.dv);
  const step = <usize>(a.hkv * a.dv) << 2;
  for (let j = 0; j < a.dv; j += 8) {
    const to = keyPanels + keyBytes + (<usize>(j * blockKeys) << 2);
    packRight(false, v + (<usize>j << 2), step, k1 - k0, min(8, a.dv - j), to);
  }
}

/** `count` heads from `begin` on, of the b * h heads of the batch. The host weighs a call by `work`, multiply-adds a head. */
export function attention(pointer: usize, begin: i32, count: i32, work: i32): void {
  const a = changetype<Attention>(pointer);
  layOut(a);
  let held = -1;
  for (let n = begin; n < begin + count; ++n) {
    const i = n / a.h;
    const head = n % a.h;
    // cached decoding; the gradient finds the scores of the other way again, bit for bit
    if (a.t < FEW && a.lengths) {
      fewQueries(a, i, head);
      continue;
    }
    const kv = head / (a.h / a.hkv);
    const offset = offsetOf(a, i);
    const lo = firstKey(a, offset) & ~7;
    const hi = endKey(a, offset + a.t - 1, keysOf(a, i));
    const whole = hi - lo <= blockKeys;
    // a pass without keys gives blind rows their values
    for (let k0 = lo; k0 == lo || k0 < hi; k0 += blockKeys) {
      const k1 = max(k0, min(hi, k0 + blockKeys));
      const own = i * a.hkv + kv;
      if (!whole || held != own) packKeys(a, i, kv, k0, k1);
      held = whole ? own : -1;
      for (let i0 = 0; i0 < a.t; i0 += blockQueries) {
        queryBlock(a, i, head, i0, min(blockQueries, a.t - i0), k0, k1, k0 == lo);
      }
    }
  }
}
