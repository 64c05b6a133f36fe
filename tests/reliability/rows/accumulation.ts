/** Unequal micro-batches give the gradient of one batch. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import {
  crossEntropy,
  key,
  normal,
  setBackend,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import { GradAccumulator, Linear } from '@loretta-ts/nn';
import { eachCase, must, type Row } from '../row';

const BOUND = 1e-10;

export const accumulation: Row = {
  name: 'accumulation',
  holds: 'unequal micro-batches equal one batch within 1e-10 in f64',
  ci: 50,
  release: 1000,
  check: (runs, seed, report) =>
    eachCase(runs, seed, report, (random, index) => {
      const backend = referenceBackend();
      setBackend(backend);
      const [inputs, classes, rows] = [1 + random.int(5), 1 + random.int(5), 2 + random.int(12)];
      const model = new Linear(inputs, classes, { key: key(index), dtype: 'f64' });
      const x = normal(key(index + 1), [rows, inputs], { dtype: 'f64' });
      const y = tensor(Int32Array.from({ length: rows }, () => random.int(classes)));
      const params = model.parameters();
      const add = (into: GradAccumulator, from: number, n: number): void =>
        tidy(() => {
          const { grads } = valueAndGrad(params, () =>
            crossEntropy(model.forward(x.narrow(0, from, n)), y.narrow(0, from, n)).sum(),
          );
          into.add(grads, n);
        });
      const whole = new GradAccumulator(params);
      add(whole, 0, rows);
      const parts = new GradAccumulator(params);
      for (let at = 0; at < rows; ) {
        const n = 1 + random.int(rows - at);
        add(parts, at, n);
        at += n;
      }
      whole.average();
      parts.average();
      for (const p of params) {
        const [a, b] = [whole.get(p).dataSync(), parts.get(p).dataSync()];
        a.forEach((v, i) => {
          must(Math.abs(v - b[i]!) <= BOUND, () => `gradient ${i} is ${b[i]}, of one batch ${v}`);
        });
      }
      for (const each of [whole, parts, model, x, y]) each.dispose();
      must(backend.memory().buffers === 0, () => `${backend.memory().buffers} buffers are left`);
    }),
};
