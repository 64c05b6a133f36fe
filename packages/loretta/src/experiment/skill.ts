/** How well the model generates what transitive training will be fed with. */
import type { Abortable } from '@loretta-ts/core';
import { generateFrom, judged, testRows } from '../evaluate/directions';
import { balanced } from '../evaluate/evaluate';
import { hits } from '../evaluate/intervals';
import type { Judge } from '../evaluate/judge';
import type { TrainData } from '../train/data';
import type { ExperimentConfig } from './config';
import type { Setup } from './warmup';

/** How often what the model generates is of the right class. */
export interface Skill {
  /** The smallest of `byTarget`. */
  readonly least: number;
  /** Judged accuracy of each modality that will be generated, from its condition. */
  readonly byTarget: Readonly<Record<string, number>>;
}

/** Test rows that the skill is measured on. */
const ROWS = 200;

/** Generates every pseudo-modality as transitive training would, on test rows. @throws what the signal was aborted with */
export async function evaluateSkill(
  { model, vocab, graph }: Pick<Setup, 'model' | 'vocab' | 'graph'>,
  data: TrainData,
  judges: Readonly<Record<string, Judge>>,
  config: ExperimentConfig,
  { signal }: Abortable = {},
): Promise<Skill> {
  const even = balanced(data);
  const rows = Math.min(ROWS, even.test.size);
  const c = { model, vocab, data: even, judges, rows, seed: config.seed + 5, signal };
  const byTarget: Record<string, number> = {};
  const { guidance, temperature } = config.transitive;
  for (const [a, b] of graph.missing().flatMap(([x, y]) => [[x, y] as const, [y, x] as const])) {
    const route = graph.route(a, b);
    const [from, to] = [route.at(-2)!, b];
    if (byTarget[to] !== undefined) continue;
    const ids = await generateFrom(c, testRows(c, from), to, { guidance, temperature, stream: 1 });
    byTarget[to] = hits(await judged(c, to, ids), even.test.labels).value;
  }
  return { least: Math.min(...Object.values(byTarget)), byTarget };
}
