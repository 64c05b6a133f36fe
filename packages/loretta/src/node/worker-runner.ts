/** Runs arms in worker threads, two at a time on two cores. */
import { Worker } from 'node:worker_threads';
import type { ArmRunner } from '../experiment/run';
import type { ArmEvent, ArmJob, ArmResult, KeptOptions } from '../experiment/run-arm';
import type { ArmAnswer, ArmWork } from './arm-worker';

/**
 * Runs arms in worker threads, each on a backend of its own. A signal ends the threads.
 * @param entry the built worker file
 * @param slots arms at the same time
 * @param backend name of the backend, as the command line takes it
 */
export function workerRunner(entry: URL, slots: number, backend: string): ArmRunner {
  return {
    slots,
    run: (job, options = {}) =>
      runOne(entry, { job, backend, keeps: options.keep !== undefined }, options),
  };
}

/** Longest wait for a worker's last step. */
const STEP_MS = 60_000;

async function runOne(
  entry: URL,
  work: ArmWork,
  { onEvent, signal, keep }: KeptOptions<ArmEvent>,
): Promise<ArmResult> {
  signal?.throwIfAborted();
  const worker = new Worker(entry, { workerData: work });
  let patience: NodeJS.Timeout | null = null;
  // one that keeps its state ends by itself after a step; no wait is without end
  const stop = (): void => {
    if (keep === undefined) void worker.terminate();
    else {
      worker.postMessage('stop');
      patience = setTimeout(() => void worker.terminate(), STEP_MS);
    }
  };
  let kept: Promise<void> = Promise.resolve();
  signal?.addEventListener('abort', stop);
  try {
    return await new Promise<ArmResult>((resolve, reject) => {
      worker.on('message', (m: ArmAnswer) => {
        if (m.kind === 'result') resolve(m.result);
        else if (m.kind === 'state') {
          kept = kept.then(() => keep?.(m.state));
          kept.catch(reject);
        } else if (m.kind === 'error') {
          if (signal?.aborted === true) reject(signal.reason);
          else reject(failure(work.job, m.name, m.message, m.stack));
        } else {
          try {
            onEvent?.(m.event);
          } catch (error) {
            reject(error);
          }
        }
      });
      worker.on('error', reject);
      worker.on('exit', (code) => {
        if (signal?.aborted === true) reject(signal.reason);
        else reject(failure(work.job, 'BackendError', `its worker ended with code ${code}`));
      });
    });
  } finally {
    signal?.removeEventListener('abort', stop);
    if (patience !== null) clearTimeout(patience);
    await worker.terminate();
    await kept.catch(() => undefined);
  }
}

/** The worker's error as it would be without one: by the name of its class, with the arm in front. */
function failure(job: ArmJob, name: string, message: string, stack?: string): Error {
  const error = new Error(`${job.name}: ${message}`);
  return Object.assign(error, { name, ...(stack === undefined ? {} : { stack }) });
}
