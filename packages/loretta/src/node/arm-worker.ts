/** Worker thread: trains and evaluates one arm on a CPU backend of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { setBackend } from '@loretta-ts/core';
import { localRunner } from '../experiment/run';
import type { ArmEvent, ArmJob, ArmResult } from '../experiment/run-arm';
import { chooseBackend } from './choose-backend';

/** What the parent sends. */
export interface ArmWork {
  /** What is to be trained. */
  readonly job: ArmJob;
  /** Name of the backend, as the command line takes it. */
  readonly backend: string;
  /** Whether the parent keeps states of the job. */
  readonly keeps: boolean;
}

/** What it answers. */
export type ArmAnswer =
  | { readonly kind: 'event'; readonly event: ArmEvent }
  | { readonly kind: 'state'; readonly state: Uint8Array }
  | { readonly kind: 'result'; readonly result: ArmResult }
  | {
      readonly kind: 'error';
      readonly name: string;
      readonly message: string;
      readonly stack?: string | undefined;
    };

const port = parentPort;
if (port !== null) {
  const { job, backend, keeps } = workerData as ArmWork;
  // arms run side by side: one thread each
  setBackend(chooseBackend(backend, 1));
  const answer = (message: ArmAnswer): void => port.postMessage(message);
  const controller = new AbortController();
  // the parent says one thing: stop after the step in progress
  port.once('message', () => controller.abort());
  localRunner()
    .run(job, {
      signal: controller.signal,
      onEvent: (event) => answer({ kind: 'event', event }),
      keep: keeps ? (state) => answer({ kind: 'state', state }) : undefined,
    })
    .finally(() => port.unref())
    .then(
      (result) => answer({ kind: 'result', result }),
      (error: unknown) => {
        const e = error instanceof Error ? error : new Error(String(error));
        answer({ kind: 'error', name: e.name, message: e.message, stack: e.stack });
      },
    );
}
