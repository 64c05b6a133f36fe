/** Moving elements: rows with gaps, transposes, conversions, rows of tables. */
import { storeTail } from './vector';

// One row of any number of bytes; rows never overlap.
// @ts-ignore: decorator
@inline
function copyRow(from: usize, to: usize, bytes: usize): void {
  if (bytes > 512) {
    memory.copy(to, from, bytes);
    return;
  }
  let i: usize = 0;
  for (; i + 16 <= bytes; i += 16) v128.store(to + i, v128.load(from + i));
  for (; i + 4 <= bytes; i += 4) store<i32>(to + i, load<i32>(from + i));
  for (; i < bytes; ++i) store<u8>(to + i, load<u8>(from + i));
}

/** `rows` rows of `bytes`, the steps between them in bytes (0 repeats). */
export function copyRows(rows: i32, bytes: i32, from: usize, stepFrom: i32, to: usize, stepTo: i32): void {
  if (stepFrom == bytes && stepTo == bytes) {
    memory.copy(to, from, <usize>rows * <usize>bytes);
    return;
  }
  let p = from;
  let q = to;
  for (let r = rows; r > 0; --r) {
    copyRow(p, q, <usize>bytes);
    p += <usize>stepFrom;
    q += <usize>stepTo;
  }
}

/** Rows of n 32-bit elements, each filled with one value; the values are `stepFrom` bytes apart. */
export function fillRows32(rows: i32, n: i32, from: usize, stepFrom: i32, to: usize): void {
  let p = from;
  let q = to;
  for (let r = rows; r > 0; --r) {
    const v = v128.load32_splat(p);
    const end = q + (<usize>n << 2);
    for (; q + 16 <= end; q += 16) v128.store(q, v);
    if (q < end) storeTail(q, v, <i32>((end - q) >> 2));
    q = end;
    p += <usize>stepFrom;
  }
}

/** `count` 32-bit elements that lie `stepFrom` bytes apart, to contiguous places. */
export function gatherStrided32(count: i32, from: usize, stepFrom: i32, to: usize): void {
  let p = from;
  const end = to + (<usize>count << 2);
  for (let q = to; q < end; q += 4) {
    store<i32>(q, load<i32>(p));
    p += <usize>stepFrom;
  }
}

/** to[j][i] = from[i][j] for 32-bit elements; leading dimensions in elements. Blocks of 32 stay in the cache. */
export function transpose32(rows: i32, columns: i32, from: usize, ldFrom: i32, to: usize, ldTo: i32): void {
  const sf = <usize>ldFrom << 2;
  const st = <usize>ldTo << 2;
  for (let ib = 0; ib < rows; ib += 32) {
    const iEnd = min(rows, ib + 32);
    for (let jb = 0; jb < columns; jb += 32) {
      const jEnd = min(columns, jb + 32);
      let i = ib;
      for (; i + 4 <= iEnd; i += 4) {
        const p = from + <usize>i * sf;
        let j = jb;
        for (; j + 4 <= jEnd; j += 4) {
          const q = p + (<usize>j << 2);
          const a = v128.load(q);
          const b = v128.load(q + sf);
          const c = v128.load(q + (sf << 1));
          const d = v128.load(q + sf * 3);
          const ab0 = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
          const ab1 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
          const cd0 = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
          const cd1 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
          const o = to + <usize>j * st + (<usize>i << 2);
          v128.store(o, i8x16.shuffle(ab0, cd0, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
          v128.store(o + st, i8x16.shuffle(ab0, cd0, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
          v128.store(o + (st << 1), i8x16.shuffle(ab1, cd1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
          v128.store(o + st * 3, i8x16.shuffle(ab1, cd1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31));
        }
        for (; j < jEnd; ++j) {
          for (let r = i; r < i + 4; ++r) {
            store<i32>(to + <usize>j * st + (<usize>r << 2), load<i32>(from + <usize>r * sf + (<usize>j << 2)));
          }
        }
      }
      for (; i < iEnd; ++i) {
        for (let j = jb; j < jEnd; ++j) {
          store<i32>(to + <usize>j * st + (<usize>i << 2), load<i32>(from + <usize>i * sf + (<usize>j << 2)));
        }
      }
    }
  }
}

/** Truncates and saturates, NaN to 0. */
export function f32ToI32(n: i32, x: usize, y: usize): void {
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = i32x4.trunc_sat_f32x4_s(v128.load(x + i));
    if (i + 16 <= bytes) v128.store(y + i, v);
    else storeTail(y + i, v, <i32>((bytes - i) >> 2));
  }
}

export function i32ToF32(n: i32, x: usize, y: usize): void {
  const bytes = <usize>n << 2;
  for (let i: usize = 0; i < bytes; i += 16) {
    const v = f32x4.convert_i32x4_s(v128.load(x + i));
    if (i + 16 <= bytes) v128.store(y + i, v);
    else storeTail(y + i, v, <i32>((bytes - i) >> 2));
  }
}

export function boolToF32(n: i32, x: usize, y: usize): void {
  for (let i = 0; i < n; ++i) store<f32>(y + (<usize>i << 2), <f32>load<u8>(x + i));
}

/** Rows of `bytes` of a table, by ids that were checked. */
export function gatherRows(count: i32, bytes: i32, table: usize, ids: usize, to: usize): void {
  let q = to;
  for (let i = 0; i < count; ++i) {
    copyRow(table + <usize>load<i32>(ids + (<usize>i << 2)) * <usize>bytes, q, <usize>bytes);
    q += <usize>bytes;
  }
}

/** grad[ids[i]] += dy[i], rows of n; ids were checked, grad is zeroed. */
export function addRows(count: i32, n: i32, ids: usize, dy: usize, grad: usize): void {
  const bytes = <usize>n << 2;
  let p = dy;
  for (let i = 0; i < count; ++i) {
    const q = grad + <usize>load<i32>(ids + (<usize>i << 2)) * bytes;
    let j: usize = 0;
    for (; j + 16 <= bytes; j += 16) v128.store(q + j, f32x4.add(v128.load(q + j), v128.load(p + j)));
    for (; j < bytes; j += 4) store<f32>(q + j, load<f32>(q + j) + load<f32>(p + j));
    p += bytes;
  }
}

export function zero(bytes: usize, p: usize): void {
  memory.fill(p, 0, bytes);
}
