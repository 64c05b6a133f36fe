/** Batched matrix product. */
import type { Kernel, Kernels } from '@loretta-ts/core';
import { broadcastStrides, coalesce } from '../layout';
import type { Context } from '../launch';
import { product } from './product';

function matmul(context: Context): Kernel<'matmul'> {
  return ([a, b], [out], { transA, transB }) => {
    if (out!.size === 0) return;
    const rank = out!.shape.length;
    const batch = out!.shape.slice(0, -2);
    const m = out!.shape[rank - 2]!;
    const n = out!.shape[rank - 1]!;
    const k = a!.shape[a!.shape.length - (transA ? 2 : 1)]!;
    const { shape, strides } = coalesce(batch, [
      broadcastStrides(a!.shape.slice(0, -2), batch).map((s) => s * m * k),
      broadcastStrides(b!.shape.slice(0, -2), batch).map((s) => s * k * n),
    ]);
    const result = product(
      context,
      { array: a!, batch: strides[0]!, row: transA ? 1 : k, column: transA ? m : 1 },
      { array: b!, batch: strides[1]!, row: transB ? 1 : n, column: transB ? k : 1 },
      { batch: shape, m, n, k },
      { integers: out!.dtype === 'i32' },
    );
    context.memory.store(out!, result);
  };
}

/** Kernel of `matmul`. */
export function matmulKernels(context: Context): Pick<Kernels, 'matmul'> {
  return { matmul: matmul(context) };
}
