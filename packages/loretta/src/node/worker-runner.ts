/** Runs arms in worker threads, two at a time on two cores. */
import { Worker } from 'node:worker_threads';
import type { ArmRunner } from '../experiment/run';
import type { ArmProgress, ArmResult } from '../experiment/run-arm';
import type { ArmJob } from './arm-worker';

type Message =
  | {
      kind: 'progress';
      stage: 'train' | 'evaluate';
      done: number;
      total: number;
      loss: number | null;
    }
  | { kind: 'result'; result: ArmResult }
  | { kind: 'error'; name: string; message: string; stack?: string };

/**
 * Runs arms in worker threads, each on a backend of its own.
 * @param entry the built worker file
 * @param slots arms at the same time
 * @param backend name of the backend, as the command line takes it
 */
export function workerRunner(entry: URL, slots: number, backend: string): ArmRunner {
  return {
    slots,
    run: (name, data, config, checkpoint, onProgress) =>
      runOne(entry, { name, data, config, checkpoint, backend }, onProgress),
  };
}

function runOne(entry: URL, job: ArmJob, onProgress: ArmProgress): Promise<ArmResult> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(entry, { workerData: job });
    worker.on('message', (m: Message) => {
      if (m.kind === 'progress') onProgress(m.stage, m.done, m.total, m.loss);
      else if (m.kind === 'result') resolve(m.result);
      else reject(failure(job, m.name, m.message, m.stack));
    });
    worker.on('error', reject);
    worker.on('exit', (code) => {
      if (code !== 0) reject(failure(job, 'BackendError', `its worker ended with code ${code}`));
    });
  });
}

/** The worker's error as it would be without one: by the name of its class, with the arm in front. */
function failure(job: ArmJob, name: string, message: string, stack?: string): Error {
  const error = new Error(`${job.name}: ${message}`);
  return Object.assign(error, { name, ...(stack === undefined ? {} : { stack }) });
}
