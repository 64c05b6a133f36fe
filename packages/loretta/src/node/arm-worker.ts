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
}

/** What it answers. */
export type ArmAnswer =
  | { readonly kind: 'event'; readonly event: ArmEvent }
  | { readonly kind: 'result'; readonly result: ArmResult }
  | {
      readonly kind: 'error';
      readonly name: string;
      readonly message: string;
      readonly stack?: string | undefined;
    };

const port = parentPort;
if (port !== null) {
  const { job, backend } = workerData as ArmWork;
  // arms run side by side: one thread each
  setBackend(chooseBackend(backend, 1));
  const answer = (message: ArmAnswer): void => port.postMessage(message);
  localRunner()
    .run(job, { onEvent: (event) => answer({ kind: 'event', event }) })
    .then(
      (result) => answer({ kind: 'result', result }),
      (error: unknown) => {
        const e = error instanceof Error ? error : new Error(String(error));
        answer({ kind: 'error', name: e.name, message: e.message, stack: e.stack });
      },
    );
}
