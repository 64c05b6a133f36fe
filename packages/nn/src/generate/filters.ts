/** What may be sampled: filters on logits `[..., v]`, where removed tokens become -inf. */
import {
  argmax,
  argsort,
  cumsum,
  full,
  gather,
  gt,
  lt,
  max,
  minimum,
  narrow,
  oneHot,
  pad,
  ShapeError,
  scatterAdd,
  softmax,
  sum,
  type Tensor,
  tensor,
  topK,
  ValueError,
  where,
  zeros,
} from '@loretta-ts/core';

/** Token ids from the first to before the second. */
export type IdRange = readonly [from: number, to: number];

/** Most likely token: `[..., v] -> i32[...]`; the lowest index of a tie. */
export function greedy(logits: Tensor): Tensor {
  return argmax(logits, -1);
}

/** logits / temperature. @throws ValueError unless temperature is positive */
export function applyTemperature(logits: Tensor, temperature: number): Tensor {
  if (!(temperature > 0)) {
    throw new ValueError(
      'applyTemperature',
      `temperature is ${temperature}, not positive: use greedy instead`,
    );
  }
  return temperature === 1 ? logits : logits.div(temperature);
}

/** Keeps the k most likely tokens, and those that tie with the k-th. @throws ValueError unless k is a positive integer */
export function topKFilter(logits: Tensor, k: number): Tensor {
  if (!Number.isInteger(k) || k < 1)
    throw new ValueError('topKFilter', `k is ${k}, not a positive integer`);
  const v = vocabOf('topKFilter', logits);
  if (k >= v) return logits;
  const [best] = topK(logits, k);
  const least = narrow(best, -1, k - 1, 1); // [..., 1]
  return remove(logits, lt(logits, least));
}

/**
 * Nucleus: keeps a token iff the probability of those before it, from the most likely down, is less than p, so the
 * best one always stays (Holtzman et al. 2020).
 * @throws ValueError unless p is in (0, 1]
 */
export function topPFilter(logits: Tensor, p: number): Tensor {
  if (!(p > 0 && p <= 1)) throw new ValueError('topPFilter', `p is ${p}, not in (0, 1]`);
  const v = vocabOf('topPFilter', logits);
  if (p === 1) return logits;
  const order = argsort(logits, -1, { descending: true }); // [..., v]
  const mass = cumsum(gather(softmax(logits), order, -1), -1);
  const none = logits.shape.slice(0, -1).map((): readonly [number, number] => [0, 0]);
  const before = pad(narrow(mass, -1, 0, v - 1), [...none, [1, 0]]); // [..., v]
  const rank = argsort(order, -1); // the place of each token in the order
  return remove(logits, gather(before, rank, -1).ge(p));
}

/** Keeps tokens at least `minP` times as likely as the best. @throws ValueError unless minP is in [0, 1] */
export function minPFilter(logits: Tensor, minP: number): Tensor {
  if (!(minP >= 0 && minP <= 1))
    throw new ValueError('minPFilter', `minP is ${minP}, not in [0, 1]`);
  const probs = softmax(logits);
  return remove(logits, lt(probs, max(probs, -1, { keepDims: true }).mul(minP)));
}

/**
 * Divides positive logits of the seen tokens by `penalty` and multiplies negative ones, once however often a token
 * was seen (Keskar et al. 2019).
 * @param seen i32[b, n] token ids, or bool[b, v]
 */
export function repetitionPenalty(logits: Tensor, seen: Tensor, penalty: number): Tensor {
  if (!(penalty > 0))
    throw new ValueError('repetitionPenalty', `penalty is ${penalty}, not positive`);
  const mask =
    seen.dtype === 'bool' ? seen : seenTokens(seen, vocabOf('repetitionPenalty', logits));
  const punished = where(lt(logits, 0), logits.mul(penalty), logits.div(penalty));
  return where(mask, punished, logits);
}

/** `(ids: i32[b, n], counted?: bool[b, n]) -> bool[b, v]`: which tokens are among the ids of a row. */
export function seenTokens(ids: Tensor, vocab: number, counted: Tensor | null = null): Tensor {
  const ones = counted === null ? full(ids.shape, 1, { dtype: 'i32' }) : counted.cast('i32');
  return gt(scatterAdd(zeros([ids.shape[0]!, vocab], { dtype: 'i32' }), ids, ones, 1), 0);
}

/** `(seen: bool[b, v], tokens: i32[b]) -> bool[b, v]` with the new tokens. */
export function alsoSeen(seen: Tensor, tokens: Tensor): Tensor {
  return seen.or(gt(oneHot(tokens, seen.shape[1]!, { dtype: 'i32' }), 0));
}

/** Removes every token outside the ranges. @throws ValueError for an empty range or one outside the vocabulary */
export function allowRanges(logits: Tensor, ranges: readonly IdRange[]): Tensor {
  return where(rangeMask(ranges, vocabOf('allowRanges', logits)), logits, -Infinity);
}

/** bool[v]: true inside the ranges. */
export function rangeMask(ranges: readonly IdRange[], vocab: number): Tensor {
  const mask = new Uint8Array(vocab);
  if (ranges.length === 0)
    throw new ValueError('allowRanges', 'no range: nothing could be sampled');
  for (const [from, to] of ranges) {
    if (!Number.isInteger(from) || !Number.isInteger(to) || from < 0 || to > vocab || from >= to) {
      throw new ValueError(
        'allowRanges',
        `[${from}, ${to}) is not a range of ids from 0 to ${vocab}: the second must be larger`,
      );
    }
    mask.fill(1, from, to);
  }
  return tensor(mask, { shape: [vocab], dtype: 'bool' });
}

/**
 * `(logits: [b, v], u: float[b] in [0, 1)) -> i32[b]`: the first token, in the order of the vocabulary, whose
 * cumulative probability exceeds u.
 */
export function sampleInverseCdf(logits: Tensor, u: Tensor): Tensor {
  const b = logits.shape[0]!;
  if (logits.rank !== 2 || u.rank !== 1 || u.shape[0] !== b) {
    throw new ShapeError(
      'sampleInverseCdf',
      `logits [${logits.shape.join(',')}] and u [${u.shape.join(',')}] are not [b, v] and [b]`,
      [logits.shape, u.shape],
    );
  }
  const mass = cumsum(softmax(logits), 1); // [b, v]
  const total = narrow(mass, 1, logits.shape[1]! - 1, 1);
  const below = sum(mass.le(u.reshape(b, 1).mul(total)).cast('i32'), 1); // [b]
  // rounding may put u at the very top: the last token with any probability is the first to reach it
  return minimum(below, argmax(mass, 1));
}

function remove(logits: Tensor, removed: Tensor): Tensor {
  return where(removed, -Infinity, logits);
}

function vocabOf(op: string, logits: Tensor): number {
  const v = logits.shape[logits.rank - 1];
  if (v === undefined)
    throw new ShapeError(op, 'logits are a scalar, not [..., v]', [logits.shape]);
  return v;
}
