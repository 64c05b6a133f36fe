/**
 * Batched matrix product on panels packed in double: 4 rows of A and 4 columns of B side by side,
 * so that one inner loop serves every dtype and transposition, and each element of the result is one
 * double sum over k in order.
 */
import type { Kernel, Kernels, TypedArray } from '@loretta-ts/core';
import type { Read } from './strided';
import { broadcastStrides, coalesce, eachRow, innerStrides } from './strided';

/** Rows or columns in a panel. */
const tile = 4;

/**
 * Packs `count` vectors of length k, four to a panel: element p of vector v of panel q stands at
 * `(q * k + p) * 4 + v`. What the last panel has beyond `count` is
 * never stored.
 */
function pack(
  panels: Float64Array,
  from: TypedArray,
  offset: number,
  count: number,
  k: number,
  vectorStride: number,
  elementStride: number,
): void {
  for (let v = 0; v < count; v++) {
    let to = (v - (v % tile)) * k + (v % tile);
    let at = offset + v * vectorStride;
    for (let p = 0; p < k; p++) {
      panels[to] = from[at]!;
      to += tile;
      at += elementStride;
    }
  }
}

/** `sums[4 i + j]` = row i of the panel of A times column j of the panel of B. */
function multiplyPanels(
  sums: Float64Array,
  a: Float64Array,
  startA: number,
  b: Float64Array,
  startB: number,
  k: number,
): void {
  // Two rows at a time: eight sums and their operands fit the registers.
  for (let half = 0; half < 2; half++) {
    let s00 = 0;
    let s01 = 0;
    let s02 = 0;
    let s03 = 0;
    let s10 = 0;
    let s11 = 0;
    let s12 = 0;
    let s13 = 0;
    let i = startA + 2 * half;
    let j = startB;
    for (let p = 0; p < k; p++) {
      const a0 = a[i]!;
      const a1 = a[i + 1]!;
      const b0 = b[j]!;
      const b1 = b[j + 1]!;
      const b2 = b[j + 2]!;
      const b3 = b[j + 3]!;
      s00 += a0 * b0;
      s01 += a0 * b1;
      s02 += a0 * b2;
      s03 += a0 * b3;
      s10 += a1 * b0;
      s11 += a1 * b1;
      s12 += a1 * b2;
      s13 += a1 * b3;
      i += tile;
      j += tile;
    }
    const at = 8 * half;
    sums[at] = s00;
    sums[at + 1] = s01;
    sums[at + 2] = s02;
    sums[at + 3] = s03;
    sums[at + 4] = s10;
    sums[at + 5] = s11;
    sums[at + 6] = s12;
    sums[at + 7] = s13;
  }
}

function multiply(
  out: TypedArray,
  offset: number,
  m: number,
  n: number,
  k: number,
  a: Float64Array,
  b: Float64Array,
): void {
  const sums = new Float64Array(tile * tile);
  for (let row = 0; row < m; row += tile) {
    const rows = Math.min(tile, m - row);
    for (let column = 0; column < n; column += tile) {
      multiplyPanels(sums, a, row * k, b, column * k, k);
      const columns = Math.min(tile, n - column);
      for (let i = 0; i < rows; i++) {
        const to = offset + (row + i) * n + column;
        for (let j = 0; j < columns; j++) out[to + j] = sums[tile * i + j]!;
      }
    }
  }
}

function matmul(read: Read): Kernel<'matmul'> {
  return ([a, b], [out], { transA, transB }) => {
    const rank = out!.shape.length;
    const batch = out!.shape.slice(0, -2);
    const m = out!.shape[rank - 2]!;
    const n = out!.shape[rank - 1]!;
    const k = a!.shape[a!.shape.length - (transA ? 2 : 1)]!;
    if (out!.size === 0) return;
    const x = read(a!);
    const y = read(b!);
    const to = read(out!);
    const panelsA = new Float64Array(Math.ceil(m / tile) * tile * k);
    const panelsB = new Float64Array(Math.ceil(n / tile) * tile * k);
    const walk = coalesce(batch, [
      broadcastStrides(a!.shape.slice(0, -2), batch).map((s) => s * m * k),
      broadcastStrides(b!.shape.slice(0, -2), batch).map((s) => s * k * n),
    ]);
    const [stepA, stepB] = innerStrides(walk) as [number, number];
    let packedA = -1;
    let packedB = -1;
    let offset = 0;
    eachRow(walk, [0, 0], (count, at) => {
      for (let i = 0; i < count; i++) {
        const atA = at[0]! + i * stepA;
        const atB = at[1]! + i * stepB;
        if (atA !== packedA) pack(panelsA, x, atA, m, k, transA ? 1 : k, transA ? m : 1);
        if (atB !== packedB) pack(panelsB, y, atB, n, k, transB ? k : 1, transB ? 1 : n);
        packedA = atA;
        packedB = atB;
        multiply(to, offset, m, n, k, panelsA, panelsB);
        offset += m * n;
      }
    });
  };
}

/** Kernel of `matmul`. */
export function matmulKernels(read: Read): Pick<Kernels, 'matmul'> {
  return { matmul: matmul(read) };
}
