/** f32 matrix products: packed panels, or kernels without packing where there are few rows or columns. */
import type { Kernels, Shape, View } from '@loretta-ts/core';
import type { WasmKernels } from './kernels.generated';
import { at, isF32, type SomeKernels } from './view';

/** Under so many rows of C packing costs more than it gives. */
const fewRows = 8;
/** The same for B stored transposed, where dot products need no packing. */
const manyRows = 64;

export function matmulKernels(wasm: WasmKernels, reference: Kernels): SomeKernels {
  const slow = reference.matmul;
  return {
    matmul(ins, outs, attrs) {
      if (!isF32(ins)) slow(ins, outs, attrs);
      else batchedProduct(wasm, ins[0]!, ins[1]!, outs[0]!, attrs.transA, attrs.transB);
    },
  };
}

function batchedProduct(
  wasm: WasmKernels,
  a: View,
  b: View,
  out: View,
  transA: boolean,
  transB: boolean,
): void {
  const rank = out.shape.length;
  let m = out.shape[rank - 2]!;
  const n = out.shape[rank - 1]!;
  const k = a.shape[a.shape.length - (transA ? 2 : 1)]!;
  if (out.size === 0) return;
  const sizeA = m * k;
  const sizeB = k * n;
  let batch = out.size / (m * n);
  const flatB = b.size === sizeB;
  if (batch === 1 || (flatB && !transA && a.size === out.size * (k / n))) {
    // One matrix B: the batch axes of A are more rows.
    m *= batch;
    batch = 1;
  }
  const pc = at(out);
  if (batch === 1) {
    product(wasm, transA, transB, m, n, k, at(a), at(b), pc);
    return;
  }
  const full = k > 0 && a.size === batch * sizeA && b.size === batch * sizeB;
  const stepA = full ? null : batchSteps(a.shape, out.shape);
  const stepB = full ? null : batchSteps(b.shape, out.shape);
  if (full && m >= fewRows && n >= fewRows) {
    const [lda, ldb] = [transA ? m : k, transB ? k : n];
    const [sa, sb, sc] = [sizeA * 4, sizeB * 4, m * n * 4];
    wasm.gemm(batch, sa, sb, sc, transA, transB, m, n, k, at(a), lda, at(b), ldb, pc, n);
    return;
  }
  for (let i = 0; i < batch; i++) {
    const pa = at(a) + (stepA ? batchIndex(i, stepA, out.shape) : i) * sizeA * 4;
    const pb = at(b) + (stepB ? batchIndex(i, stepB, out.shape) : i) * sizeB * 4;
    product(wasm, transA, transB, m, n, k, pa, pb, pc + i * m * n * 4);
  }
}

/** Strides, in matrices, of an operand along the batch axes of the output. */
function batchSteps(shape: Shape, out: Shape): number[] {
  const axes = out.length - 2;
  const steps = new Array<number>(axes).fill(0);
  let step = 1;
  for (let i = 1; i <= shape.length - 2; i++) {
    const size = shape[shape.length - 2 - i]!;
    if (size !== 1) steps[axes - i] = step;
    step *= size;
  }
  return steps;
}

function batchIndex(flat: number, steps: readonly number[], out: Shape): number {
  let rest = flat;
  let index = 0;
  for (let d = steps.length - 1; d >= 0; d--) {
    const size = out[d]!;
    index += (rest % size) * steps[d]!;
    rest = Math.floor(rest / size);
  }
  return index;
}

/** One product of matrices that lie dense at these addresses; m and n are not 0. */
function product(
  wasm: WasmKernels,
  transA: boolean,
  transB: boolean,
  m: number,
  n: number,
  k: number,
  a: number,
  b: number,
  c: number,
): void {
  const lda = transA ? m : k;
  const ldb = transB ? k : n;
  if (m < fewRows && !transB) {
    wasm.gemmFewRows(m, n, k, a, transA ? 1 : lda, transA ? lda : 1, b, ldb, c, n);
  } else if (m <= manyRows && !transA && transB) {
    wasm.gemmDots(m, n, k, a, lda, b, ldb, c, n, 1);
  } else if (n < fewRows && !transA && (transB || n === 1)) {
    // The rows of op(B)^T take the part of A.
    wasm.gemmDots(n, m, k, b, k, a, lda, c, 1, n);
  } else if (n === 1) {
    wasm.gemmFewRows(1, m, k, b, 1, 1, a, lda, c, m);
  } else if (k === 0) {
    wasm.gemmFewRows(m, n, 0, a, 1, 1, b, 1, c, n);
  } else {
    wasm.gemm(1, 0, 0, 0, transA, transB, m, n, k, a, lda, b, ldb, c, n);
  }
}
