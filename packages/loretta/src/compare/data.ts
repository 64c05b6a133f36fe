/** What the comparison needs of a data set: pairs to train on, aligned rows to fit probes on and to test. */
import { hostRandom } from '@loretta-ts/core';
import { type AlignedTest, shuffle } from '../data/align';
import { byClass } from '../data/source';
import type { Rows } from '../infer/rows';
import { rowsOf, type TrainData } from '../train/data';
import type { Vocabulary } from '../vocabulary';

/** A data set with everything that is measured on it. Plain data. */
export interface ComparisonData extends TrainData {
  /** The modality that is seen with both others. */
  readonly link: string;
  /** Aligned rows of training samples, for probes only: pre-training sees their pairs, never all three together. */
  readonly fit: AlignedTest;
  /** True log-risks of the simulated cohort, by row of `fit` and of `test`; null where there is none. */
  readonly risk: {
    /** `[fit.size]`. */
    readonly fit: Float64Array;
    /** `[test.size]`. */
    readonly test: Float64Array;
  } | null;
}

/** The rows of one split. */
export type Part = 'fit' | 'test';

/** A modality of the first `n` aligned rows as joint ids. */
export function alignedRows(
  vocab: Vocabulary,
  data: ComparisonData,
  part: Part,
  name: string,
  n: number,
): Rows {
  const { modalities, index } = data[part];
  const column = modalities.indexOf(name);
  const rows = Array.from({ length: n }, (_, i) => index[i * modalities.length + column]!);
  const set = data.modalities[name]![part === 'fit' ? 'train' : 'test'];
  return { modality: name, ids: rowsOf(vocab, name, set, rows) };
}

/** Training samples of all modalities joined by class, `perClass` rows of each class in turn (fewer where there are fewer). */
export function classAligned(data: TrainData, perClass: number, seed: number): AlignedTest {
  const names = Object.keys(data.modalities);
  const classes = Object.values(data.modalities)[0]!.train.classes;
  const pools = names.map((name, m) => {
    const groups = byClass(data.modalities[name]!.train.labels, classes);
    const random = hostRandom(seed + m);
    for (const group of groups) shuffle(group, random);
    return groups;
  });
  const index: number[] = [];
  const labels: number[] = [];
  for (let i = 0; i < perClass; i++) {
    for (let k = 0; k < classes; k++) {
      const row = pools.map((groups) => groups[k]![i]);
      if (row.some((sample) => sample === undefined)) continue;
      index.push(...(row as number[]));
      labels.push(k);
    }
  }
  return {
    modalities: names,
    size: labels.length,
    index: Int32Array.from(index),
    labels: Int32Array.from(labels),
  };
}
