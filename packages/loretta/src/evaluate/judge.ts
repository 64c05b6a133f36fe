/** Judges: small classifiers of one modality's tokens, trained on real training tokens only. */
import {
  type Abortable,
  crossEntropy,
  hostRandom,
  type Key,
  key,
  mean,
  normal,
  relu,
  type Tensor,
  tensor,
  throwIfAborted,
  tidy,
  valueAndGrad,
  construct,
} from '@loretta-ts/core';
import { AdamW, Embedding, Linear, Module } from '@loretta-ts/nn';
import type { TokenSet } from '../data/modality';
import type { TokenData } from '../train/data';
import { hits } from './intervals';

/** One-hot tokens by position -> hidden layer -> classes. */
class Classifier extends Module {
  readonly table: Embedding;
  readonly head: Linear;

  constructor(rows: number, hidden: number, classes: number, k: Key) {
    super();
    this.table = new Embedding(rows, hidden, { key: k.fold(0), std: 0.1 });
    this.head = new Linear(hidden, classes, { key: k.fold(1), bias: true });
  }

  /** `i32[b, length] -> [b, classes]`. */
  forward(features: Tensor): Tensor {
    return this.head.forward(relu(this.table.forward(features).sum(1)));
  }
}

/** Options of `trainJudge`. */
export interface JudgeOptions extends Abortable {
  /** Of the weights and the order of the samples. */
  readonly seed: number;
  /** Default 600. */
  readonly steps?: number;
  /** Default 128. */
  readonly hidden?: number;
}

/** A trained judge and how good it is. */
export class Judge {
  /** The modality that it judges. */
  readonly name: string;
  /** Share of real test sequences that it classifies rightly: the ceiling of what it can find in generated ones. */
  readonly accuracy: number;
  private readonly model: Classifier;
  private readonly length: number;
  private readonly codes: number;

  private constructor(data: TokenData, model: Classifier, accuracy: number) {
    this.name = data.name;
    this.model = model;
    this.length = data.maxLength;
    this.codes = data.vocabSize + 1;
    this.accuracy = accuracy;
  }

  /** A judge that has been measured on real test sequences. @internal */
  static async measured(data: TokenData, model: Classifier): Promise<Judge> {
    const { ids, lengths, labels } = data.test;
    const predicted = await new Judge(data, model, Number.NaN).classify(ids, lengths);
    return new Judge(data, model, hits(predicted, labels).value);
  }

  /** Classes of sequences of local ids `[n, length]`; positions from `lengths[i]` on do not count. */
  async classify(ids: Int32Array, lengths?: ArrayLike<number>): Promise<Int32Array> {
    const n = ids.length / this.length;
    const out = new Int32Array(n);
    const chunk = 512;
    for (let at = 0; at < n; at += chunk) {
      const b = Math.min(chunk, n - at);
      const rows = features(ids, this.length, this.codes, lengths, at, b);
      const classes = tidy(() =>
        this.model
          .forward(tensor(rows, { shape: [b, this.length] }))
          .argmax(1)
          .keep(),
      );
      try {
        out.set(await classes.data(), at);
      } finally {
        classes.dispose();
      }
    }
    return out;
  }

  /** Frees the weights. */
  dispose(): void {
    this.model.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}

/** Row of the table for each position and code; code 0 is 'no token'. */
function features(
  ids: Int32Array,
  length: number,
  codes: number,
  lengths: ArrayLike<number> | undefined,
  from: number,
  count: number,
): Int32Array {
  const rows = new Int32Array(count * length);
  for (let i = 0; i < count; i++) {
    const own = lengths?.[from + i] ?? length;
    for (let t = 0; t < length; t++) {
      rows[i * length + t] = t * codes + (t < own ? ids[(from + i) * length + t]! + 1 : 0);
    }
  }
  return rows;
}

/** Trains a judge on the real training tokens of a modality. @throws what the signal was aborted with */
export async function trainJudge(data: TokenData, options: JudgeOptions): Promise<Judge> {
  const { steps = 600, hidden = 128, seed, signal } = options;
  const set: TokenSet = data.train;
  const codes = data.vocabSize + 1;
  const k = key(seed);
  const { model, optimizer } = construct(() => {
    const made = new Classifier(data.maxLength * codes, hidden, set.classes, k);
    const options = { lr: 3e-3, weightDecay: 0.1 };
    return { model: made, optimizer: new AdamW(made.namedParameters(), options) };
  });
  const random = hostRandom(seed + 1);
  const batch = 128;
  const n = set.labels.length;
  try {
    for (let step = 0; step < steps; step++) {
      await throwIfAborted(signal);
      const ids = new Int32Array(batch * data.maxLength);
      const lengths = new Int32Array(batch).fill(data.maxLength);
      const labels = new Int32Array(batch);
      for (let i = 0; i < batch; i++) {
        const row = random.int(n);
        ids.set(set.ids.subarray(row * set.length, (row + 1) * set.length), i * data.maxLength);
        if (set.lengths) lengths[i] = set.lengths[row]!;
        labels[i] = set.labels[row]!;
      }
      const rows = features(ids, data.maxLength, codes, lengths, 0, batch);
      const noise = k.fold(step + 2);
      tidy(() => {
        const { grads } = valueAndGrad(model.parameters(), () => {
          const logits = model.forward(tensor(rows, { shape: [batch, data.maxLength] }));
          // a little noise on the logits keeps a judge of few samples from certainty
          return mean(
            crossEntropy(logits.add(normal(noise, logits.shape, { std: 0.1 })), tensor(labels)),
          );
        });
        optimizer.step(grads, { lr: 3e-3 * (1 - step / steps) });
      });
    }
    return await Judge.measured(data, model);
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    optimizer.dispose();
  }
}
