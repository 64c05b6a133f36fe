/** The main job: one warm-up, then every arm from it with the same budget, evaluated alike. */

import { disposeJudges, trainJudges } from '../evaluate/evaluate';
import type { JobOptions } from '../events';
import { ARMS, type ArmName, makeArm } from '../train/arms';
import type { TrainData } from '../train/data';
import type { ExperimentConfig } from './config';
import {
  type ArmEvent,
  type ArmJob,
  type ArmResult,
  Curve,
  type CurvePoint,
  type KeptOptions,
  keeping,
  runArm,
} from './run-arm';
import { setUp, type WarmUp, warmUp } from './warmup';

/** Where arms run: in this thread, or in workers. */
export interface ArmRunner {
  /** Arms that run at the same time. */
  readonly slots: number;
  /** Trains and evaluates one arm, from a checkpoint where it forks. @throws what the signal was aborted with */
  run(job: ArmJob, options?: KeptOptions<ArmEvent>): Promise<ArmResult>;
}

/** Name of a part of an experiment. */
export type JobName = 'warm-up' | ArmName;

/** Keeps the parts of an experiment, so that one that is stopped goes on later. */
export interface JobStore {
  /** Where a part was stopped; null where it never began. */
  stopped(job: JobName): Promise<Uint8Array | null>;
  /** Keeps where a part is. */
  keep(job: JobName, state: Uint8Array): Promise<void>;
  /** What a finished part gave; null where it has not finished. */
  finished(job: JobName): Promise<FinishedJob | null>;
  /** Keeps what a part gave. */
  finish(job: JobName, result: FinishedJob): Promise<void>;
}

/** What a part of an experiment gave. */
export interface FinishedJob {
  /** Plain JSON. */
  readonly result: unknown;
  /** Weights and optimiser state, safetensors. */
  readonly checkpoint: Uint8Array;
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

/** What an experiment reports: the events of each of its jobs. */
export type ExperimentEvent = ArmEvent & {
  /** Which job it is of. */
  readonly job: JobName;
};

/** Options of `runExperiment`. */
export interface ExperimentOptions extends JobOptions<ExperimentEvent> {
  /** Default: in this thread. */
  readonly runner?: ArmRunner;
  /** Where parts are kept, and found again; absent keeps nothing. */
  readonly jobs?: JobStore | undefined;
}

/** Arms in the thread of the caller. */
export function localRunner(): ArmRunner {
  return {
    slots: 1,
    async run(job, options = {}) {
      const judges = await trainJudges(job.data, job.config.seed + 50, options);
      try {
        return await runArm(job, judges, options);
      } finally {
        disposeJudges(judges);
      }
    },
  };
}

/**
 * Runs the warm-up here while arms that do not fork from it run in the runner, then the others. When one job fails, the
 * others are stopped, and all have ended before this throws.
 * @throws what training throws; what the signal was aborted with
 */
export async function runExperiment(
  data: TrainData,
  config: ExperimentConfig,
  { runner = localRunner(), jobs, onEvent, signal: outer }: ExperimentOptions = {},
): Promise<ExperimentResult> {
  const order = data.test.modalities;
  const names = config.arms;
  const failed = new AbortController();
  const signal = outer === undefined ? failed.signal : AbortSignal.any([outer, failed.signal]);
  const stopping = <T>(work: Promise<T>): Promise<T> =>
    work.catch((error: unknown) => {
      failed.abort(error);
      throw error;
    });
  const forks = (name: ArmName): boolean => makeArm(name, order, config.transitive).forks;
  const arm = async (name: ArmName, checkpoint: Uint8Array | null): Promise<ArmResult> => {
    const done = (await jobs?.finished(name)) ?? null;
    if (done !== null)
      return { ...(done.result as Omit<ArmResult, 'checkpoint'>), checkpoint: done.checkpoint };
    const found = await runner.run(
      { name, data, config, checkpoint, state: (await jobs?.stopped(name)) ?? null },
      {
        ...{ signal, keep: jobs && ((state) => jobs.keep(name, state)) },
        onEvent: (event) => onEvent?.({ job: name, ...event }),
      },
    );
    const { checkpoint: weights, ...result } = found;
    await jobs?.finish(name, { result, checkpoint: weights });
    return found;
  };
  const start = (name: ArmName, checkpoint: Uint8Array | null): Promise<ArmResult> =>
    stopping(arm(name, checkpoint));
  const independent = names.filter((n) => !forks(n));
  const dependent = names.filter(forks);
  const fork = async (): Promise<{ warm: WarmedUp | null; late: ArmResult[] }> => {
    const warm =
      dependent.length > 0
        ? await stopping(runWarmUp(data, config, { onEvent, signal, jobs }))
        : null;
    const checkpoint = warm === null ? null : warm.warmUp.checkpoint;
    return { warm, late: await queue(dependent, runner.slots, (n) => start(n, checkpoint)) };
  };
  const alone = (slots: number): Promise<ArmResult[]> =>
    queue(independent, slots, (n) => start(n, null));
  // one slot is kept for the warm-up where there are two
  const [{ warm, late }, rest] =
    runner.slots > 1 ? await both(fork(), alone(runner.slots - 1)) : [await fork(), await alone(1)];
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

/** Both results, or the error of the first that failed, once both have ended. */
async function both<A, B>(a: Promise<A>, b: Promise<B>): Promise<[A, B]> {
  await Promise.allSettled([a, b]);
  return await Promise.all([a, b]);
}

interface WarmedUp {
  readonly warmUp: WarmUp;
  readonly curve: readonly CurvePoint[];
  readonly seconds: number;
}

async function runWarmUp(
  data: TrainData,
  config: ExperimentConfig,
  { onEvent, signal, jobs }: Pick<ExperimentOptions, 'onEvent' | 'signal' | 'jobs'>,
): Promise<WarmedUp> {
  const job = 'warm-up';
  const done = (await jobs?.finished(job)) ?? null;
  if (done !== null) {
    const { warmUp: found, ...rest } = done.result as WarmedUp;
    return { ...rest, warmUp: { ...found, checkpoint: done.checkpoint } };
  }
  const judges = await trainJudges(data, config.seed + 50, {
    signal,
    onEvent: (event) => onEvent?.({ job, ...event }),
  });
  try {
    const arm = makeArm('commutative', data.test.modalities, config.transitive);
    using setup = setUp(data, config, arm);
    const state = (await jobs?.stopped(job)) ?? null;
    const kept = state === null ? null : setup.trainer.restore(state);
    const curve = new Curve(kept?.get('curve'));
    const began = performance.now() - 1000 * Number(kept?.get('seconds') ?? 0);
    const seconds = (): number => (performance.now() - began) / 1000;
    const { latest: steps } = config.transitive;
    const keep = jobs && ((bytes: Uint8Array) => jobs.keep(job, bytes));
    let result: WarmUp | null = null;
    await keeping(setup.trainer, { signal, keep }, curve, seconds, async (now) => {
      result = await warmUp(setup, data, judges, config, {
        signal,
        async onEvent(report) {
          curve.add(report, null);
          const { type, step, loss, skipped } = report;
          onEvent?.({ job, type, step, steps, loss, skipped });
          await now();
        },
      });
    });
    const warmed: WarmedUp = { warmUp: result!, curve: curve.points, seconds: seconds() };
    const { checkpoint, ...rest } = warmed.warmUp;
    await jobs?.finish(job, { result: { ...warmed, warmUp: rest }, checkpoint });
    return warmed;
  } finally {
    disposeJudges(judges);
  }
}

/** Runs jobs in order, `slots` at a time. When one fails no other begins, and those that run end before it throws. */
async function queue<T, R>(
  jobs: readonly T[],
  slots: number,
  run: (job: T) => Promise<R>,
): Promise<R[]> {
  const results: R[] = new Array<R>(jobs.length);
  let next = 0;
  const lane = async (): Promise<void> => {
    try {
      for (let i = next++; i < jobs.length; i = next++) results[i] = await run(jobs[i]!);
    } catch (error) {
      next = jobs.length;
      throw error;
    }
  };
  const lanes = Array.from({ length: Math.min(slots, jobs.length) }, lane);
  await Promise.allSettled(lanes);
  await Promise.all(lanes);
  return results;
}
