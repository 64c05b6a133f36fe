/** Filling a span with any model: candidates from its left, weighed by what is on its right. */
import { type Abortable, type Key, tidy, uniform } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import type { Span } from '../objectives/masked';
import type { Block } from '../sequence';
import type { Vocabulary } from '../vocabulary';
import { logSumExp } from './conditional';
import { decode } from './decode';
import { contextRows } from './generate-block';
import { checkSpan, fill } from './infill';
import { checkBest, repeatBlocks } from './n-best';
import { countRows, takeRows } from './rows';
import { logLikelihood, tokenLogLikelihoods } from './score';

/** Options of `infillByImportance`. */
export interface ImportanceOptions extends Abortable {
  /** Candidates of a row. */
  readonly n: number;
  /** Of the candidates, and of the choice among them. */
  readonly key: Key;
  /** `sample` (default) draws a candidate by its weight; `best` takes the block of the highest likelihood. */
  readonly choose?: 'sample' | 'best';
}

/** Filled blocks. */
export interface Importance {
  /** `[b, length]` joint ids. */
  readonly ids: Int32Array;
  /**
   * `[b]`: (Σ w)² / Σ w²: how many of the n candidates carry the choice. Near 1, n is too small; it cannot tell of spans
   * that no candidate has.
   */
  readonly effective: Float64Array;
}

/**
 * The block with the tokens of `span` filled in anew, without training for it: n spans are sampled from the left,
 * q(span | conditions, left), and one is drawn with the weight w = p(block | conditions) / q, the likelihood of what
 * stands on the right (sampling-importance-resampling, Rubin 1987). Exact as n grows, whereas the right side must be
 * lucky for small n: `effective` says how lucky. Temperature and filters would bend the weights, so there are none.
 * @param condition other blocks, in front, in this order; may be none
 * @throws ValueError for a span that is empty or not inside every row's content, or n out of range
 */
export async function infillByImportance(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Block[],
  block: Block,
  span: Span,
  { n, key, choose = 'sample', signal }: ImportanceOptions,
): Promise<Importance> {
  checkBest('infillByImportance', n, 0);
  const { modality } = block;
  const { length } = vocab.modality(modality);
  const b = countRows('infillByImportance', vocab, [...condition, block], undefined);
  const contents = checkSpan('infillByImportance', vocab, block, b, span);
  const [start, end] = span;
  const wide = repeatBlocks([...condition, block], b, n);
  const given = wide.slice(0, -1);
  const whole = contextRows(vocab, wide, b * n);
  const rows = contextRows(vocab, given, b * n).map((row, i) => {
    const left = row.ids.length + 1 + start; // with the modality token
    return { ids: whole[i]!.ids.slice(0, left), within: whole[i]!.within.slice(0, left) };
  });
  const made = await decode(model, {
    contexts: [{ rows, scale: 1 }],
    free: null,
    length: end - start,
    allowed: [vocab.content(modality)],
    next: (step) => vocab.within(modality, 1 + start + step),
    key: key.fold(0),
    filters: {},
    signal,
  });
  const spread = Array.from({ length: b * n }, (_, i) => contents[Math.floor(i / n)]!);
  const ids = fill(vocab, wide.at(-1)!, spread, span, (i) =>
    made.subarray(i * (end - start), (i + 1) * (end - start)),
  );
  const likely = await logLikelihood(model, vocab, given, { modality, ids }, b * n, {
    signal,
  });
  const proposed = await tokenLogLikelihoods(model, vocab, given, { modality, ids }, b * n, {
    over: 'content',
    signal,
  });
  const weights = likely.map(
    (x, i) =>
      x -
      proposed
        .subarray(i * length + start, i * length + end)
        .reduce((sum, token) => sum + token, 0),
  );
  const draws = await uniforms(key.fold(1), b);
  const effective = new Float64Array(b);
  const chosen = Array.from({ length: b }, (_, row) => {
    const own = [...weights.subarray(row * n, (row + 1) * n)];
    const total = logSumExp(own);
    const shares = own.map((w) => Math.exp(w - total));
    effective[row] = 1 / shares.reduce((sum, w) => sum + w * w, 0);
    if (choose === 'sample') return row * n + pick(shares, draws[row]!);
    const values = likely.subarray(row * n, (row + 1) * n);
    return row * n + values.indexOf(Math.max(...values));
  });
  return { ids: takeRows(ids, b * n, chosen), effective };
}

/** The first whose cumulative share exceeds u. */
function pick(shares: readonly number[], u: number): number {
  let sum = 0;
  const at = shares.findIndex((share) => (sum += share) > u);
  return at < 0 ? shares.length - 1 : at;
}

async function uniforms(key: Key, n: number): Promise<ArrayLike<number>> {
  const drawn = tidy(() => uniform(key, [n]).keep());
  try {
    return Array.from((await drawn.data()) as Float32Array);
  } finally {
    drawn.dispose();
  }
}
