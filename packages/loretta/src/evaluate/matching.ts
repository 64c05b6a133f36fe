/** 1-of-n matching by pointwise mutual information, chaining, and probes (LORETTA §4). */
import { hostRandom } from '@loretta-ts/core';
import { type Rows, takeRows } from '../infer/rows';
import { logLikelihood } from '../infer/score';
import { asTrained, type EvaluationContext, generateFrom, judged, testRows } from './directions';
import { type Estimate, hits, proportion } from './intervals';

/**
 * For each test row: which of `classes` candidates, one of each class, goes with the given block? The score is
 * log p(y | x) − log p(y); without the second term the prior of y decides.
 */
export async function matching(
  c: EvaluationContext,
  from: string,
  to: string,
  rows: number,
): Promise<Estimate> {
  const { labels } = c.data.test;
  const classes = c.data.modalities[to]!.test.classes;
  const n = Math.min(rows, c.rows);
  const source = testRows(c, from);
  const target = testRows(c, to);
  const random = hostRandom(c.seed + 31);
  const byLabel = Array.from({ length: classes }, (_, k) =>
    Array.from({ length: c.rows }, (_, i) => i).filter((i) => labels[i] === k),
  );
  // candidate k of row i: a random row of class k, the row itself for its own class
  const candidates = Int32Array.from({ length: n * classes }, (_, j) => {
    const row = Math.floor(j / classes);
    const k = j % classes;
    const pool = byLabel[k]!;
    return labels[row] === k || pool.length === 0 ? row : pool[random.int(pool.length)]!;
  });
  const take = (all: Rows, index: ArrayLike<number>): Rows => ({
    ...all,
    ids: takeRows(all.ids, c.rows, index),
  });
  const prior = await logLikelihood(c.model, c.vocab, [], target, c.rows, asTrained(c));
  const given = take(
    source,
    Int32Array.from({ length: n * classes }, (_, j) => Math.floor(j / classes)),
  );
  const likely = take(target, candidates);
  const joint = await logLikelihood(c.model, c.vocab, [given], likely, n * classes, asTrained(c));
  let right = 0;
  for (let i = 0; i < n; i++) {
    let best = -1;
    let top = Number.NEGATIVE_INFINITY;
    for (let k = 0; k < classes; k++) {
      if (byLabel[k]!.length === 0) continue; // no candidate to take
      const j = i * classes + k;
      const score = joint[j]! - prior[candidates[j]!]!;
      if (score > top) [top, best] = [score, k];
    }
    if (best === labels[i]) right++;
  }
  return proportion(right, n);
}

/** Judged accuracy of generating along a route of several hops, each from what the one before generated. */
export async function chain(
  c: EvaluationContext,
  route: readonly string[],
  guidance: number | null,
): Promise<Estimate> {
  let block = testRows(c, route[0]!);
  for (let hop = 1; hop < route.length; hop++) {
    const to = route[hop]!;
    const ids = await generateFrom(c, block, to, { guidance, temperature: 1, stream: 100 + hop });
    block = { modality: to, ids };
  }
  return hits(await judged(c, block.modality, block.ids), c.data.test.labels);
}
