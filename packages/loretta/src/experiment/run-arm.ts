/** One arm from its start to its evaluation: what a worker does. */
import { DataError } from '../data/errors';
import { type Evaluation, evaluate } from '../evaluate/evaluate';
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

/** Called as an arm advances: `done` of `total` steps of its stage, with the latest loss in nats. */
export type ArmProgress = (
  stage: 'train' | 'evaluate',
  done: number,
  total: number,
  loss: number | null,
) => void;

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
 * @throws what the trainer throws; DataError for an oracle without real pairs
 */
export async function runArm(
  name: ArmName,
  data: TrainData,
  judges: Readonly<Record<string, Judge>>,
  config: ExperimentConfig,
  checkpoint: Uint8Array | null,
  onProgress: ArmProgress,
): Promise<ArmResult> {
  const order = data.test.modalities;
  const arm = makeArm(name, order, config.transitive);
  if (arm.oracle && data.oracle === null) {
    throw new DataError('config', 'oracle', 'this data has no real pairs of the unseen modalities');
  }
  const setup = setUp(data, config, arm);
  if (arm.forks && checkpoint !== null) setup.trainer.restore(checkpoint);
  const curve = new Curve();
  const began = performance.now();
  const { steps } = config.train;
  // an arm without the common warm-up has one of its own, of the longest duration
  const opens = arm.forks ? 0 : config.transitive.latest;
  while (setup.trainer.steps < steps) {
    const share = setup.trainer.steps < opens ? 0 : config.transitive.share;
    const report = await setup.trainer.step(arm, share);
    curve.add(report, await judgeGenerated(report, setup.vocab, judges));
    if (report.step % POINT === 0) onProgress('train', report.step, steps, report.loss);
  }
  const trainSeconds = (performance.now() - began) / 1000;
  onProgress('train', steps, steps, curve.points.at(-1)?.loss ?? null);
  const evaluation = await evaluate(setup.model, setup.vocab, setup.graph, data, judges, {
    ...config.evaluate,
    seed: config.seed + 17,
    mixtureRows: mixtureRows(name),
    onProgress: (_stage, done, total) => onProgress('evaluate', done, total, null),
  });
  const result: ArmResult = {
    arm: name,
    seed: config.seed,
    steps,
    curve: curve.points,
    evaluation,
    trainSeconds,
    parameters: setup.model.parameterCount,
    checkpoint: await setup.trainer.save({ arm: name, config: JSON.stringify(setup.model.config) }),
  };
  setup.trainer.dispose();
  setup.model.dispose();
  return result;
}
