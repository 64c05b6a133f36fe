/** Matrix products. */
import { type Tensor, tensor } from '@loretta-ts/core';
import type { GemmCase } from '../lib/cases';
import { pattern, type Work } from '../peers/serve.mjs';

export function gemmWork({ batch, m, n, k, transA, transB }: GemmCase): Work {
  const operand = (rows: number, cols: number, seed: number): Tensor => {
    const shape = batch === 1 ? [rows, cols] : [batch, rows, cols];
    return tensor(pattern(batch * rows * cols, seed), { shape }).keep();
  };
  const a = transA ? operand(k, m, 1) : operand(m, k, 1);
  const b = transB ? operand(n, k, 2) : operand(k, n, 2);
  const left = tensor(pattern(512 * 512, 1), { shape: [512, 512] }).keep();
  const right = tensor(pattern(512 * 512, 2), { shape: [512, 512] }).keep();
  const operations = 2 * batch * m * n * k;
  const product = (): Tensor => a.matmul(b, { transA, transB });
  return {
    run: () => product().dispose(),
    check() {
      using c = product();
      const values = c.dataSync();
      let sum = 0;
      for (const x of values) sum += Math.abs(x);
      return [sum / values.length, values[values.length - 1]!];
    },
    /** The plain product that transposed and batched ones are held against, in the same moment. */
    after({ cpu }) {
      const reps = 6;
      const start = process.cpuUsage();
      for (let i = 0; i < reps; i++) left.matmul(right).dispose();
      const { user, system } = process.cpuUsage(start);
      const plain = (reps * 2 * 512 ** 3 * 1000) / (user + system);
      return { share: operations / cpu / plain };
    },
    free() {
      for (const t of [a, b, left, right]) t.dispose();
    },
  };
}
