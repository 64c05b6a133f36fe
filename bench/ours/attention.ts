/** Causal attention, forward and backward. */
import { attention, type Backend, type Tensor, tensor, valueAndGrad } from '@loretta-ts/core';
import type { AttentionCase } from '../lib/cases';
import { pattern, type Work } from '../peers/serve.mjs';

export function attentionWork({ length, heads, headDim }: AttentionCase, backend: Backend): Work {
  const shape = [1, length, heads, headDim];
  const size = length * heads * headDim;
  const make = (seed: number): Tensor => tensor(pattern(size, seed), { shape }).keep();
  const [q, k, v] = [make(1), make(2), make(3)];
  const step = () => valueAndGrad([q, k, v], () => attention(q, k, v, { causal: true }).sum());
  return {
    run() {
      const { value, grads } = step();
      value.dispose();
      grads.dispose();
    },
    async check() {
      const { value, grads } = step();
      const sums = [value.itemSync()];
      for (const leaf of [q, k, v]) {
        let sum = 0;
        for (const g of grads.get(leaf).dataSync()) sum += Math.abs(g);
        sums.push(sum / size);
      }
      value.dispose();
      grads.dispose();
      return sums;
    },
    /** Everything at the peak but q, k, v, o and their four gradients. */
    after: () => ({ beyondMiB: (backend.memory().peakBytes - 8 * 4 * size) / 2 ** 20 }),
    free() {
      for (const t of [q, k, v]) t.dispose();
    },
  };
}
