/** Log-likelihoods of one block given others: bits per token, matching, zero-shot classification. */
import { crossEntropy, reshape, tensor, tidy } from '@loretta-ts/core';
import { type Decoder, selectRows } from '@loretta-ts/nn';
import { forwardPacked } from '../loss';
import { type Block, pack } from '../sequence';
import type { Vocabulary } from '../vocabulary';

/** Rows that go through the model at once. */
const CHUNK = 128;

/** A block of rows `[b, length]` in joint ids. */
export interface Rows {
  /** Which modality it is. */
  readonly modality: string;
  /** `[b, length]` joint ids. */
  readonly ids: Int32Array;
}

/**
 * log p(target | conditions) of each row in nats, over the target's content tokens, `[b]`; its modality token is given.
 * Without conditions this is the unconditional likelihood.
 */
export async function logLikelihood(
  model: Decoder,
  vocab: Vocabulary,
  conditions: readonly Rows[],
  target: Rows,
  b: number,
): Promise<Float64Array> {
  const out = new Float64Array(b);
  for (let at = 0; at < b; at += CHUNK) {
    const n = Math.min(CHUNK, b - at);
    const blocks: Block[] = [...conditions, target].map(({ modality, ids }) => {
      const length = ids.length / b;
      return { modality, ids: ids.subarray(at * length, (at + n) * length), generated: false };
    });
    const last = vocab.index(target.modality);
    const order = new Array<readonly number[]>(n).fill(blocks.map((_, i) => i));
    const packed = pack(vocab, blocks, order, { lossOn: 'real' });
    const rows: number[] = [];
    for (let i = 0; i < packed.targets.length; i++) {
      if (packed.targets[i]! >= 0 && packed.weightsKey[i] === last) rows.push(i);
    }
    const losses = tidy(() => {
      const hidden = forwardPacked(model, packed);
      const logits = model.logits(selectRows(hidden, tensor(Int32Array.from(rows))));
      const wanted = Int32Array.from(rows, (r) => packed.targets[r]!);
      return reshape(crossEntropy(logits, tensor(wanted)), [rows.length]).keep();
    });
    try {
      const nats = await losses.data();
      rows.forEach((r, i) => {
        out[at + Math.floor(r / packed.t)]! -= nats[i]!;
      });
    } finally {
      losses.dispose();
    }
  }
  return out;
}

/** Content tokens of each row that count in a likelihood: up to and with the end token. */
export function tokenCounts(vocab: Vocabulary, target: Rows, b: number): Float64Array {
  const length = target.ids.length / b;
  const end = vocab.end(target.modality);
  return Float64Array.from({ length: b }, (_, i) => {
    const at = target.ids.subarray(i * length, (i + 1) * length).indexOf(end);
    return at < 0 ? length : at + 1;
  });
}
