/** Row operations, forward; and what the host pays for an op on a tiny tensor. */
import {
  crossEntropy,
  gelu,
  layerNorm,
  ones,
  softmax,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros,
} from '@loretta-ts/core';
import type { OpCase, OverheadCase } from '../lib/cases';
import { pattern, patternIds, type Work } from '../peers/serve.mjs';

export function opWork({ name, rows, cols }: OpCase): Work {
  const x = tensor(pattern(rows * cols, 3, 3), { shape: [rows, cols] }).keep();
  const y = tensor(pattern(rows * cols, 4), { shape: [rows, cols] }).keep();
  const weight = ones([cols]).keep();
  const bias = zeros([cols]).keep();
  const ids = tensor(patternIds(rows, cols), { shape: [rows], dtype: 'i32' }).keep();
  const table: Readonly<Record<string, () => Tensor>> = {
    softmax: () => softmax(x),
    'layer norm': () => layerNorm(x, weight, bias, { eps: 1e-5 }),
    gelu: () => gelu(x),
    add: () => x.add(y),
    'cross-entropy': () => crossEntropy(x, ids),
    'sum of rows': () => x.sum(1),
    transpose: () => x.transpose(),
  };
  const op = table[name];
  if (op === undefined) throw new Error(`no op ${name}`);
  return {
    run: () => op().dispose(),
    check() {
      using out = op();
      const values = out.dataSync();
      let sum = 0;
      for (const v of values) sum += Math.abs(v);
      return [sum / values.length];
    },
    free() {
      for (const t of [x, y, weight, bias, ids]) t.dispose();
    },
  };
}

/** One run is a whole chain, forward and backward; `after` has the part that records. */
export function overheadWork({ ops }: OverheadCase): Work {
  const x = tensor(pattern(4, 1), { shape: [4] }).keep();
  const y = tensor(pattern(4, 2), { shape: [4] }).keep();
  let recorded = 0;
  let runs = 0;
  const run = (): number => {
    const { value, grads } = valueAndGrad([x], () => {
      const start = performance.now();
      let z = x;
      for (let i = 0; i < ops; i++) z = z.add(y);
      recorded += performance.now() - start;
      runs++;
      return z.sum();
    });
    const sum = value.itemSync();
    value.dispose();
    grads.dispose();
    return sum;
  };
  return {
    run,
    /** Many chains: until everything is compiled. */
    check() {
      for (let i = 0; i < 300; i++) run();
      recorded = 0;
      runs = 0;
      return [run()];
    },
    after({ cpu }) {
      const recordMicros = (recorded * 1000) / runs / ops;
      recorded = 0;
      runs = 0;
      return { recordMicros, perOpMicros: (cpu * 1000) / ops };
    },
  };
}
