/** What a program with the GPU backend does, for bundlers to chew on: kernels of several kinds, forward and backward. */
import { gpu, type GpuMode } from '@loretta-ts/backend-gpu';
import {
  attention,
  crossEntropy,
  matmul,
  mean,
  reshape,
  setBackend,
  softmax,
  sum,
  tensor,
  valueAndGrad,
} from '@loretta-ts/core';

/** Numbers that do not depend on how the program was bundled. */
export async function main(mode: GpuMode): Promise<number[]> {
  const backend = await gpu({ mode, require: true });
  setBackend(backend);
  const wave = (n: number, shape: number[]) =>
    tensor(
      Float32Array.from({ length: n }, (_, i) => Math.sin(i)),
      { shape },
    );
  const w = wave(48, [8, 6]);
  const x = wave(32, [4, 8]);
  const targets = tensor(Int32Array.of(0, 5, 2, 3), { shape: [4], dtype: 'i32' });
  const { value, grads } = valueAndGrad([w], () => {
    const seen = reshape(
      attention(reshape(x, [1, 4, 1, 8]), reshape(x, [1, 4, 1, 8]), reshape(x, [1, 4, 1, 8]), {
        causal: true,
      }),
      [4, 8],
    );
    return mean(crossEntropy(matmul(seen, w), targets));
  });
  const numbers = [
    await value.item(),
    ...(await grads.get(w).data()).slice(0, 4),
    ...(await sum(softmax(w), 0).data()),
  ];
  await backend.dispose();
  return numbers.map(Number);
}
