/** One arm from its start to its evaluation: what a worker does. */
import { DataError } from '../data/errors';
import { type EvaluateEvent, type Evaluation, evaluate } from '../evaluate/evaluate';
import type { JobOptions, StageEvent, StepEvent } from '../events';
import { mixtureRows } from '../evaluate/mixture';
import type { Judge } from '../evaluate/judge';
import { type ArmName, makeArm } from '../train/arms';
import type { TrainData } from '../train/data';
import type { StepReport, Trainer } from '../train/trainer';
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
  /** Where it was stopped, as `keep` was given it; null or absent begins. */
  readonly state?: Uint8Array | null;
}

/** Options of a job that can be stopped and go on later. */
export interface KeptOptions<Event> extends JobOptions<Event> {
  /** Called now and then, and when the signal ends the job, with what it can go on from (safetensors). */
  readonly keep?: ((state: Uint8Array) => void | Promise<void>) | undefined;
}

/** What an arm reports: its training steps, then the stages of its evaluation. */
export type ArmEvent = StepEvent | EvaluateEvent | StageEvent<'judges'>;

/** Steps that a point of the curve sums up. */
const POINT = 20;
/** Steps after which a job is kept. */
const KEEP_EVERY = 100;

type CurveReport = Pick<StepReport, 'step' | 'loss' | 'bits' | 'lr' | 'gradNorm'>;

/** A curve in the making. Plain JSON. */
interface CurveState {
  readonly points: readonly CurvePoint[];
  readonly reports: readonly CurveReport[];
  readonly right: number;
  readonly judgedRows: number;
}

/** Collects reports into a curve. */
export class Curve {
  readonly points: CurvePoint[];
  private reports: CurveReport[];
  private right: number;
  private judgedRows: number;

  /** @param saved `state()` of another, as JSON; absent begins */
  constructor(saved?: string) {
    const empty: CurveState = { points: [], reports: [], right: 0, judgedRows: 0 };
    const state = saved === undefined ? empty : (JSON.parse(saved) as CurveState);
    this.points = [...state.points];
    this.reports = [...state.reports];
    this.right = state.right;
    this.judgedRows = state.judgedRows;
  }

  /** Everything, as JSON. */
  state(): string {
    const { points, reports, right, judgedRows } = this;
    return JSON.stringify({ points, reports, right, judgedRows } satisfies CurveState);
  }

  add(report: StepReport, purity: { right: number; total: number } | null): void {
    const { step, loss, bits, lr, gradNorm, skipped } = report;
    if (skipped !== undefined) return; // its numbers are not finite
    this.reports.push({ step, loss, bits, lr, gradNorm });
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
  { name, data, config, checkpoint, state = null }: ArmJob,
  judges: Readonly<Record<string, Judge>>,
  { onEvent, signal, keep }: KeptOptions<ArmEvent> = {},
): Promise<ArmResult> {
  const arm = makeArm(name, data.test.modalities, config.transitive);
  if (arm.oracle && data.oracle === null) {
    throw new DataError('config', 'oracle', 'this data has no real pairs of the unseen modalities');
  }
  using setup = setUp(data, config, arm);
  const { model, vocab, graph, trainer } = setup;
  const from = state ?? (arm.forks ? checkpoint : null);
  const metadata = from === null ? null : trainer.restore(from);
  const kept = state === null ? null : metadata;
  const curve = new Curve(kept?.get('curve'));
  const began = performance.now() - 1000 * Number(kept?.get('seconds') ?? 0);
  const seconds = (): number => (performance.now() - began) / 1000;
  const { steps } = config.train;
  // an arm without the common warm-up has one of its own, of the longest duration
  const opens = arm.forks ? 0 : config.transitive.latest;
  const share = (step: number): number => (step < opens ? 0 : config.transitive.share);
  await keeping(trainer, { signal, keep }, curve, seconds, async (now) => {
    for await (const report of trainer.run(arm, { share, to: steps, signal })) {
      curve.add(report, await judgeGenerated(report, vocab, judges));
      await now();
      const { type, step, loss, skipped } = report;
      onEvent?.({ type, step, steps, loss, skipped });
    }
  });
  const trainSeconds = seconds();
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

/**
 * Training that is kept every `KEEP_EVERY` steps (where `train` calls `now` after each), at its end and when the signal ends
 * it: the state is a checkpoint with the curve and the time in its metadata.
 */
export async function keeping(
  trainer: Trainer,
  { signal, keep }: Pick<KeptOptions<never>, 'signal' | 'keep'>,
  curve: Curve,
  seconds: () => number,
  train: (now: () => Promise<void>) => Promise<void>,
): Promise<void> {
  const save = async (): Promise<void> =>
    await keep?.(
      await trainer.save(
        { curve: curve.state(), seconds: String(seconds()) },
        { onlyFinite: true },
      ),
    );
  try {
    await train(async () => {
      if (trainer.steps % KEEP_EVERY === 0) await save();
    });
  } catch (error) {
    if (signal?.aborted === true) await save();
    throw error;
  }
  await save();
}
