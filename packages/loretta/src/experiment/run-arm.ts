/** One arm from its start to its evaluation: what a worker does. */
import { DataError } from '../data/errors';
import { type EvaluateEvent, type Evaluation, evaluate } from '../evaluate/evaluate';
import type { JobOptions, StageEvent, StepEvent } from '../events';
import { mixtureRows } from '../evaluate/mixture';
import type { Judge } from '../evaluate/judge';
import { type ArmName, makeArm } from '../train/arms';
import type { TrainData } from '../train/data';
import type { StepReport } from '../train/trainer';
import type { ExperimentConfig } from './config';
import { judgeGenerated } from './purity';
import { setUp } from './warmup';

/** A point of a training curve: means over the steps since the point before. */
export interface CurvePoint {
  /** Steps taken. */
  readonly step: number;
  /** Nats. */
  readonly loss: number;
  /** Bits per token of each modality. */
  readonly bits: Readonly<Record<string, number>>;
  /** Rate of the last of the steps. */
  readonly lr: number;
  /** Global gradient norm before clipping. */
  readonly gradNorm: number;
  /** Judged purity of pseudo-blocks in these steps; null where none were made. */
  readonly purity: number | null;
}

/** What an arm gives. */
export interface ArmResult {
  /** The method. */
  readonly arm: ArmName;
  /** Of the run. */
  readonly seed: number;
  /** Steps taken, the warm-up included. */
  readonly steps: number;
  /** Training curve from the fork on. */
  readonly curve: readonly CurvePoint[];
  /** What was measured at the end. */
  readonly evaluation: Evaluation;
  /** Time of training, from the fork on. */
  readonly trainSeconds: number;
  /** Number of trainable numbers. */
  readonly parameters: number;
  /** Weights and optimiser state, safetensors. */
  readonly checkpoint: Uint8Array;
}

/** What an arm is made of. Plain data. */
export interface ArmJob {
  /** The method. */
  readonly name: ArmName;
  /** What it trains and is tested on. */
  readonly data: TrainData;
  /** Sizes and optimisation. */
  readonly config: ExperimentConfig;
  /** The warm-up that it forks from; null starts anew. */
  readonly checkpoint: Uint8Array | null;
}

/** What an arm reports: its training steps, then the stages of its evaluation. */
export type ArmEvent = StepEvent | EvaluateEvent | StageEvent<'judges'>;

/** Steps that a point of the curve sums up. */
const POINT = 20;

/** Collects reports into a curve. */
export class Curve {
  readonly points: CurvePoint[] = [];
  private reports: StepReport[] = [];
  private right = 0;
  private judgedRows = 0;

  add(report: StepReport, purity: { right: number; total: number } | null): void {
    this.reports.push(report);
    if (purity !== null) {
      this.right += purity.right;
      this.judgedRows += purity.total;
    }
    if (this.reports.length < POINT) return;
    const mean = (xs: number[]): number => xs.reduce((a, b) => a + b, 0) / xs.length;
    const names = new Set(this.reports.flatMap((r) => Object.keys(r.bits)));
    const last = this.reports.at(-1)!;
    this.points.push({
      step: last.step + 1,
      loss: mean(this.reports.map((r) => r.loss)),
      bits: Object.fromEntries(
        [...names].map((n) => [
          n,
          mean(this.reports.flatMap((r) => (r.bits[n] === undefined ? [] : [r.bits[n]!]))),
        ]),
      ),
      lr: last.lr,
      gradNorm: mean(this.reports.map((r) => r.gradNorm)),
      purity: this.judgedRows === 0 ? null : this.right / this.judgedRows,
    });
    this.reports = [];
    this.right = 0;
    this.judgedRows = 0;
  }
}

/**
 * Trains an arm, from the warm-up checkpoint where it forks, and evaluates it.
 * @throws what the trainer throws; DataError for an oracle without real pairs; what the signal was aborted with
 */
export async function runArm(
  { name, data, config, checkpoint }: ArmJob,
  judges: Readonly<Record<string, Judge>>,
  { onEvent, signal }: JobOptions<ArmEvent> = {},
): Promise<ArmResult> {
  const arm = makeArm(name, data.test.modalities, config.transitive);
  if (arm.oracle && data.oracle === null) {
    throw new DataError('config', 'oracle', 'this data has no real pairs of the unseen modalities');
  }
  using setup = setUp(data, config, arm);
  const { model, vocab, graph, trainer } = setup;
  if (arm.forks && checkpoint !== null) trainer.restore(checkpoint);
  const curve = new Curve();
  const began = performance.now();
  const { steps } = config.train;
  // an arm without the common warm-up has one of its own, of the longest duration
  const opens = arm.forks ? 0 : config.transitive.latest;
  const share = (step: number): number => (step < opens ? 0 : config.transitive.share);
  for await (const report of trainer.run(arm, { share, to: steps, signal })) {
    curve.add(report, await judgeGenerated(report, vocab, judges));
    const { type, step, loss } = report;
    onEvent?.({ type, step, steps, loss });
  }
  const trainSeconds = (performance.now() - began) / 1000;
  const evaluation = await evaluate(model, vocab, graph, data, judges, {
    ...config.evaluate,
    seed: config.seed + 17,
    mixtureRows: mixtureRows(name),
    onEvent,
    signal,
  });
  return {
    arm: name,
    seed: config.seed,
    steps,
    curve: curve.points,
    evaluation,
    trainSeconds,
    parameters: model.parameterCount,
    checkpoint: await trainer.save({ arm: name, config: JSON.stringify(model.config) }),
  };
}
