/**
 * Gradient of attention by blocks (Dao 2023): with P = e^(S - lse) and D = rowsum(dO O), dV = P' dO, dS = P (dO V' - D),
 * dQ = scale dS K and dK = scale dS' Q.
 */
import { Attention, BK, BQ, blockRows, endKey, firstKey, headRow, keysOf, offsetOf, scores } from './attention-scores';
import { gemm } from './gemm';
import { workspace } from './scratch';
import { expNegative, splat } from './vector';

// dS of one block, in place of dP; scaled for the products that follow, unscaled into dbias.
function blockGrad(a: Attention, i: i32, head: i32, i0: i32, rows: i32, j0: i32, columns: i32, p: usize, ds: usize, d: usize): void {
  const scale = splat(a.scale);
  const bytes = <usize>((columns + 3) & ~3) << 2;
  for (let r = 0; r < rows; ++r) {
    const rowP = p + (<usize>(r * BK) << 2);
    const rowS = ds + (<usize>(r * BK) << 2);
    const own = v128.load32_splat(d + (<usize>r << 2));
    for (let j: usize = 0; j < bytes; j += 16) {
      const v = f32x4.mul(v128.load(rowP + j), f32x4.sub(v128.load(rowS + j), own));
      v128.store(rowS + j, v);
    }
    if (a.dbias) {
      const at = i * a.biasB + head * a.biasH + (i0 + r) * a.biasT + j0 * a.biasS;
      let to = a.dbias + (<usize>at << 2);
      for (let j = 0; j < columns; ++j) {
        store<f32>(to, load<f32>(to) + load<f32>(rowS + (<usize>j << 2)));
        to += <usize>a.biasS << 2;
      }
    }
    for (let j: usize = 0; j < bytes; j += 16) v128.store(rowS + j, f32x4.mul(v128.load(rowS + j), scale));
  }
}

// Scores become probabilities.
function probabilities(rows: i32, columns: i32, p: usize, lse: usize): void {
  const bytes = <usize>((columns + 3) & ~3) << 2;
  for (let r = 0; r < rows; ++r) {
    const row = p + (<usize>(r * BK) << 2);
    const own = load<f32>(lse + (<usize>r << 2));
    const top = splat(own == -Infinity ? 0 : own);
    for (let j: usize = 0; j < bytes; j += 16) {
      v128.store(row + j, expNegative(f32x4.sub(v128.load(row + j), top)));
    }
  }
}

// D of queries [i0, i0 + rows).
function rowDots(a: Attention, i: i32, head: i32, i0: i32, rows: i32, d: usize): void {
  for (let r = 0; r < rows; ++r) {
    const o = headRow(a.o, i * a.t + i0 + r, a.h, head, a.dv);
    const g = headRow(a.dout, i * a.t + i0 + r, a.h, head, a.dv);
    let sum: f32 = 0;
    for (let j: usize = 0, end = <usize>a.dv << 2; j < end; j += 4) sum += load<f32>(o + j) * load<f32>(g + j);
    store<f32>(d + (<usize>r << 2), sum);
  }
}

/** `count` key-value heads from `begin` on, of the b * hkv of the batch; dq, dk, dv and dbias were zeroed. `work` as above. */
export function attentionGrad(pointer: usize, begin: i32, count: i32, work: i32): void {
  const a = changetype<Attention>(pointer);
  const group = a.h / a.hkv;
  const stepQ = a.h * a.d;
  const stepK = a.hkv * a.d;
  const stepV = a.hkv * a.dv;
  const stepO = a.h * a.dv;
  const step = blockRows(a);
  const d = workspace;
  const p = d + (BQ << 2);
  const ds = p + (BQ * BK << 2);
  for (let n = begin; n < begin + count; ++n) {
    const i = n / a.hkv;
    const kv = n % a.hkv;
    const keys = keysOf(a, i);
    const offset = offsetOf(a, i);
    for (let head = kv * group; head < (kv + 1) * group; ++head) {
      for (let i0 = 0; i0 < a.t; i0 += step) {
        const rows = min(step, a.t - i0);
        const last = endKey(a, i0 + rows - 1 + offset, keys);
        rowDots(a, i, head, i0, rows, d);
        const q = headRow(a.q, i * a.t + i0, a.h, head, a.d);
        const dq = headRow(a.dq, i * a.t + i0, a.h, head, a.d);
        const g = headRow(a.dout, i * a.t + i0, a.h, head, a.dv);
        const lse = a.lse + (<usize>((i * a.h + head) * a.t + i0) << 2);
        for (let j0 = firstKey(a, i0 + offset); j0 < last; j0 += BK) {
          const columns = min(BK, last - j0);
          const k = headRow(a.k, i * a.s + j0, a.hkv, kv, a.d);
          const v = headRow(a.v, i * a.s + j0, a.hkv, kv, a.dv);
          const dk = headRow(a.dk, i * a.s + j0, a.hkv, kv, a.d);
          const dv = headRow(a.dvalue, i * a.s + j0, a.hkv, kv, a.dv);
          scores(a, i, head, i0, rows, j0, columns, p, BK);
          probabilities(rows, columns, p, lse);
          gemm(true, false, columns, a.dv, rows, p, BK, g, stepO, dv, stepV, true);
          gemm(false, true, rows, columns, a.dv, g, stepO, v, stepV, ds, BK, false);
          blockGrad(a, i, head, i0, rows, j0, columns, p, ds, d);
          gemm(false, false, rows, a.d, columns, ds, BK, k, stepK, dq, stepQ, true);
          gemm(true, false, columns, a.d, rows, ds, BK, q, stepQ, dk, stepK, true);
        }
      }
    }
  }
}
