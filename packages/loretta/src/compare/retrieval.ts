/** Matching one of each class, and retrieval among many (LORETTA §4.3), by whatever score a method has. */
import { hostRandom } from '@loretta-ts/core';
import { byClass } from '../data/source';
import { type Estimate, hits, meanOf, proportion } from '../evaluate/intervals';
import type { Vocabulary } from '../vocabulary';
import { alignedRows, type ComparisonData } from './data';
import type { Learned } from './learned';

/** How well one modality finds another. */
export interface RetrievalResult {
  /** The query. */
  readonly from: string;
  /** What is looked for. */
  readonly to: string;
  /** 1 of classes: the candidate of the query's class, one candidate a class. */
  readonly matching: Estimate;
  /** Candidates of the retrieval task. */
  readonly candidates: number;
  /** Share of queries whose best candidate is right: of the same class, or the same instance where pairs are instances. */
  readonly recall1: Estimate;
  /** Share with a right candidate among the best five. */
  readonly recall5: Estimate;
  /** Mean reciprocal rank of the first right candidate. */
  readonly mrr: Estimate;
}

/** Matching over `rows` queries and retrieval over `candidates` of them (test rows mix classes). */
export async function retrieval(
  learned: Learned,
  vocab: Vocabulary,
  data: ComparisonData,
  [from, to]: readonly [string, string],
  options: { readonly rows: number; readonly candidates: number; readonly seed: number },
): Promise<RetrievalResult> {
  const { labels } = data.test;
  const n = Math.min(options.rows, data.test.size);
  const x = alignedRows(vocab, data, 'test', from, n);
  const y = alignedRows(vocab, data, 'test', to, n);
  const { classes } = data.modalities[to]!.test;
  const random = hostRandom(options.seed);
  const pools = byClass(labels.subarray(0, n), classes);
  const own = Int32Array.from({ length: n * classes }, (_, j) => Math.floor(j / classes));
  // the candidate of the query's own class is its partner; a class without test rows has none
  const other = own.map((row, j) => {
    const pool = pools[j % classes]!;
    return labels[row] === j % classes || pool.length === 0 ? row : pool[random.int(pool.length)]!;
  });
  const byMatch = await learned.scores(x, y, n, { x: own, y: other });
  const found = Int32Array.from({ length: n }, (_, row) => {
    let best = 0;
    for (let k = 1; k < classes; k++) {
      if (pools[k]!.length === 0) continue;
      if (byMatch[row * classes + k]! > byMatch[row * classes + best]!) best = k;
    }
    return best;
  });
  const m = Math.min(options.candidates, n);
  const all = {
    x: Int32Array.from({ length: m * m }, (_, j) => Math.floor(j / m)),
    y: Int32Array.from({ length: m * m }, (_, j) => j % m),
  };
  const scores = await learned.scores(x, y, n, all);
  const ranks = Array.from({ length: m }, (_, i) => {
    const right = (j: number): boolean =>
      data.pairing === 'instance' ? j === i : labels[j] === labels[i];
    const row = scores.subarray(i * m, (i + 1) * m);
    let best = Number.NEGATIVE_INFINITY;
    row.forEach((score, j) => {
      if (right(j)) best = Math.max(best, score);
    });
    // equal scores of wrong candidates count against the method
    return 1 + row.reduce((above, score, j) => above + (!right(j) && score >= best ? 1 : 0), 0);
  });
  const within = (k: number): Estimate => proportion(ranks.filter((r) => r <= k).length, m);
  return {
    ...{ from, to },
    matching: hits(found, labels.subarray(0, n)),
    candidates: m,
    recall1: within(1),
    recall5: within(5),
    mrr: meanOf(ranks.map((r) => 1 / r)),
  };
}
