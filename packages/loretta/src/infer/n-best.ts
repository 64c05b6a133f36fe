/** Several candidates for each row, ranked by how much the condition speaks for them. */
import { type Abortable, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import type { Block } from '../sequence';
import type { Vocabulary } from '../vocabulary';
import { type Likelihoods, likelihoods } from './conditional';
import { type GenerateBlockOptions, generateBlock } from './generate-block';
import type { GuidanceSetting } from './guidance';
import { countRows, eachTimes, type Rows, takeBlock, takeRows } from './rows';

/** Options of `generateBest`. */
export interface BestOptions extends GenerateBlockOptions {
  /** Candidates of a row. */
  readonly n: number;
  /** λ of log p(x | c) − λ log p(x); default 1, pointwise mutual information; 0 is the likelihood. */
  readonly lambda?: number;
}

/** Candidates of each row, the best first. */
export interface Ranked extends Likelihoods {
  /** Which modality they are. */
  readonly modality: string;
  /** Candidates of a row. */
  readonly n: number;
  /** `[b, n, length]` joint ids. */
  readonly ids: Int32Array;
  /** `[b, n]` in nats. */
  readonly conditional: Float64Array;
  /** `[b, n]` in nats. */
  readonly prior: Float64Array;
  /** `[b, n]`: what they are ranked by. */
  readonly score: Float64Array;
}

/**
 * n samples for each row of the condition, ranked by log p(x | c) − λ log p(x) (LORETTA §4.3, §6). Without the second
 * term the most common block wins, whatever the condition.
 * @throws ValueError for n or λ out of range, and as `generateBlock`
 */
export async function generateBest(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Block[],
  target: string,
  options: BestOptions,
): Promise<Ranked> {
  const { n, lambda = 1, rows, ...sampling } = options;
  checkBest('generateBest', n, lambda);
  const b = countRows('generateBest', vocab, condition, rows);
  const wide = repeatBlocks(condition, b, n);
  const ids = await generateBlock(model, vocab, wide, target, { ...sampling, rows: b * n });
  return await rankCandidates(
    model,
    vocab,
    condition,
    { modality: target, ids },
    {
      n,
      lambda,
      rows: b,
      guidance: options.guidance ?? null,
      signal: options.signal,
    },
  );
}

/** Options of `rankCandidates`. */
export interface RankOptions extends Abortable {
  /** Candidates of a row. */
  readonly n: number;
  /** As in `BestOptions`; default 1. */
  readonly lambda?: number;
  /** Rows, where there is no condition to tell. */
  readonly rows?: number;
  /** Branches make the condition a product; a scale has no effect. */
  readonly guidance?: GuidanceSetting;
}

/** Ranks candidates `[b, n, length]` of any origin, as `generateBest` does. @throws ValueError */
export async function rankCandidates(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Rows[],
  candidates: Rows,
  { n, lambda = 1, rows, guidance = null, signal }: RankOptions,
): Promise<Ranked> {
  checkBest('rankCandidates', n, lambda);
  const b = countRows('rankCandidates', vocab, condition, rows);
  countRows('rankCandidates', vocab, [candidates], b * n);
  const wide = repeatBlocks(condition, b, n);
  const found = await likelihoods(model, vocab, wide, candidates, b * n, {
    guidance,
    signal,
  });
  const score = found.conditional.map((x, i) => x - lambda * found.prior[i]!);
  const order = Int32Array.from({ length: b }, (_, row) => row).reduce<number[]>((all, row) => {
    const places = Array.from({ length: n }, (_, j) => row * n + j);
    all.push(...places.sort((x, y) => score[y]! - score[x]! || x - y));
    return all;
  }, []);
  const sorted = (values: Float64Array): Float64Array =>
    Float64Array.from(order, (i) => values[i]!);
  return {
    modality: candidates.modality,
    n,
    ids: takeRows(candidates.ids, b * n, order),
    conditional: sorted(found.conditional),
    prior: sorted(found.prior),
    score: sorted(score),
  };
}

/** Each row of `b`, n times. */
export function repeatBlocks<T extends Rows>(blocks: readonly T[], b: number, n: number): T[] {
  const index = eachTimes(b, n);
  return blocks.map((block) => takeBlock(block, b, index));
}

/** @throws ValueError */
export function checkBest(op: string, n: number, lambda: number): void {
  if (!Number.isInteger(n) || n < 1) {
    throw new ValueError(op, `${n} candidates of a row: give a positive integer`);
  }
  if (!Number.isFinite(lambda)) throw new ValueError(op, `lambda is ${lambda}, not a number`);
}
