/** Linear probes on frozen features (LORETTA §4.1). */
import { mean, tensor, throwIfAborted, tidy } from '@loretta-ts/core';
import { pack } from '../sequence';
import { rowsOf } from '../train/data';
import type { EvaluationContext } from './directions';
import { type Estimate, hits } from './intervals';
import { classify, standardise } from './logistic';

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
    await throwIfAborted(c.signal);
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
  const { classes } = c.data.modalities[train]!.train;
  const { dim } = learn;
  const found = await classify(
    { x: standardise(learn.values, learn.values, dim), labels: learn.labels, dim, classes },
    standardise(held.values, seen.values, dim),
    { seed: c.seed, signal: c.signal },
  );
  return hits(found, held.labels);
}
