/** The likelihood of a block as it was generated: given the whole condition, or the product of several. */
import type { Abortable } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import type { Vocabulary } from '../vocabulary';
import { branchesOf, type GuidanceSetting } from './guidance';
import type { Rows } from './rows';
import { logLikelihood } from './score';

/** Options of `likelihoods`. */
export interface LikelihoodsOptions extends Abortable {
  /** How the condition guided; default null. */
  readonly guidance?: GuidanceSetting;
  /** log p(x), where it is known already. */
  readonly prior?: Float64Array;
}

/** Log-likelihoods in nats, `[b]` each. */
export interface Likelihoods {
  /** log p(x | c). */
  readonly conditional: Float64Array;
  /** log p(x). */
  readonly prior: Float64Array;
}

/**
 * log p(x | c) and log p(x). Where guidance has several branches, the first is that of their product,
 * log p(x) + Σᵢ [log p(x | cᵢ) − log p(x)], not normalised: exact up to a constant where the conditions are independent
 * given x. Scales do not count: they sharpen what is sampled, not what is likely.
 */
export async function likelihoods(
  model: Decoder,
  vocab: Vocabulary,
  condition: readonly Rows[],
  target: Rows,
  b: number,
  { guidance = null, prior: known, signal }: LikelihoodsOptions = {},
): Promise<Likelihoods> {
  const prior = known ?? (await logLikelihood(model, vocab, [], target, b, { signal }));
  if (condition.length === 0) return { conditional: prior.slice(), prior };
  const conditional = prior.slice();
  for (const { blocks } of branchesOf(condition, guidance)) {
    const given = await logLikelihood(model, vocab, blocks, target, b, { signal });
    given.forEach((x, i) => {
      conditional[i]! += x - prior[i]!;
    });
  }
  return { conditional, prior };
}

/** log Σ eˣ, −∞ of nothing. */
export function logSumExp(xs: readonly number[]): number {
  const most = Math.max(...xs);
  if (!Number.isFinite(most)) return most;
  return most + Math.log(xs.reduce((sum, x) => sum + Math.exp(x - most), 0));
}
