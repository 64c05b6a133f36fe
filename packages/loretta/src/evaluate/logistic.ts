/** Multinomial logistic regression on frozen features. */
import {
  type Abortable,
  crossEntropy,
  hostRandom,
  key,
  mean,
  tensor,
  throwIfAborted,
  tidy,
  valueAndGrad,
  construct,
} from '@loretta-ts/core';
import { AdamW, Linear } from '@loretta-ts/nn';
import { shuffle } from '../data/align';

/** Features `[n, dim]` and their classes. */
export interface Labelled {
  /** `[n, dim]`, standardised. */
  readonly x: Float32Array;
  /** Class of each row, `[n]`. */
  readonly labels: Int32Array;
  /** Width of the features. */
  readonly dim: number;
  /** Number of classes. */
  readonly classes: number;
}

/** Options of `classify`. */
export interface LogisticOptions extends Abortable {
  /** Of the first weights. */
  readonly seed: number;
  /** Of AdamW; default 0.5. */
  readonly weightDecay?: number;
  /** Default 200. */
  readonly steps?: number;
}

/** Features `[n, dim]` less the mean of the features `by`, over their deviation. */
export function standardise(x: Float32Array, by: Float32Array, dim: number): Float32Array {
  const n = by.length / dim;
  const out = new Float32Array(x.length);
  for (let d = 0; d < dim; d++) {
    let sum = 0;
    let squares = 0;
    for (let i = d; i < by.length; i += dim) {
      sum += by[i]!;
      squares += by[i]! * by[i]!;
    }
    const mu = sum / n;
    const sd = Math.sqrt(Math.max(1e-8, squares / n - mu * mu));
    for (let i = d; i < x.length; i += dim) out[i] = (x[i]! - mu) / sd;
  }
  return out;
}

/** Learns on labelled features and classifies others, `[n, dim] -> [n]`. */
export async function classify(
  { x, labels, dim, classes }: Labelled,
  test: Float32Array,
  { seed, weightDecay = 0.5, steps = 200, signal }: LogisticOptions,
): Promise<Int32Array> {
  const { model, optimizer, input, wanted } = construct(() => {
    const made = new Linear(dim, classes, { key: key(seed), bias: true });
    return {
      model: made,
      optimizer: new AdamW(made.namedParameters(), { lr: 0.02, weightDecay }),
      input: tensor(x, { shape: [labels.length, dim] }).keep(),
      wanted: tensor(labels).keep(),
    };
  });
  try {
    for (let step = 0; step < steps; step++) {
      await throwIfAborted(signal);
      tidy(() => {
        const { grads } = valueAndGrad(model.parameters(), () =>
          mean(crossEntropy(model.forward(input), wanted)),
        );
        optimizer.step(grads, { lr: 0.02 * (1 - step / steps) });
      });
    }
    using found = tidy(() =>
      model.forward(tensor(test, { shape: [test.length / dim, dim] })).argmax(1),
    );
    return Int32Array.from(await found.data());
  } finally {
    for (const owned of [input, wanted, optimizer, model]) owned.dispose();
  }
}

/** Rows of labelled features. */
export function takeLabelled(all: Labelled, rows: ArrayLike<number>): Labelled {
  const x = new Float32Array(rows.length * all.dim);
  for (let i = 0; i < rows.length; i++) {
    x.set(all.x.subarray(rows[i]! * all.dim, (rows[i]! + 1) * all.dim), i * all.dim);
  }
  return { ...all, x, labels: Int32Array.from(rows, (i) => all.labels[i]!) };
}

/** The weight decay of `choices` that classifies held-out rows best, by cross-validation; the first of equals. */
export async function chooseDecay(
  data: Labelled,
  choices: readonly number[],
  folds: number,
  seed: number,
  { signal }: Abortable = {},
): Promise<number> {
  const order = Int32Array.from(data.labels, (_, i) => i);
  shuffle(order, hostRandom(seed));
  let best = choices[0]!;
  let most = -1;
  for (const weightDecay of choices) {
    let right = 0;
    for (let fold = 0; fold < folds; fold++) {
      const held = takeLabelled(
        data,
        order.filter((_, i) => i % folds === fold),
      );
      const rest = takeLabelled(
        data,
        order.filter((_, i) => i % folds !== fold),
      );
      const found = await classify(rest, held.x, { seed, weightDecay, steps: 100, signal });
      found.forEach((k, i) => {
        if (k === held.labels[i]) right++;
      });
    }
    if (right > most) [most, best] = [right, weightDecay];
  }
  return best;
}
