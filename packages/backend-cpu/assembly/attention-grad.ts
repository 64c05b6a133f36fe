/**
 * Gradient of attention by blocks (Dao 2023): with P = e^(S - lse) and D = rowsum(dO O), dV = P' dO, dS = P (dO V' - D),
 * dQ = scale dS K and dK = scale dS' Q. Keys and values are packed once for all queries of a head.
 */
import { Attention, BK, endKey, firstKey, headRow, keysOf, maskScores, offsetOf, segmentsApart } from './attention-scores';
import { scaleValues } from './attention-rows';
import { block, blockKeys, blockQueries, keyBytes, keys as keyPanels, layOut, other, packed, peaks, queries, queryBytes } from './attention-space';
import { multiply, packLeft, packRight } from './gemm';
import { expNegative, madd, splat } from './vector';

// dS of one block, in place of dP; added into dbias.
function blockGrad(a: Attention, i: i32, head: i32, i0: i32, rows: i32, j0: i32, columns: i32): void {
  const bytes = <usize>((columns + 3) & ~3) << 2;
  for (let r = 0; r < rows; ++r) {
    const rowP = block + (<usize>(r * BK) << 2);
    const rowS = other + (<usize>(r * BK) << 2);
    const own = v128.load32_splat(peaks + (<usize>r << 2));
    for (let j: usize = 0; j < bytes; j += 16) {
      v128.store(rowS + j, f32x4.mul(v128.load(rowP + j), f32x4.sub(v128.load(rowS + j), own)));
    }
    if (a.dbias) {
      const at = i * a.biasB + head * a.biasH + (i0 + r) * a.biasT + j0 * a.biasS;
      let to = a.dbias + (<usize>at << 2);
      for (let j = 0; j < columns; ++j) {
        store<f32>(to, load<f32>(to) + load<f32>(rowS + (<usize>j << 2)));
        to += <usize>a.biasS << 2;
      }
    }
  }
}

// Scores become probabilities.
function probabilities(rows: i32, columns: i32, lse: usize): void {
  const bytes = <usize>((columns + 3) & ~3) << 2;
  for (let r = 0; r < rows; ++r) {
    const row = block + (<usize>(r * BK) << 2);
    const own = load<f32>(lse + (<usize>r << 2));
    const top = splat(own == -Infinity ? 0 : own);
    for (let j: usize = 0; j < bytes; j += 16) {
      v128.store(row + j, expNegative(f32x4.sub(v128.load(row + j), top)));
    }
  }
}

// D of queries [i0, i0 + rows), where the forward pass has peaks. Added up in the order of the products, so that dP - D of a
// query that sees one key is 0; four rows at a time, past the last one as well.
function rowDots(a: Attention, i: i32, head: i32, i0: i32, rows: i32): void {
  const step = <usize>(a.h * a.dv) << 2;
  const end = <usize>a.dv << 2;
  for (let r = 0; r < rows; r += 4) {
    const o = headRow(a.o, i * a.t + i0 + r, a.h, head, a.dv);
    const g = headRow(a.dout, i * a.t + i0 + r, a.h, head, a.dv);
    const s1 = r + 1 < rows ? step : 0;
    const s2 = r + 2 < rows ? s1 + step : 0;
    const s3 = r + 3 < rows ? s2 + step : 0;
    let d0 = splat(0);
    let d1 = splat(0);
    let d2 = splat(0);
    let d3 = splat(0);
    for (let j: usize = 0; j < end; j += 4) {
      d0 = madd(v128.load32_zero(g + j), v128.load32_zero(o + j), d0);
      d1 = madd(v128.load32_zero(g + s1 + j), v128.load32_zero(o + s1 + j), d1);
      d2 = madd(v128.load32_zero(g + s2 + j), v128.load32_zero(o + s2 + j), d2);
      d3 = madd(v128.load32_zero(g + s3 + j), v128.load32_zero(o + s3 + j), d3);
    }
    const at = peaks + (<usize>r << 2);
    v128.store_lane<f32>(at, d0, 0);
    v128.store_lane<f32>(at, d1, 0, 4);
    v128.store_lane<f32>(at, d2, 0, 8);
    v128.store_lane<f32>(at, d3, 0, 12);
  }
}

/** Queries [i0, i0 + rows) of a head against the packed keys [k0, k1). */
function queryBlock(a: Attention, i: i32, head: i32, kv: i32, i0: i32, rows: i32, k0: i32, k1: i32): void {
  const d = a.d;
  const dv = a.dv;
  const offset = offsetOf(a, i);
  const begin = k0 + (max(0, firstKey(a, i0 + offset) - k0) & ~7);
  const end = min(k1, endKey(a, i0 + rows - 1 + offset, keysOf(a, i)));
  if (begin >= end) return;
  rowDots(a, i, head, i0, rows);
  const stepQ = <usize>(a.h * d) << 2;
  const stepO = <usize>(a.h * dv) << 2;
  const stepK = <usize>(a.hkv * d) << 2;
  const stepV = <usize>(a.hkv * dv) << 2;
  const q = headRow(a.q, i * a.t + i0, a.h, head, d);
  const g = headRow(a.dout, i * a.t + i0, a.h, head, dv);
  const dq = headRow(a.dq, i * a.t + i0, a.h, head, d);
  const lse = a.lse + (<usize>((i * a.h + head) * a.t + i0) << 2);
  // scaled queries and the gradient, each as the left and as the right side of a product
  const qLeft = queries;
  const gLeft = qLeft + queryBytes;
  const qRight = gLeft + queryBytes;
  const gRight = qRight + queryBytes;
  packLeft(false, q, stepQ, d, rows, qLeft);
  scaleValues(qLeft, ((rows + 3) & ~3) * d, a.scale);
  packLeft(false, g, stepO, dv, rows, gLeft);
  packRight(false, q, stepQ, rows, d, qRight);
  scaleValues(qRight, ((d + 7) & ~7) * rows, a.scale);
  packRight(false, g, stepO, rows, dv, gRight);
  for (let j0 = begin; j0 < end; j0 += BK) {
    const columns = min(BK, end - j0);
    if (segmentsApart(a, i, i0, rows, j0, columns)) continue;
    const at = <usize>(j0 - k0);
    const k = keyPanels + (at * <usize>d << 2);
    const v = keyPanels + keyBytes + (at * <usize>dv << 2);
    const kRows = keyPanels + 2 * keyBytes + (at << 5);
    const dk = headRow(a.dk, i * a.s + j0, a.hkv, kv, d);
    const dvalue = headRow(a.dvalue, i * a.s + j0, a.hkv, kv, dv);
    multiply(rows, columns, d, qLeft, <usize>d << 4, k, <usize>d << 5, block, BK << 2, false);
    maskScores(a, i, head, i0, rows, j0, columns, block, BK);
    probabilities(rows, columns, lse);
    packLeft(true, block, BK << 2, rows, columns, packed);
    multiply(columns, dv, rows, packed, <usize>rows << 4, gRight, <usize>rows << 5, dvalue, stepV, true);
    multiply(rows, columns, dv, gLeft, <usize>dv << 4, v, <usize>dv << 5, other, BK << 2, false);
    blockGrad(a, i, head, i0, rows, j0, columns);
    packLeft(false, other, BK << 2, columns, rows, packed);
    multiply(rows, d, columns, packed, <usize>columns << 4, kRows, <usize>blockKeys << 5, dq, stepQ, true);
    packLeft(true, other, BK << 2, rows, columns, packed);
    multiply(columns, d, rows, packed, <usize>rows << 4, qRight, <usize>rows << 5, dk, stepK, true);
  }
}

/** Keys [k0, k1) as columns, values as columns, and scaled keys as rows, panels `blockKeys` apart. */
function packKeys(a: Attention, i: i32, kv: i32, k0: i32, k1: i32): void {
  const count = k1 - k0;
  const k = headRow(a.k, i * a.s + k0, a.hkv, kv, a.d);
  const v = headRow(a.v, i * a.s + k0, a.hkv, kv, a.dv);
  const stepK = <usize>(a.hkv * a.d) << 2;
  packRight(true, k, stepK, a.d, count, keyPanels);
  packRight(true, v, <usize>(a.hkv * a.dv) << 2, a.dv, count, keyPanels + keyBytes);
  for (let j = 0; j < a.d; j += 8) {
    const to = keyPanels + 2 * keyBytes + (<usize>(j * blockKeys) << 2);
    packRight(false, k + (<usize>j << 2), stepK, count, min(8, a.d - j), to);
    scaleValues(to, count * 8, a.scale);
  }
}

/** `count` key-value heads from `begin` on, of the b * hkv of the batch; dq, dk, dv and dbias were zeroed. */
export function attentionGrad(pointer: usize, begin: i32, count: i32, work: i32): void {
  const a = changetype<Attention>(pointer);
  const group = a.h / a.hkv;
  layOut(a);
  for (let n = begin; n < begin + count; ++n) {
    const i = n / a.hkv;
    const kv = n % a.hkv;
    const offset = offsetOf(a, i);
    const hi = endKey(a, offset + a.t - 1, keysOf(a, i));
    for (let k0 = firstKey(a, offset) & ~7; k0 < hi; k0 += blockKeys) {
      const k1 = min(hi, k0 + blockKeys);
      packKeys(a, i, kv, k0, k1);
      for (let head = kv * group; head < (kv + 1) * group; ++head) {
        for (let i0 = 0; i0 < a.t; i0 += blockQueries) {
          queryBlock(a, i, head, kv, i0, min(blockQueries, a.t - i0), k0, k1);
        }
      }
    }
  }
}
