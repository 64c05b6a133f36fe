/** Zero-shot classification by likelihood: which of the candidates goes with what is given? */
import { type Abortable, ValueError } from '@loretta-ts/core';
import type { Decoder } from '@loretta-ts/nn';
import type { Vocabulary } from '../vocabulary';
import { logSumExp } from './conditional';
import { countRows, eachTimes, type Rows, takeBlock, takeRows } from './rows';
import { logLikelihood } from './score';

/** Options of `zeroShot`. */
export interface ZeroShotOptions extends Abortable {
  /** Class of each candidate, from 0; several prompts may stand for one. Default: each is a class of its own. */
  readonly classes?: ArrayLike<number>;
  /** λ of log p(y | x) − λ log p(y); default 1, which cancels how common a candidate is. */
  readonly lambda?: number;
}

/** Classes of the rows. */
export interface ZeroShot {
  /** `[b]`: the class of the highest score. */
  readonly classes: Int32Array;
  /** Number of classes. */
  readonly count: number;
  /** `[b, count]`: the score of each class in nats; of several prompts, the logarithm of the mean of their eˢ. */
  readonly scores: Float64Array;
  /** `[b, count]`: softmax of the scores: the posterior where classes are equally common. */
  readonly probabilities: Float64Array;
}

/**
 * For each row x of what is given, which candidate y has the highest log p(y | x) − λ log p(y) (LORETTA §4.2, §4.3)?
 * By Bayes' rule that is log p(x | y) − log p(x) of a model that is right in both directions.
 * @param given one or several blocks, in any order
 * @param candidates `[k, length]` blocks of another modality
 * @throws ValueError when blocks do not fit or a class has no candidate
 */
export async function zeroShot(
  model: Decoder,
  vocab: Vocabulary,
  given: readonly Rows[],
  candidates: Rows,
  { classes, lambda = 1, signal }: ZeroShotOptions = {},
): Promise<ZeroShot> {
  if (given.length === 0) throw new ValueError('zeroShot', 'nothing is given to classify');
  if (!Number.isFinite(lambda))
    throw new ValueError('zeroShot', `lambda is ${lambda}, not a number`);
  const b = countRows('zeroShot', vocab, given, undefined);
  const k = countRows('zeroShot', vocab, [candidates], undefined);
  const groups = groupsOf(k, classes);
  const prior = await logLikelihood(model, vocab, [], candidates, k, { signal });
  const index = eachTimes(b, k);
  const joint = await logLikelihood(
    model,
    vocab,
    given.map((x) => takeBlock(x, b, index)),
    {
      ...candidates,
      ids: takeRows(
        candidates.ids,
        k,
        index.map((_, i) => i % k),
      ),
    },
    b * k,
    { signal },
  );
  const count = groups.length;
  const scores = new Float64Array(b * count);
  const probabilities = new Float64Array(b * count);
  const best = new Int32Array(b);
  for (let row = 0; row < b; row++) {
    const own = scores.subarray(row * count, (row + 1) * count);
    groups.forEach((members, c) => {
      const each = members.map((j) => joint[row * k + j]! - lambda * prior[j]!);
      own[c] = logSumExp(each) - Math.log(members.length);
    });
    const total = logSumExp([...own]);
    own.forEach((x, c) => {
      probabilities[row * count + c] = Math.exp(x - total);
      if (x > own[best[row]!]!) best[row] = c;
    });
  }
  return { classes: best, count, scores, probabilities };
}

/** Candidates of each class. */
function groupsOf(k: number, classes: ArrayLike<number> | undefined): number[][] {
  const of = classes === undefined ? Array.from({ length: k }, (_, j) => j) : Array.from(classes);
  if (of.length !== k || !of.every((c) => Number.isInteger(c) && c >= 0)) {
    throw new ValueError(
      'zeroShot',
      `classes has ${of.length} values for ${k} candidates: give integers from 0`,
    );
  }
  const count = Math.max(...of) + 1;
  const groups = Array.from({ length: count }, () => [] as number[]);
  of.forEach((c, j) => {
    groups[c]!.push(j);
  });
  const empty = groups.findIndex((members) => members.length === 0);
  if (empty >= 0) throw new ValueError('zeroShot', `class ${empty} has no candidate`);
  return groups;
}
