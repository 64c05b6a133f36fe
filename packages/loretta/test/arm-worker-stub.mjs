// Stands in for the worker of arms: an event, then a result; an error for `causal`, no end for `cm3`, an exit for `oracle`.
import { parentPort, workerData } from 'node:worker_threads';

const { job, backend } = workerData;
parentPort.postMessage({ kind: 'event', event: { type: 'step', step: 0, steps: 1, loss: 2 } });
if (job.name === 'oracle') process.exit(3);
else if (job.name === 'causal')
  parentPort.postMessage({ kind: 'error', name: 'NonFiniteError', message: 'loss NaN' });
else if (job.name === 'cm3') setInterval(() => undefined, 1000);
else parentPort.postMessage({ kind: 'result', result: { arm: job.name, backend } });
