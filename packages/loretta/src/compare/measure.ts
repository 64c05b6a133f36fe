/** Every protocol of the comparison on one trained method (LORETTA §4). */
import { key, throwIfAborted } from '@loretta-ts/core';
import { type Estimate, hits, meanOf } from '../evaluate/intervals';
import type { Judge } from '../evaluate/judge';
import { otherClass } from '../evaluate/directions';
import type { JobOptions, StageEvent } from '../events';
import { takeRows } from '../infer/rows';
import { logLikelihood, tokenCounts } from '../infer/score';
import { generateBlock } from '../infer/generate-block';
import { fromBlock } from '../train/data';
import type { Vocabulary } from '../vocabulary';
import { standardise } from '../evaluate/logistic';
import { alignedRows, type ComparisonData } from './data';
import type { Learned } from './learned';
import {
  featuresOf,
  type ProbeResult,
  probeSubset,
  type SubsetFeatures,
  subsetsOf,
  type TransferResult,
  transferProbe,
} from './probes';
import { type RetrievalResult, retrieval } from './retrieval';
import { concordanceEstimate, fitCox, simulateCohort } from './survival';

/** Bits per token of a modality given others. */
export interface BitsResult {
  /** The conditions, in the order of the input; none is unconditional. */
  readonly given: readonly string[];
  /** What is predicted. */
  readonly to: string;
  /** Given the same row. */
  readonly matched: Estimate;
  /** Mismatched (another class) less matched, paired by row; null without conditions. */
  readonly gain: Estimate | null;
}

/** Judged class of what is generated. */
export interface GenerationResult {
  /** The condition, and modalities that are generated between. */
  readonly route: readonly string[];
  /** Share in the condition's class. */
  readonly accuracy: Estimate;
}

/** Concordance of a Cox head on frozen features. */
export interface SurvivalResult {
  /** Modalities of the input. */
  readonly subset: readonly string[];
  /** Harrell's C on the test rows. */
  readonly c: Estimate;
}

/** All that is measured of a method. Plain data. */
export interface Measures {
  /** Trainable numbers. */
  readonly parameters: number;
  /** Probes on every subset. */
  readonly probes: readonly ProbeResult[];
  /** Probe transfer between single modalities. */
  readonly transfer: readonly TransferResult[];
  /** Perplexity by direction; empty without an exact likelihood. */
  readonly bits: readonly BitsResult[];
  /** Matching and retrieval in every direction. */
  readonly retrieval: readonly RetrievalResult[];
  /** Generation in the unseen directions, direct and over the link; empty for methods that do not generate. */
  readonly generation: readonly GenerationResult[];
  /** Survival on the simulated cohort; empty without one. */
  readonly survival: readonly SurvivalResult[];
}

/** Options of `measure`. */
export interface MeasureOptions extends JobOptions<StageEvent<'evaluate'>> {
  /** Of draws and samples. */
  readonly seed: number;
  /** Test rows of likelihoods, matching and generation, at most. */
  readonly rows: number;
  /** Candidates of the retrieval task, at most. */
  readonly candidates: number;
  /** Judges of the modalities; null generates nothing. */
  readonly judges: Readonly<Record<string, Judge>> | null;
}

/** Runs all protocols. @throws what the signal was aborted with */
export async function measure(
  learned: Learned,
  vocab: Vocabulary,
  data: ComparisonData,
  options: MeasureOptions,
): Promise<Measures> {
  const { seed, onEvent, signal } = options;
  const names = data.test.modalities;
  const directions = names.flatMap((from) =>
    names.filter((to) => to !== from).map((to) => [from, to] as const),
  );
  const subsets = subsetsOf(names);
  const total = subsets.length + directions.length + 3;
  let done = 0;
  const advance = async (): Promise<void> => {
    onEvent?.({ type: 'stage', stage: 'evaluate', done: ++done, total });
    await throwIfAborted(signal);
  };
  await throwIfAborted(signal);
  const features: SubsetFeatures[] = [];
  const probes: ProbeResult[] = [];
  for (const subset of subsets) {
    const found = await featuresOf(learned, vocab, data, subset);
    features.push(found);
    probes.push(await probeSubset(found, data, learned.dim, seed, { signal }));
    await advance();
  }
  const single = new Map(
    features.flatMap((f) => (f.subset.length === 1 ? [[f.subset[0]!, f] as const] : [])),
  );
  const transfer: TransferResult[] = [];
  for (const [from, to] of directions) {
    transfer.push(
      await transferProbe(single.get(from)!, single.get(to)!, data, learned.dim, seed, options),
    );
  }
  await advance();
  const found: RetrievalResult[] = [];
  for (const direction of directions) {
    found.push(await retrieval(learned, vocab, data, direction, options));
    await advance();
  }
  const bits = await perplexities(learned, vocab, data, options);
  await advance();
  const generation = await generations(learned, vocab, data, options);
  const survival: SurvivalResult[] = [];
  for (const f of features) survival.push(...(await survive(f, data, learned.dim, seed, options)));
  await advance();
  const { parameters } = learned;
  return { parameters, probes, transfer, bits, retrieval: found, generation, survival };
}

/** The direction matrix: each modality given every subset of the others. */
async function perplexities(
  { decoder }: Learned,
  vocab: Vocabulary,
  data: ComparisonData,
  { rows, signal }: MeasureOptions,
): Promise<BitsResult[]> {
  if (decoder === null) return [];
  const names = data.test.modalities;
  const n = Math.min(rows, data.test.size);
  const others = otherClass(data.test.labels, n);
  const out: BitsResult[] = [];
  for (const to of names) {
    const target = alignedRows(vocab, data, 'test', to, n);
    const counts = tokenCounts(vocab, target, n);
    const bits = (nats: Float64Array): Float64Array =>
      nats.map((x, i) => -x / counts[i]! / Math.LN2);
    for (const given of [[], ...subsetsOf(names.filter((m) => m !== to))]) {
      const blocks = given.map((m) => alignedRows(vocab, data, 'test', m, n));
      const matched = bits(await logLikelihood(decoder, vocab, blocks, target, n, { signal }));
      const crossed = blocks.map(({ modality, ids }) => ({
        modality,
        ids: takeRows(ids, n, others),
      }));
      const mismatched =
        given.length === 0
          ? null
          : bits(await logLikelihood(decoder, vocab, crossed, target, n, { signal }));
      out.push({
        ...{ given, to },
        matched: meanOf(matched),
        gain: mismatched === null ? null : meanOf(mismatched.map((x, i) => x - matched[i]!)),
      });
    }
  }
  return out;
}

/** Both unseen directions, in one hop and over the link. */
async function generations(
  { decoder }: Learned,
  vocab: Vocabulary,
  data: ComparisonData,
  { rows, judges, seed, signal }: MeasureOptions,
): Promise<GenerationResult[]> {
  if (decoder === null || judges === null) return [];
  const { labels, modalities } = data.test;
  const n = Math.min(rows, data.test.size);
  const [a, c] = modalities.filter((m) => m !== data.link) as [string, string];
  const out: GenerationResult[] = [];
  for (const route of [
    [a, c],
    [c, a],
    [a, data.link, c],
    [c, data.link, a],
  ]) {
    let block = alignedRows(vocab, data, 'test', route[0]!, n);
    for (const to of route.slice(1)) {
      const ids = await generateBlock(decoder, vocab, [{ ...block, generated: false }], to, {
        key: key(seed).fold(vocab.index(to)).fold(route.length),
        temperature: 1,
        signal,
      });
      block = { modality: to, ids };
    }
    const local = fromBlock(vocab, block.modality, block.ids);
    const classes = await judges[block.modality]!.classify(local.ids, local.lengths);
    out.push({ route, accuracy: hits(classes, labels.subarray(0, n)) });
  }
  return out;
}

async function survive(
  { subset, fit, test }: SubsetFeatures,
  { risk }: ComparisonData,
  dim: number,
  seed: number,
  { signal }: MeasureOptions,
): Promise<SurvivalResult[]> {
  if (risk === null) return [];
  const cohort = simulateCohort(risk.fit, { seed: seed + 1 });
  const head = await fitCox(standardise(fit, fit, dim), dim, cohort, { signal });
  const held = simulateCohort(risk.test, { seed: seed + 2 });
  const risks = head.risks(standardise(test, fit, dim));
  return [{ subset, c: concordanceEstimate(held, risks, seed + 3) }];
}
