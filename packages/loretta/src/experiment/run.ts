/** The main job: one warm-up, then every arm from it with the same budget, evaluated alike. */

import { trainJudges } from '../evaluate/evaluate';
import { ARMS, type ArmName, makeArm } from '../train/arms';
import type { TrainData } from '../train/data';
import type { ExperimentConfig } from './config';
import { type ArmProgress, type ArmResult, Curve, type CurvePoint, runArm } from './run-arm';
import { setUp, type WarmUp, warmUp } from './warmup';

/** Where arms run: in this thread, or in workers. */
export interface ArmRunner {
  /** Arms that run at the same time. */
  readonly slots: number;
  /** Trains and evaluates one arm, from a checkpoint where it forks. */
  run(
    name: ArmName,
    data: TrainData,
    config: ExperimentConfig,
    checkpoint: Uint8Array | null,
    onProgress: ArmProgress,
  ): Promise<ArmResult>;
}

/** What an experiment gives. */
export interface ExperimentResult {
  /** The configuration that ran. */
  readonly config: ExperimentConfig;
  /** How the common warm-up went. */
  readonly warmUp: Omit<WarmUp, 'checkpoint'> & {
    /** Its training curve. */
    readonly curve: readonly CurvePoint[];
    /** How long it took. */
    readonly seconds: number;
  };
  /** Results in the order of `ARMS`. */
  readonly arms: readonly ArmResult[];
}

/** Called as a job advances: `done` of `total` steps of its stage, with the latest loss in nats. */
export type ExperimentProgress = (
  job: 'warm-up' | ArmName,
  stage: 'train' | 'evaluate',
  done: number,
  total: number,
  loss: number | null,
) => void;

/** Arms in the thread of the caller. */
export function localRunner(): ArmRunner {
  return {
    slots: 1,
    async run(name, data, config, checkpoint, onProgress) {
      const judges = await trainJudges(data, config.seed + 50);
      try {
        return await runArm(name, data, judges, config, checkpoint, onProgress);
      } finally {
        for (const j of Object.values(judges)) j.dispose();
      }
    },
  };
}

/**
 * Runs the warm-up here while arms that do not fork from it run in `runner`, then the others.
 * @throws what training throws
 */
export async function runExperiment(
  data: TrainData,
  config: ExperimentConfig,
  runner: ArmRunner,
  onProgress: ExperimentProgress,
): Promise<ExperimentResult> {
  const order = data.test.modalities;
  const names = config.arms;
  const forks = (name: ArmName): boolean => makeArm(name, order, config.transitive).forks;
  const start = (name: ArmName, checkpoint: Uint8Array | null): Promise<ArmResult> =>
    runner.run(name, data, config, checkpoint, (stage, done, total, loss) =>
      onProgress(name, stage, done, total, loss),
    );
  const independent = names.filter((n) => !forks(n));
  const dependent = names.filter(forks);
  const fork = async (): Promise<{ warm: WarmedUp | null; late: ArmResult[] }> => {
    const warm = dependent.length > 0 ? await runWarmUp(data, config, onProgress) : null;
    const checkpoint = warm === null ? null : warm.warmUp.checkpoint;
    return { warm, late: await queue(dependent, runner.slots, (n) => start(n, checkpoint)) };
  };
  const alone = (slots: number): Promise<ArmResult[]> =>
    queue(independent, slots, (n) => start(n, null));
  // one slot is kept for the warm-up where there are two
  const [{ warm, late }, rest] =
    runner.slots > 1
      ? await Promise.all([fork(), alone(runner.slots - 1)])
      : [await fork(), await alone(1)];
  const all = [...late, ...rest];
  all.sort((a, b) => ARMS.indexOf(a.arm) - ARMS.indexOf(b.arm));
  const summary = warm
    ? {
        steps: warm.warmUp.steps,
        skill: warm.warmUp.skill,
        reached: warm.warmUp.reached,
        curve: warm.curve,
        seconds: warm.seconds,
      }
    : { steps: 0, skill: { least: 0, byTarget: {} }, reached: false, curve: [], seconds: 0 };
  return { config, warmUp: summary, arms: all };
}

interface WarmedUp {
  readonly warmUp: WarmUp;
  readonly curve: readonly CurvePoint[];
  readonly seconds: number;
}

async function runWarmUp(
  data: TrainData,
  config: ExperimentConfig,
  onProgress: ExperimentProgress,
): Promise<WarmedUp> {
  const began = performance.now();
  const judges = await trainJudges(data, config.seed + 50);
  const setup = setUp(
    data,
    config,
    makeArm('commutative', data.test.modalities, config.transitive),
  );
  const curve = new Curve();
  const { latest } = config.transitive;
  const result = await warmUp(setup, data, judges, config, (report) => {
    curve.add(report, null);
    if (report.step % 10 === 0) onProgress('warm-up', 'train', report.step, latest, report.loss);
  });
  onProgress('warm-up', 'train', latest, latest, curve.points.at(-1)?.loss ?? null);
  for (const j of Object.values(judges)) j.dispose();
  setup.trainer.dispose();
  setup.model.dispose();
  return { warmUp: result, curve: curve.points, seconds: (performance.now() - began) / 1000 };
}

/** Runs jobs in order, `slots` at a time. */
async function queue<T, R>(
  jobs: readonly T[],
  slots: number,
  run: (job: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array<R>(jobs.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < jobs.length; i = next++) results[i] = await run(jobs[i]!);
  };
  await Promise.all(Array.from({ length: Math.min(slots, jobs.length) }, lane));
  return results;
}
