// Stands in for the worker of cells: answers at once, counts in its result, fails on the row `broken`, dies on `dead`, never
// ends on `endless`.
import { parentPort } from 'node:worker_threads';

let count = 0;
parentPort.on('message', ({ cell }) => {
  if (cell.row === 'dead') process.exit(3);
  if (cell.row === 'broken') {
    parentPort.postMessage({ kind: 'error', name: 'NonFiniteError', message: 'loss NaN' });
    return;
  }
  const event = { type: 'step', step: 0, steps: 1, loss: 0 };
  parentPort.postMessage({ kind: 'event', event });
  if (cell.row === 'endless') return;
  parentPort.postMessage({ kind: 'result', result: { cell, toy: { count: ++count }, seconds: 0 } });
});
