/** Linear probes on frozen features (LORETTA §4.1). */
import { crossEntropy, key, mean, tensor, tidy, valueAndGrad } from '@loretta-ts/core';
import { AdamW, Linear } from '@loretta-ts/nn';
import { pack } from '../sequence';
import { rowsOf } from '../train/data';
import type { EvaluationContext } from './directions';
import { type Estimate, hits } from './intervals';

/** Mean over positions of the last hidden states of single blocks, standardised by the training rows. */
interface Features {
  readonly values: Float32Array;
  readonly labels: Int32Array;
  readonly dim: number;
}

async function features(
  c: EvaluationContext,
  name: string,
  split: 'train' | 'test',
  rows: number,
): Promise<Features> {
  const set = c.data.modalities[name]![split];
  const n = Math.min(rows, set.labels.length);
  const step = Math.max(1, Math.floor(set.labels.length / n));
  const index = Array.from({ length: n }, (_, i) => (i * step) % set.labels.length);
  const ids = rowsOf(c.vocab, name, set, index);
  const length = ids.length / n;
  const dim = c.model.config.dim;
  const values = new Float32Array(n * dim);
  const chunk = 128;
  for (let at = 0; at < n; at += chunk) {
    const b = Math.min(chunk, n - at);
    const block = {
      modality: name,
      ids: ids.subarray(at * length, (at + b) * length),
      generated: false,
    };
    const packed = pack(c.vocab, [block], new Array<readonly number[]>(b).fill([0]), {
      lossOn: 'real',
    });
    const shape = [packed.b, packed.t];
    const hidden = tidy(() =>
      mean(
        c.model.forward(tensor(packed.ids, { shape }), {
          within: tensor(packed.within, { shape }),
        }),
        1,
      ).keep(),
    );
    try {
      values.set((await hidden.data()) as Float32Array, at * dim);
    } finally {
      hidden.dispose();
    }
  }
  return { values, labels: Int32Array.from(index, (i) => set.labels[i]!), dim };
}

function standardise(f: Features, by: Features): Float32Array {
  const { dim } = f;
  const n = by.labels.length;
  const out = new Float32Array(f.values.length);
  for (let d = 0; d < dim; d++) {
    let sum = 0;
    let squares = 0;
    for (let i = 0; i < n; i++) {
      const x = by.values[i * dim + d]!;
      sum += x;
      squares += x * x;
    }
    const mu = sum / n;
    const sd = Math.sqrt(Math.max(1e-8, squares / n - mu * mu));
    for (let i = 0; i < f.labels.length; i++) out[i * dim + d] = (f.values[i * dim + d]! - mu) / sd;
  }
  return out;
}

/**
 * Multinomial logistic regression with weight decay on features of `train`, tested on features of `test`: the same
 * modality is the linear probe, another one probe transfer (features standardised within their own modality).
 */
export async function probe(
  c: EvaluationContext,
  train: string,
  test: string,
  rows: number,
): Promise<Estimate> {
  const learn = await features(c, train, 'train', rows);
  const seen = test === train ? learn : await features(c, test, 'train', rows);
  const held = await features(c, test, 'test', rows);
  const classes = c.data.modalities[train]!.train.classes;
  const { dim } = learn;
  const model = new Linear(dim, classes, { key: key(c.seed), bias: true });
  const optimizer = new AdamW(model.namedParameters(), { lr: 0.02, weightDecay: 0.5 });
  const x = tensor(standardise(learn, learn), { shape: [learn.labels.length, dim] }).keep();
  const y = tensor(learn.labels).keep();
  for (let step = 0; step < 200; step++) {
    tidy(() => {
      const { grads } = valueAndGrad(model.parameters(), () =>
        mean(crossEntropy(model.forward(x), y)),
      );
      optimizer.step(grads, { lr: 0.02 * (1 - step / 200) });
    });
  }
  const predicted = tidy(() =>
    model
      .forward(tensor(standardise(held, seen), { shape: [held.labels.length, dim] }))
      .argmax(1)
      .keep(),
  );
  try {
    return hits(await predicted.data(), held.labels);
  } finally {
    for (const t of [x, y, predicted]) t.dispose();
    optimizer.dispose();
    model.dispose();
  }
}
