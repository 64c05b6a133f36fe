/** One answer out of several chains, which differ in what they sampled on the way. */
import type { Abortable, Key } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import type { Block } from '../sequence';
import type { Vocabulary } from '../vocabulary';
import { type ChainStep, checkChain, generateChain } from './chain';
import { type Likelihoods, likelihoods, logSumExp } from './conditional';
import { checkBest, repeatBlocks } from './n-best';
import { countRows, takeBlock, takeRows } from './rows';
import { logLikelihood } from './score';

/** Classes of blocks `[n, length]` of joint ids, `[n]`. */
export type Classify = (modality: string, ids: Int32Array) => Promise<ArrayLike<number>>;

/** Options of `generateConsensus`. */
export interface ConsensusOptions extends Abortable {
  /** Chains of a row. */
  readonly chains: number;
  /** As in `generateChain`, for all chains together. */
  readonly key?: Key;
  /** Rows, where nothing is given to tell. */
  readonly rows?: number;
  /** λ of the score log p̂(x | c) − λ log p(x); default 0, the likelihood. */
  readonly lambda?: number;
  /** The class that most chains end in decides first, the score among its members; default none. */
  readonly vote?: Classify | null;
}

/** The candidate that was chosen, for each row. */
export interface Consensus extends Likelihoods {
  /** Which modality it is. */
  readonly modality: string;
  /** `[b, length]` joint ids. */
  readonly ids: Int32Array;
  /** `[b]`: log p̂(x | c), averaged over chains. */
  readonly conditional: Float64Array;
  /** `[b]`: the score of the chosen one. */
  readonly score: Float64Array;
  /** `[b]`: share of the chains that voted for its class; null without a vote. */
  readonly votes: Float64Array | null;
  /** What its chain made before it, `[b, length]` each, in the order of the steps. */
  readonly way: readonly Block[];
}

/**
 * Runs k chains for each row, of which every one samples its own link bᵢ and its own candidate xᵢ, and chooses the
 * candidate of the highest log p̂(x | c) − λ log p(x), with p̂(x | c) = 1/k Σᵢ p(x | bᵢ): the Monte-Carlo estimate of the
 * chain with its link summed out, Σ_b p(x | b) p(b | c) (LORETTA §1.4). A single chain is at the mercy of one bᵢ.
 * With `vote`, the class that most candidates are of is settled first; of classes that tie, that of the best score.
 * @throws ValueError as `generateChain`, and for k or λ out of range; what the signal was aborted with
 */
export async function generateConsensus(
  model: Decoder,
  vocab: Vocabulary,
  given: readonly Block[],
  steps: readonly ChainStep[],
  { chains: k, key, rows, lambda = 0, vote = null, signal }: ConsensusOptions,
): Promise<Consensus> {
  checkBest('generateConsensus', k, lambda);
  checkChain(vocab, given, steps);
  const b = countRows('generateConsensus', vocab, given, rows);
  const wide = repeatBlocks(given, b, k);
  const made = await generateChain(model, vocab, wide, steps, {
    rows: b * k,
    signal,
    ...(key === undefined ? {} : { key }),
  });
  const { target, from, guidance = null } = steps.at(-1)!;
  const way = made.slice(0, -1);
  const candidates = made.at(-1)!;
  const conditions = from.map((name) => [...wide, ...way].find((x) => x.modality === name)!);
  // candidate j of a row behind the conditions of its chain i, at (row · k + i) · k + j; one chain where all agree
  const sampled = way.some((block) => from.includes(block.modality));
  const links = sampled ? k : 1;
  const behind = Int32Array.from({ length: b * links * k }, (_, at) => {
    const row = Math.floor(at / (links * k));
    return row * k + (Math.floor(at / k) % links);
  });
  const before = Int32Array.from(behind, (_, at) => Math.floor(at / (links * k)) * k + (at % k));
  const prior = await logLikelihood(model, vocab, [], candidates, b * k, { signal });
  const found = await likelihoods(
    model,
    vocab,
    conditions.map((x) => ({ modality: x.modality, ids: takeRows(x.ids, b * k, behind) })),
    { modality: target, ids: takeRows(candidates.ids, b * k, before) },
    behind.length,
    { guidance, signal, prior: Float64Array.from(before, (at) => prior[at]!) },
  );
  const conditional = Float64Array.from({ length: b * k }, (_, at) => {
    const [row, j] = [Math.floor(at / k), at % k];
    const each = Array.from(
      { length: links },
      (_, i) => found.conditional[(row * links + i) * k + j]!,
    );
    return logSumExp(each) - Math.log(links);
  });
  const score = conditional.map((x, i) => x - lambda * prior[i]!);
  const classes = vote === null ? null : Array.from(await vote(target, candidates.ids));
  const chosen = Array.from({ length: b }, (_, row) => choose(score, classes, row, k));
  const at = chosen.map((x) => x.at);
  const take = (values: Float64Array): Float64Array => Float64Array.from(at, (i) => values[i]!);
  return {
    modality: target,
    ids: takeRows(candidates.ids, b * k, at),
    conditional: take(conditional),
    prior: take(prior),
    score: take(score),
    votes: classes === null ? null : Float64Array.from(chosen, (x) => x.share),
    way: way.map((x) => takeBlock(x, b * k, at)),
  };
}

/** The best candidate of the row, of the class that most are of; the first of equals. */
function choose(
  score: Float64Array,
  classes: readonly number[] | null,
  row: number,
  k: number,
): { readonly at: number; readonly share: number } {
  const places = Array.from({ length: k }, (_, j) => row * k + j);
  const votes = (at: number): number =>
    classes === null ? k : places.filter((other) => classes[other] === classes[at]).length;
  const at = places.reduce((best, next) => {
    const more = votes(next) - votes(best);
    return more > 0 || (more === 0 && score[next]! > score[best]!) ? next : best;
  });
  return { at, share: votes(at) / k };
}
