/** The child of the checkpoints row: saves one version after another to the path given, until it is killed. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { saved } from '../versions';
import { onWriteSteps } from '../write-faults';

const [kind = '', path = '', moment = '', at = '', first = '', bytes = ''] = process.argv.slice(2);
let calls = 0;
// at the chosen call of the chosen step
onWriteSteps((step) => (step === moment && calls++ === Number(at) ? 'die' : null));

setBackend(referenceBackend());
for (let version = Number(first); ; version++) {
  await saved[kind as keyof typeof saved].save(path, version, Number(bytes));
  // what is on the disk now must never be lost again
  process.stdout.write(`${version}\n`);
}
