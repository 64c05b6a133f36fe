/** The child of the checkpoints row: saves one version after another to the path given, until it is killed. */
import { saveSafetensors } from '@loretta-ts/nn/node';
import { onWriteSteps } from '../write-faults';

const [path = '', moment = '', at = '', first = '', bytes = ''] = process.argv.slice(2);
let calls = 0;
// at the chosen call of the chosen step
onWriteSteps((step) => (step === moment && calls++ === Number(at) ? 'die' : null));

for (let version = Number(first); ; version++) {
  const data = new Float32Array(Number(bytes) / 4).fill(version);
  await saveSafetensors(
    path,
    new Map([['weights', { dtype: 'F32', shape: [data.length], data }]]),
    { version: String(version) },
  );
  // what is on the disk now must never be lost again
  process.stdout.write(`${version}\n`);
}
