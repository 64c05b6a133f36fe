/** Worker thread: trains and evaluates one arm on a CPU backend of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { setBackend } from '@loretta-ts/core';
import type { ExperimentConfig } from '../experiment/config';
import { localRunner } from '../experiment/run';
import type { ArmName } from '../train/arms';
import type { TrainData } from '../train/data';
import { chooseBackend } from './choose-backend';

/** What the parent sends. */
export interface ArmJob {
  readonly name: ArmName;
  readonly data: TrainData;
  readonly config: ExperimentConfig;
  readonly checkpoint: Uint8Array | null;
  readonly backend: string;
}

const job = workerData as ArmJob;
const port = parentPort;
if (port !== null) {
  // arms run side by side: one thread each
  setBackend(chooseBackend(job.backend, 1));
  localRunner()
    .run(job.name, job.data, job.config, job.checkpoint, (stage, done, total, loss) => {
      port.postMessage({ kind: 'progress', stage, done, total, loss });
    })
    .then(
      (result) => port.postMessage({ kind: 'result', result }),
      (error: unknown) => {
        const e = error instanceof Error ? error : new Error(String(error));
        port.postMessage({ kind: 'error', name: e.name, message: e.message, stack: e.stack });
      },
    );
}
