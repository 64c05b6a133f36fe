/** Linear probes, few-shot probes and probe transfer on frozen features (LORETTA §4.1). */
import { type Abortable, hostRandom } from '@loretta-ts/core';
import { shuffle } from '../data/align';
import { byClass } from '../data/source';
import { type Estimate, hits, proportion } from '../evaluate/intervals';
import {
  chooseDecay,
  classify,
  type Labelled,
  standardise,
  takeLabelled,
} from '../evaluate/logistic';
import type { Vocabulary } from '../vocabulary';
import { alignedRows, type ComparisonData, type Part } from './data';
import type { Learned } from './learned';

/** Frozen features of both splits. */
export interface SubsetFeatures {
  /** Modalities of the input, in its order. */
  readonly subset: readonly string[];
  /** `[fit, dim]`. */
  readonly fit: Float32Array;
  /** `[test, dim]`. */
  readonly test: Float32Array;
}

/** What probes find on one input. */
export interface ProbeResult {
  /** Modalities of the input. */
  readonly subset: readonly string[];
  /** All labels, weight decay by cross-validation. */
  readonly all: Estimate;
  /** `SHOTS` labels a class, over `DRAWS` draws of them. */
  readonly few: Estimate;
}

/** A probe trained on one modality and tested on another. */
export interface TransferResult {
  /** Where its labels are. */
  readonly from: string;
  /** Where it is tested. */
  readonly to: string;
  /** Share of rows that it classifies rightly. */
  readonly accuracy: Estimate;
}

const DECAYS = [0.05, 0.5, 5];
const FOLDS = 3;
/** Labels of a class in a few-shot probe. */
export const SHOTS = 5;
/** Few-shot probes, each with labels of its own. */
const DRAWS = 5;

/** All non-empty subsets of the modalities, in the order of the names, small ones first. */
export function subsetsOf(names: readonly string[]): string[][] {
  const all = Array.from({ length: 2 ** names.length - 1 }, (_, i) =>
    names.filter((_, m) => (((i + 1) >> m) & 1) === 1),
  );
  return all.sort((a, b) => a.length - b.length);
}

/** Features of aligned rows. */
export async function featuresOf(
  learned: Learned,
  vocab: Vocabulary,
  data: ComparisonData,
  subset: readonly string[],
): Promise<SubsetFeatures> {
  const part = (which: Part): Promise<Float32Array> => {
    const n = data[which].size;
    return learned.features(
      subset.map((name) => alignedRows(vocab, data, which, name, n)),
      n,
    );
  };
  return { subset, fit: await part('fit'), test: await part('test') };
}

/** Probes on one input, all labels and few. */
export async function probeSubset(
  { subset, fit, test }: SubsetFeatures,
  data: ComparisonData,
  dim: number,
  seed: number,
  { signal }: Abortable = {},
): Promise<ProbeResult> {
  const { classes } = Object.values(data.modalities)[0]!.train;
  const learn: Labelled = {
    x: standardise(fit, fit, dim),
    labels: data.fit.labels,
    ...{ dim, classes },
  };
  const held = standardise(test, fit, dim);
  const weightDecay = await chooseDecay(learn, DECAYS, FOLDS, seed, { signal });
  const all = hits(await classify(learn, held, { seed, weightDecay, signal }), data.test.labels);
  let right = 0;
  const random = hostRandom(seed + 1);
  for (let draw = 0; draw < DRAWS; draw++) {
    const rows = byClass(learn.labels, classes).flatMap((group) => {
      shuffle(group, random);
      return [...group.subarray(0, SHOTS)];
    });
    const found = await classify(takeLabelled(learn, rows), held, {
      seed,
      steps: 100,
      signal,
    });
    found.forEach((k, i) => {
      if (k === data.test.labels[i]) right++;
    });
  }
  // draws share their test rows: the interval is that of the rows
  const few = proportion(right / DRAWS, data.test.size);
  return { subset, all, few };
}

/** A probe of `from` on features of `to`, each standardised within its own modality. */
export async function transferProbe(
  from: SubsetFeatures,
  to: SubsetFeatures,
  data: ComparisonData,
  dim: number,
  seed: number,
  { signal }: Abortable = {},
): Promise<TransferResult> {
  const { classes } = Object.values(data.modalities)[0]!.train;
  const learn = {
    x: standardise(from.fit, from.fit, dim),
    labels: data.fit.labels,
    ...{ dim, classes },
  };
  const found = await classify(learn, standardise(to.test, to.fit, dim), { seed, signal });
  return {
    from: from.subset[0]!,
    to: to.subset[0]!,
    accuracy: hits(found, data.test.labels),
  };
}
