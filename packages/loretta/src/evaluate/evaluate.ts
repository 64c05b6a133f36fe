/** All that a model is measured by, as plain data. */
import type { Decoder } from '@loretta-ts/nn';
import type { JobOptions, StageEvent } from '../events';
import type { ModalityGraph } from '../graph';
import { fromBlock, type TrainData } from '../train/data';
import type { Vocabulary } from '../vocabulary';
import {
  type Direction,
  directionMatrix,
  type EvaluationContext,
  generateFrom,
  testRows,
} from './directions';
import type { Estimate } from './intervals';
import { type Judge, trainJudge } from './judge';
import { chain, matching } from './matching';
import { type Mixture, mixture } from './mixture';
import { probe } from './probe';

/** Results on a pair that was never seen together. */
export interface UnseenPair {
  /** The condition. */
  readonly from: string;
  /** What is predicted. */
  readonly to: string;
  /** 1-of-classes matching by pointwise mutual information. */
  readonly matching: Estimate;
  /** The pair's link: `from`, the modalities between, `to`. */
  readonly route: readonly string[];
  /** Judged accuracy of the chain over the link, plain and guided. */
  readonly chain: Estimate;
  /** As `chain`, with guidance at every hop. */
  readonly chainGuided: Estimate;
  /** A probe trained on `from`, tested on `to`. */
  readonly transfer: Estimate;
}

/** Everything that was measured. */
export interface Evaluation {
  /** Aligned test rows that counted. */
  readonly rows: number;
  /** Number of classes: chance is one of them. */
  readonly classes: number;
  /** All directions between two modalities. */
  readonly directions: readonly Direction[];
  /** Directions between modalities that training never saw together. */
  readonly unseen: readonly UnseenPair[];
  /** Linear probe of each modality on itself. */
  readonly probes: Readonly<Record<string, Estimate>>;
  /** Accuracy of each judge on real test tokens: the ceiling of judged accuracy. */
  readonly judges: Readonly<Record<string, number>>;
  /** Generated ids (joint) for the first rows of unseen directions, for pictures: `[shown, length]`. */
  readonly samples: readonly Sample[];
  /** Other ways of asking; absent where they were not asked for. */
  readonly mixture?: Mixture;
}

/** Blocks generated in one unseen direction. */
export interface Sample {
  /** The condition. */
  readonly from: string;
  /** What was generated. */
  readonly to: string;
  /** Aligned test rows that were the condition. */
  readonly rows: readonly number[];
  /** Local ids of each generated block. */
  readonly ids: readonly (readonly number[])[];
  /** Classes that the judge gives. */
  readonly judged: readonly number[];
}

/** What `evaluate` reports. */
export type EvaluateEvent = StageEvent<'directions' | 'unseen pairs' | 'mixtures'>;

/** Options of `evaluate`. */
export interface EvaluateOptions extends JobOptions<EvaluateEvent> {
  /** Of what is generated and drawn. */
  readonly seed: number;
  /** Aligned test rows (all that there are, if fewer). */
  readonly rows: number;
  /** Rows of the matching task. */
  readonly matchingRows: number;
  /** Scale of guided generation; 1 is none. */
  readonly guidance: number;
  /** Rows of the mixtures; 0 (default) leaves them out. */
  readonly mixtureRows?: number;
}

/**
 * Judges for all modalities, trained on real tokens only.
 * @throws what the signal was aborted with; no judge is left behind then
 */
export async function trainJudges(
  data: TrainData,
  seed: number,
  { onEvent, signal }: JobOptions<StageEvent<'judges'>> = {},
): Promise<Record<string, Judge>> {
  const judges: Record<string, Judge> = {};
  const all = Object.values(data.modalities);
  const advance = (done: number): void =>
    onEvent?.({ type: 'stage', stage: 'judges', done, total: all.length });
  try {
    advance(0);
    for (const [i, m] of all.entries()) {
      judges[m.name] = await trainJudge(m, { seed: seed + 100 * i, signal });
      advance(i + 1);
    }
    return judges;
  } catch (error) {
    disposeJudges(judges);
    throw error;
  }
}

/** Frees the weights of judges; of none where there are none. */
export function disposeJudges(judges: Readonly<Record<string, Judge>> | null): void {
  for (const judge of Object.values(judges ?? {})) judge.dispose();
}

/** Aligned rows in an order that mixes classes, so that the first n of them are balanced. */
export function balanced(data: TrainData): TrainData {
  const { test } = data;
  const width = test.modalities.length;
  const classes = 1 + test.labels.reduce((a, b) => Math.max(a, b), 0);
  const groups = Array.from({ length: classes }, () => [] as number[]);
  test.labels.forEach((k, i) => {
    groups[k]!.push(i);
  });
  const order: number[] = [];
  for (let i = 0; order.length < test.size; i++) {
    for (const g of groups) if (g[i] !== undefined) order.push(g[i]!);
  }
  const index = new Int32Array(test.index.length);
  order.forEach((from, i) => {
    index.set(test.index.subarray(from * width, (from + 1) * width), i * width);
  });
  const labels = Int32Array.from(order, (i) => test.labels[i]!);
  return { ...data, test: { ...test, index, labels } };
}

/**
 * Runs every measurement. The judges are not trained on anything generated.
 * @throws what the signal was aborted with
 */
export async function evaluate(
  model: Decoder,
  vocab: Vocabulary,
  graph: ModalityGraph,
  given: TrainData,
  judges: Readonly<Record<string, Judge>>,
  options: EvaluateOptions,
): Promise<Evaluation> {
  const data = balanced(given);
  const rows = Math.min(options.rows, data.test.size);
  const { seed, guidance, signal, onEvent } = options;
  const c: EvaluationContext = { model, vocab, data, judges, rows, seed, signal };
  const advance = (stage: EvaluateEvent['stage'], done: number, total: number): void =>
    onEvent?.({ type: 'stage', stage, done, total });
  const directions = await directionMatrix(c, { guidance, onEvent });
  const unseen: UnseenPair[] = [];
  const samples: Sample[] = [];
  const missing = graph.missing().flatMap(([a, b]) => [[a, b] as const, [b, a] as const]);
  for (const [i, [from, to]] of missing.entries()) {
    advance('unseen pairs', i, missing.length);
    const route = graph.route(from, to);
    unseen.push({
      from,
      to,
      route,
      matching: await matching(c, from, to, options.matchingRows),
      chain: await chain(c, route, null),
      chainGuided: await chain(c, route, guidance),
      transfer: await probe(c, from, to, 1000),
    });
    samples.push(await sample(c, from, to, guidance));
  }
  advance('unseen pairs', missing.length, missing.length);
  const probes: Record<string, Estimate> = {};
  for (const name of Object.keys(data.modalities)) probes[name] = await probe(c, name, name, 1000);
  const few = { ...c, rows: Math.min(options.mixtureRows ?? 0, rows) };
  if (few.rows > 0) advance('mixtures', 0, 1);
  const mixtures = few.rows === 0 ? {} : { mixture: await mixture(few, graph, guidance) };
  if (few.rows > 0) advance('mixtures', 1, 1);
  return {
    rows,
    classes: Object.values(data.modalities)[0]!.test.classes,
    directions,
    unseen,
    probes,
    judges: Object.fromEntries(Object.entries(judges).map(([name, j]) => [name, j.accuracy])),
    samples,
    ...mixtures,
  };
}

/** Rows shown in pictures. */
const SHOWN = 40;

async function sample(
  c: EvaluationContext,
  from: string,
  to: string,
  guidance: number,
): Promise<Sample> {
  const n = Math.min(SHOWN, c.rows);
  const few: EvaluationContext = { ...c, rows: n };
  const ids = await generateFrom(few, testRows(few, from), to, {
    guidance,
    temperature: 1,
    stream: 999,
  });
  const { length } = c.vocab.modality(to);
  const local = fromBlock(c.vocab, to, ids);
  const classes = await c.judges[to]!.classify(local.ids, local.lengths);
  const columns = c.data.test.modalities;
  const column = columns.indexOf(from);
  return {
    from,
    to,
    rows: Array.from({ length: n }, (_, i) => c.data.test.index[i * columns.length + column]!),
    ids: Array.from({ length: n }, (_, i) => [
      ...local.ids.subarray(i * length, i * length + local.lengths[i]!),
    ]),
    judged: [...classes],
  };
}
