/** A trained method as the protocols see it, whatever it is: features, and how well two modalities go together. */
import { tensor, tidy } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import { type Rows, takeRows } from '../infer/rows';
import { logLikelihood } from '../infer/score';
import { forwardPacked } from '../loss';
import { maskInPlace } from '../objectives/bidirectional';
import { type Packed, pack, sameOrder, unpackRows } from '../sequence';
import { selectRows } from '@loretta-ts/nn';
import { crossEntropy } from '@loretta-ts/core';
import { Vocabulary } from '../vocabulary';

/** Which rows of x and of y are asked about together, index by index. */
export interface Candidates {
  /** Rows of x. */
  readonly x: Int32Array;
  /** Rows of y. */
  readonly y: Int32Array;
}

/** A trained method. */
export interface Learned extends Disposable {
  /** Width of the features. */
  readonly dim: number;
  /** Trainable numbers. */
  readonly parameters: number;
  /** `[n, dim]` frozen features of n rows of blocks in this order. */
  features(blocks: readonly Rows[], n: number): Promise<Float32Array>;
  /** How well y goes with x, one number for each candidate; larger is better. @param n rows of x, and of y */
  scores(x: Rows, y: Rows, n: number, candidates: Candidates): Promise<Float64Array>;
  /** The model where it has an exact likelihood and generates; otherwise null. */
  readonly decoder: Decoder | null;
  /** Frees the weights. */
  dispose(): void;
}

/** Rows that go through the model at once. */
const CHUNK = 128;

/**
 * A decoder or an encoder: pooled hidden states; pointwise mutual information log p(y | x) − log p(y). An encoder has every
 * token of y masked and predicted at once, as if they were independent: a masked model has no exact likelihood.
 */
export function learnedModel(model: Decoder, vocab: Vocabulary): Learned {
  const { causal, dim } = model.config;
  const likelihood = causal ? logLikelihood : maskedLikelihood;
  return {
    dim,
    parameters: model.parameterCount,
    decoder: causal ? model : null,
    features: (blocks, n) => pooled(model, vocab, blocks, n),
    async scores(x, y, n, candidates) {
      const m = candidates.x.length;
      const prior = await likelihood(model, vocab, [], y, n);
      const given = [pick(x, n, candidates.x)];
      const joint = await likelihood(model, vocab, given, pick(y, n, candidates.y), m);
      return joint.map((nats, j) => nats - prior[candidates.y[j]!]!);
    },
    dispose: () => model.dispose(),
    [Symbol.dispose]: () => model.dispose(),
  };
}

function pick({ modality, ids }: Rows, n: number, index: Int32Array): Rows {
  return { modality, ids: takeRows(ids, n, index) };
}

/** Rows `[at, at + n)` of blocks as sequences in one order. */
function chunkOf(vocab: Vocabulary, blocks: readonly Rows[], b: number, at: number): Packed {
  const n = Math.min(CHUNK, b - at);
  const parts = blocks.map(({ modality, ids }) => {
    const length = ids.length / b;
    return { modality, ids: ids.subarray(at * length, (at + n) * length), generated: false };
  });
  const order = sameOrder(
    n,
    parts.map((_, i) => i),
  );
  return pack(vocab, parts, order, { lossOn: 'all' });
}

/** Mean over a row's tokens of the states after the final norm, `[n, d]`. */
async function pooled(
  model: Decoder,
  vocab: Vocabulary,
  blocks: readonly Rows[],
  b: number,
): Promise<Float32Array> {
  const { dim } = model.config;
  const out = new Float32Array(b * dim);
  for (let at = 0; at < b; at += CHUNK) {
    const rows = unpackRows(vocab, chunkOf(vocab, blocks, b, at));
    const whole = maskInPlace(
      rows,
      rows.map(() => []),
    );
    const { b: n, t, ids } = whole;
    const real = Float32Array.from(ids, (id) => (id === Vocabulary.PAD ? 0 : 1));
    for (let i = 0; i < n; i++) {
      const weight = 1 / real.subarray(i * t, (i + 1) * t).reduce((p, q) => p + q, 0);
      for (let j = i * t; j < (i + 1) * t; j++) real[j]! *= weight;
    }
    const means = tidy(() =>
      forwardPacked(model, whole)
        .mul(tensor(real, { shape: [n, t, 1] }))
        .sum(1)
        .keep(),
    ); // [n, d]
    try {
      out.set((await means.data()) as Float32Array, at * dim);
    } finally {
      means.dispose();
    }
  }
  return out;
}

/** Σ log p(y_i | x, all of y masked) of each row in nats, `[b]`. */
async function maskedLikelihood(
  model: Decoder,
  vocab: Vocabulary,
  conditions: readonly Rows[],
  target: Rows,
  b: number,
): Promise<Float64Array> {
  const last = vocab.index(target.modality);
  const out = new Float64Array(b);
  for (let at = 0; at < b; at += CHUNK) {
    const rows = unpackRows(vocab, chunkOf(vocab, [...conditions, target], b, at));
    const masks = rows.map(({ counts }) => counts.flatMap((m, i) => (m === last ? [i] : [])));
    const packed = maskInPlace(rows, masks);
    const places = masks.flatMap((mask, row) => mask.map((i) => row * packed.t + i));
    const losses = tidy(() => {
      const hidden = selectRows(forwardPacked(model, packed), tensor(Int32Array.from(places)));
      const wanted = Int32Array.from(places, (i) => packed.targets[i]!);
      return crossEntropy(model.logits(hidden), tensor(wanted)).keep();
    });
    try {
      const nats = await losses.data();
      places.forEach((place, i) => {
        out[at + Math.floor(place / packed.t)]! -= nats[i]!;
      });
    } finally {
      losses.dispose();
    }
  }
  return out;
}
