/** Attention of few queries, as decoding has them: keys and values are read where they lie. */
import { Attention, endKey, firstKey, headRow, keysOf, maskScores, offsetOf } from './attention-scores';
import { finishRow, foldRow, scaleValues } from './attention-rows';
import { gemmDots, gemmFewRows } from './gemv';
import { workspace } from './scratch';

/** Fewer queries than this are few. */
export const FEW: i32 = 8;
/** Keys of a block. */
const BK_FEW: i32 = 1024;

// Row of n values: p = p * x + add.
function scaleAndAdd(p: usize, n: i32, x: f32, add: usize): void {
  for (let i: usize = 0, end = <usize>n << 2; i < end; i += 4) {
    store<f32>(p + i, load<f32>(p + i) * x + load<f32>(add + i));
  }
}

/** All queries of one head. */
export function fewQueries(a: Attention, i: i32, head: i32): void {
  const rows = a.t;
  const dv = a.dv;
  const kv = head / (a.h / a.hkv);
  const stepO = a.h * dv;
  const bytesO = <usize>stepO << 2;
  const o = headRow(a.o, i * a.t, a.h, head, dv);
  const lse = a.lse + (<usize>((i * a.h + head) * a.t) << 2);
  const offset = offsetOf(a, i);
  const begin = firstKey(a, offset);
  const end = endKey(a, rows - 1 + offset, keysOf(a, i));
  // Peak, sum and shrinking factor of each row, the scores, then what a block adds to o.
  const peaks = workspace;
  const sums = peaks + (FEW << 2);
  const shrinks = sums + (FEW << 2);
  const block = shrinks + (FEW << 2);
  const part = block + (FEW * BK_FEW << 2);
  for (let r: usize = 0; r < <usize>rows; ++r) {
    store<f32>(peaks + (r << 2), -Infinity);
    store<f32>(sums + (r << 2), 0);
  }
  const q = headRow(a.q, i * a.t, a.h, head, a.d);
  for (let j0 = begin; j0 < end; j0 += BK_FEW) {
    const columns = min(BK_FEW, end - j0);
    const bytes = <usize>((columns + 3) & ~3) << 2;
    const first = j0 == begin;
    const k = headRow(a.k, i * a.s + j0, a.hkv, kv, a.d);
    gemmDots(rows, columns, a.d, q, a.h * a.d, k, a.hkv * a.d, block, BK_FEW, 1);
    for (let r = 0; r < rows; ++r) scaleValues(block + (<usize>(r * BK_FEW) << 2), columns, a.scale);
    maskScores(a, i, head, 0, rows, j0, columns, block, BK_FEW);
    for (let r = 0; r < rows; ++r) {
      const row = block + (<usize>(r * BK_FEW) << 2);
      const at = <usize>r << 2;
      store<f32>(shrinks + at, foldRow(row, bytes, peaks + at, sums + at, first));
    }
    const v = headRow(a.v, i * a.s + j0, a.hkv, kv, dv);
    if (first) gemmFewRows(rows, dv, columns, block, BK_FEW, 1, v, a.hkv * dv, o, stepO);
    else {
      gemmFewRows(rows, dv, columns, block, BK_FEW, 1, v, a.hkv * dv, part, dv);
      for (let r = 0; r < rows; ++r) {
        const by = load<f32>(shrinks + (<usize>r << 2));
        scaleAndAdd(o + <usize>r * bytesO, dv, by, part + (<usize>(r * dv) << 2));
      }
    }
  }
  for (let r = 0; r < rows; ++r) {
    const at = <usize>r << 2;
    finishRow(lse + at, o + <usize>r * bytesO, dv, load<f32>(peaks + at), load<f32>(sums + at));
  }
}
