/** Log-likelihoods of one block given others, in any order: bits per token, matching, zero-shot classification. */
import {
  type Abortable,
  crossEntropy,
  reshape,
  type Tensor,
  tensor,
  throwIfAborted,
  tidy,
  ValueError,
} from '@loretta-ts/core';
import { type Decoder, selectRows } from '@loretta-ts/nn';
import { forwardPacked, latentNats } from '../loss';
import { type Block, pack, type Packed, sameOrder } from '../sequence';
import type { Vocabulary } from '../vocabulary';
import type { Rows } from './rows';

/** Rows that go through the model at once. */
const CHUNK = 128;

/**
 * Ids that share the probability 1 at every token: those that generation allows there (`modality`), the whole
 * vocabulary as in the training loss, or the content ids, where an end token has probability 0.
 */
export type NormalisedOver = 'modality' | 'vocabulary' | 'content';

/** Options of `logLikelihood`. */
export interface LikelihoodOptions extends Abortable {
  /** Default `modality`: Σ p over all blocks is 1, and what is sampled at temperature 1 has this probability. */
  readonly over?: NormalisedOver;
}

/**
 * log p(target | conditions) of each row in nats, over the target's content tokens and its end token, `[b]`; its
 * modality token is given. Without conditions this is the unconditional likelihood. Of a target of vectors it is the
 * log-density, whatever `over`.
 * @throws ValueError when blocks and rows do not fit, or an id is of another modality
 */
export async function logLikelihood(
  model: Decoder,
  vocab: Vocabulary,
  conditions: readonly Rows[],
  target: Rows,
  b: number,
  options: LikelihoodOptions = {},
): Promise<Float64Array> {
  const length = target.ids.length / b;
  const tokens = await tokenLogLikelihoods(model, vocab, conditions, target, b, options);
  return Float64Array.from({ length: b }, (_, i) =>
    tokens.subarray(i * length, (i + 1) * length).reduce((sum, x) => sum + x, 0),
  );
}

/** As `logLikelihood`, token by token: `[b, length]`, 0 behind the end. */
export async function tokenLogLikelihoods(
  model: Decoder,
  vocab: Vocabulary,
  conditions: readonly Rows[],
  target: Rows,
  b: number,
  { over = 'modality', signal }: LikelihoodOptions,
): Promise<Float64Array> {
  if (!Number.isInteger(b) || b < 1)
    throw new ValueError('logLikelihood', `b is ${b}, not a positive integer`);
  const width = target.ids.length / b;
  const out = new Float64Array(b * width);
  for (let at = 0; at < b; at += CHUNK) {
    await throwIfAborted(signal);
    const n = Math.min(CHUNK, b - at);
    const part = ({ modality, ids, latents }: Rows, generated: boolean): Block => {
      const cut = <T extends Int32Array | Float32Array>(of: T): T =>
        of.subarray((at * of.length) / b, ((at + n) * of.length) / b) as T;
      return {
        modality,
        ids: cut(ids),
        ...(latents === undefined ? {} : { latents: cut(latents) }),
        generated,
      };
    };
    // what counts as generated carries no loss: the target alone does
    const blocks = [...conditions.map((x) => part(x, true)), part(target, false)];
    const order = sameOrder(
      n,
      blocks.map((_, i) => i),
    );
    const packed = pack(vocab, blocks, order, { lossOn: 'real' });
    const counted = countedTokens(packed);
    const nats = await losses(model, vocab, packed, counted, target.modality, over);
    counted.forEach(({ row, place }, i) => {
      out[(at + row) * width + place] = -nats[i]!;
    });
  }
  return out;
}

interface Counted {
  /** Place in the flattened `[b · t]`. */
  readonly at: number;
  readonly row: number;
  /** Place in the block. */
  readonly place: number;
}

function countedTokens({ targets, t }: Packed): Counted[] {
  const counted: Counted[] = [];
  let [last, place] = [-1, 0];
  targets.forEach((id, at) => {
    if (id < 0) return;
    const row = Math.floor(at / t);
    place = row === last ? place + 1 : 0;
    last = row;
    counted.push({ at, row, place });
  });
  return counted;
}

/** Nats of the counted tokens. */
async function losses(
  model: Decoder,
  vocab: Vocabulary,
  packed: Packed,
  counted: readonly Counted[],
  modality: string,
  over: NormalisedOver,
): Promise<ArrayLike<number>> {
  const wanted = Int32Array.from(counted, ({ at }) => packed.targets[at]!);
  const rows = Int32Array.from(counted, ({ at }) => at);
  const range = over === 'vocabulary' ? null : vocab.allowed(modality)[0]!;
  const [from, to] = range ?? [0, vocab.size];
  const ends = over !== 'vocabulary' && vocab.modality(modality).variable;
  if (vocab.isLatent(modality)) {
    return readBack(() => latentNats(model, vocab, packed, forwardPacked(model, packed), rows));
  }
  return readBack(() => {
    const hidden = selectRows(forwardPacked(model, packed), tensor(rows)); // [n, d]
    let logits = model.logits(hidden, range); // [n, to − from]
    if (ends) {
      // an end token is never generated first
      const barred = new Float32Array(rows.length * (to - from));
      counted.forEach(({ place }, i) => {
        if (place === 0 || over === 'content')
          barred[(i + 1) * (to - from) - 1] = Number.NEGATIVE_INFINITY;
      });
      logits = logits.add(
        tensor(barred, { shape: [rows.length, to - from] }).cast(model.config.dtype),
      );
    }
    const shifted = wanted.map((id) => id - from);
    return reshape(crossEntropy(logits, tensor(shifted)), [rows.length]);
  });
}

async function readBack(compute: () => Tensor): Promise<Float64Array> {
  const made = tidy(() => compute().keep());
  try {
    return Float64Array.from(await made.data());
  } finally {
    made.dispose();
  }
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
