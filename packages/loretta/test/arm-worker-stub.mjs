// Stands in for the worker of arms: an event, then a result; an error for `causal`, no end for `cm3` until it is told to stop,
// an exit for `oracle`.
import { parentPort, workerData } from 'node:worker_threads';

const { job, backend, keeps } = workerData;
parentPort.postMessage({ kind: 'event', event: { type: 'step', step: 0, steps: 1, loss: 2 } });
if (job.name === 'oracle') process.exit(3);
else if (job.name === 'causal')
  parentPort.postMessage({ kind: 'error', name: 'NonFiniteError', message: 'loss NaN' });
else if (job.name === 'cm3') {
  parentPort.once('message', () => {
    if (keeps) parentPort.postMessage({ kind: 'state', state: Uint8Array.of(7, 8, 9) });
    parentPort.postMessage({ kind: 'error', name: 'AbortError', message: 'stopped' });
  });
} else parentPort.postMessage({ kind: 'result', result: { arm: job.name, backend } });
