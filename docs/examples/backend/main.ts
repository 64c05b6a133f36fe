/** npm run example -- backend */
import { parseArgs } from 'node:util';
import { cpu } from '@loretta-ts/backend-cpu';
import { count } from '../count';
import { plainBackend } from './backend';
import { counted } from './counted';
import { trainOn } from './train';

const { values } = parseArgs({ options: { steps: { type: 'string', default: '20' } } });
const steps = count('--steps', values.steps);

const { backend, counts } = counted(plainBackend());
const ours = await trainOn(backend, steps);
const theirs = await trainOn(cpu(), steps);

console.log('step   plain arrays   cpu()');
for (const [i, loss] of ours.entries()) {
  if (i % 5 === 4)
    console.log(`${i + 1}`.padEnd(7), loss.toFixed(6).padEnd(14), theirs[i]!.toFixed(6));
}
console.log(`\n${backend.memory().buffers} buffers are left; what ran:`);
const byWork = [...counts].sort(([, a], [, b]) => b.elements - a.elements);
for (const [name, { calls, elements }] of byWork.slice(0, 12)) {
  console.log(name.padEnd(14), `${calls} calls`.padStart(12), `${elements} elements`.padStart(18));
}
