/** The cells of the comparison: one method, one data set, one seed. What decides a cell is its name in the cache. */
import { TOY_TRIPLE } from '../data/toy';
import { disposeJudges, trainJudges } from '../evaluate/evaluate';
import type { Judge } from '../evaluate/judge';
import type { JobOptions, StageEvent, StepEvent } from '../events';
import { type ExperimentConfig, parseConfig } from '../experiment/config';
import { type ToyEvaluation, ToyRun, type ToySettings, toySettings } from '../experiment/toy-run';
import type { ComparisonData } from './data';
import { type Measures, measure } from './measure';
import { type MethodName, trainMethod } from './methods';

/** Data sets of the comparison. */
export type DatasetName = 'svl' | 'tcga';

/** A method on real data. */
export interface ComparisonCell {
  /** Which kind of cell. */
  readonly kind: 'comparison';
  /** What it is trained and tested on. */
  readonly dataset: DatasetName;
  /** The modality that is seen with both others. */
  readonly link: string;
  /** What is trained. */
  readonly method: MethodName;
  /** Sizes and optimisation; its seed is the cell's. */
  readonly config: ExperimentConfig;
  /** Test rows of likelihoods, matching and generation, at most. */
  readonly rows: number;
  /** Candidates of the retrieval task. */
  readonly candidates: number;
}

/** A variant of LoReTTa on the toy, where the right answers are known. */
export interface AblationCell {
  /** Which kind of cell. */
  readonly kind: 'ablation';
  /** Row of the table. */
  readonly row: string;
  /** All settings, with the cell's seed. */
  readonly settings: ToySettings;
  /** Test sequences. */
  readonly rows: number;
}

/** A piece of work of its own. Plain JSON. */
export type Cell = ComparisonCell | AblationCell;

/** A cell's results. Plain JSON. */
export type CellResult = {
  /** Seconds that it took, on one thread. */
  readonly seconds: number;
} & (
  | { readonly cell: ComparisonCell; readonly measures: Measures }
  | { readonly cell: AblationCell; readonly toy: ToyEvaluation }
);

/** What a cell reports: its training steps, then its evaluation. */
export type CellEvent = StepEvent | StageEvent<'evaluate' | 'judges'>;

/** How large the comparison is. */
export interface PlanOptions {
  /** Fewer steps and rows: an example and not a result. */
  readonly quick: boolean;
  /** Seeds 0, 1, … of every cell. */
  readonly seeds: number;
  /** Data sets that are there. */
  readonly datasets: readonly DatasetName[];
  /** With the ablations: variants on the toy, and the other links on SVL-MNIST. */
  readonly ablations: boolean;
}

/** Shown in every table, in this order. */
const COMPARED: readonly MethodName[] = [
  ...(['gpt', 'mmgpt', 'bert', 'bert3', 'clip', 'cm3', 'commutative'] as const),
  ...(['loretta', 'oracle'] as const),
];

/** All cells, the most telling first. */
export function planCells({ quick, seeds, datasets, ablations }: PlanOptions): Cell[] {
  const cells: Cell[] = [];
  const real = (dataset: DatasetName, link: string, method: MethodName, seed: number): Cell => ({
    ...{ kind: 'comparison', dataset, link, method },
    config: configOf(dataset, method === 'bert3' ? 3 : 1, quick, seed),
    rows: quick ? 100 : 300,
    candidates: quick ? 30 : 60,
  });
  for (let seed = 0; seed < seeds; seed++) {
    for (const dataset of datasets) {
      const link = dataset === 'svl' ? 'text' : 'mrna';
      cells.push(...COMPARED.map((method) => real(dataset, link, method, seed)));
    }
    if (!ablations) continue;
    for (const [row, settings] of Object.entries(ablationRows(quick, seed))) {
      cells.push({ kind: 'ablation', row, settings, rows: quick ? 300 : 1000 });
    }
    if (!datasets.includes('svl')) continue;
    for (const link of ['image', 'speech']) {
      cells.push(real('svl', link, 'commutative', seed), real('svl', link, 'loretta', seed));
    }
  }
  return cells;
}

function configOf(
  dataset: DatasetName,
  budget: number,
  quick: boolean,
  seed: number,
): ExperimentConfig {
  const [steps, switchAt] = dataset === 'svl' ? [800, 360] : [300, 120];
  const share = quick ? 0.3 * budget : budget;
  const at = Math.round(switchAt * share);
  return parseConfig({
    seed,
    model: { dropout: dataset === 'svl' ? 0.1 : 0.2 },
    train: {
      steps: Math.round(steps * share),
      lrWarmup: Math.round(50 * share),
      // of the tumours: chosen by bits on a part of the training patients
      noise: dataset === 'svl' ? 0.05 : 0.3,
      lr: dataset === 'svl' ? 6e-3 : 3e-3,
    },
    transitive: { earliest: at, latest: at },
  });
}

/** LORETTA §7.1 at width 32. */
function ablationRows(quick: boolean, seed: number): Record<string, ToySettings> {
  type Changes = Parameters<typeof toySettings>[1];
  const steps = quick ? 300 : 1500;
  const switchAt = quick ? 120 : 600;
  const row = (changes: Changes = {}, noise = 0.05): ToySettings =>
    toySettings(
      TOY_TRIPLE.map((m) => (m.name === 'B' ? { ...m, noise } : m)),
      { ...{ dim: 32, lr: 1e-2, steps, switchAt, seed }, ...changes },
    );
  return {
    commutative: row({ arm: 'commutative' }),
    LoReTTa: row(),
    'share 0.25': row({ transitive: { share: 0.25 } }),
    'share 0.75': row({ transitive: { share: 0.75 } }),
    'share 1': row({ transitive: { share: 1 } }),
    'no warm-up': row({ switchAt: 0 }),
    'noise of the link 0.25': row({}, 0.25),
    'noise of the link 0.5': row({}, 0.5),
    'temperature 0.7': row({ transitive: { temperature: 0.7 } }),
    'guidance 2': row({ transitive: { guidance: 2 } }),
    'loss on the whole sequence': row({ transitive: { lossOn: 'all' } }),
    'all modalities, 0.3 of the steps': row({ transitive: { allProbability: 0.3 } }),
    'rotary positions only': row({ positions: ['rope'] }),
    'rotary positions only, commutative': row({ positions: ['rope'], arm: 'commutative' }),
    'absolute positions': row({ positions: ['learned'] }),
    'absolute positions, commutative': row({ positions: ['learned'], arm: 'commutative' }),
    oracle: row({ arm: 'oracle' }),
  };
}

/** Seed of a cell. */
export function seedOf(cell: Cell): number {
  return cell.kind === 'comparison' ? cell.config.seed : cell.settings.seed;
}

/** What a cell is, for people. */
export function cellName(cell: Cell): string {
  const what =
    cell.kind === 'comparison'
      ? `${cell.dataset} link ${cell.link} ${cell.method}`
      : `ablation ${cell.row}`;
  return `${what} seed ${seedOf(cell)}`;
}

/** Does a cell's work. @param data of comparison cells @throws what training throws; what the signal was aborted with */
export async function runCell(
  cell: Cell,
  data: ComparisonData | null,
  { onEvent, signal }: JobOptions<CellEvent> = {},
): Promise<CellResult> {
  const began = performance.now();
  const seconds = (): number => (performance.now() - began) / 1000;
  if (cell.kind === 'ablation') {
    using run = new ToyRun(cell.settings);
    await run.train({
      signal,
      onEvent: ({ type, step, steps, loss }) => onEvent?.({ type, step, steps, loss }),
    });
    const toy = await run.evaluate(cell.rows, { signal });
    return { cell, toy, seconds: seconds() };
  }
  if (data === null) throw new TypeError(`${cellName(cell)}: no data`);
  const { config, rows, candidates, method, dataset } = cell;
  const { learned, vocab } = await trainMethod(method, data, config, { onEvent, signal });
  let judges: Readonly<Record<string, Judge>> | null = null;
  try {
    if (dataset === 'svl' && learned.decoder !== null)
      judges = await trainJudges(data, config.seed + 50, { onEvent, signal });
    const measures = await measure(learned, vocab, data, {
      ...{ seed: config.seed + 17, rows, candidates, judges },
      onEvent,
      signal,
    });
    return { cell, measures, seconds: seconds() };
  } finally {
    disposeJudges(judges);
    learned.dispose();
  }
}
