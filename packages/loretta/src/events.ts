/** What long jobs report. One callback, `onEvent`, takes objects that their `type` tells apart. */
import type { Abortable } from '@loretta-ts/core';

/** A training step was taken. */
export interface StepEvent {
  /** Tells the events of a job apart. */
  readonly type: 'step';
  /** Number of the step, from 0. */
  readonly step: number;
  /** Steps of the whole training. */
  readonly steps: number;
  /** Nats, or what else is minimised. */
  readonly loss: number;
  /** Why the step changed nothing; absent where it was taken. */
  readonly skipped?: string | undefined;
}

/** Parts of a stage are done. A stage reports its beginning, 0 of `total`, and its end. */
export interface StageEvent<Stage extends string = string> {
  /** Tells the events of a job apart. */
  readonly type: 'stage';
  /** What is being done. */
  readonly stage: Stage;
  /** Parts that are done. */
  readonly done: number;
  /** All parts. */
  readonly total: number;
}

/** Options of a long job: how to follow it and how to stop it. */
export interface JobOptions<Event> extends Abortable {
  /** Called with each event, as it happens. What it throws ends the job. */
  readonly onEvent?: ((event: Event) => void) | undefined;
}
