/** npm run example -- mnist [--steps N] [--data DIR] */
import { parseArgs } from 'node:util';
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { mnistFolder, mnistPackage } from '@loretta-ts/loretta/node';
import type { Image } from '@loretta-ts/tokenizers';
import { count } from '../count';
import { classify, trainDigits } from './train';

const { values } = parseArgs({
  options: { steps: { type: 'string', default: '500' }, data: { type: 'string' } },
});

/** Three pictures side by side, a character for two rows of pixels. */
function draw(images: readonly Image[]): string {
  const shades = ' ░▒▓█';
  const line = (y: number) =>
    images
      .map(({ width, data }) =>
        Array.from({ length: width }, (_, x) => {
          const ink = (data[y * width + x]! + data[(y + 1) * width + x]!) / 2;
          return shades[Math.round((ink / 255) * (shades.length - 1))]!;
        }).join(''),
      )
      .join(' ');
  return Array.from({ length: 14 }, (_, y) => line(2 * y).trimEnd()).join('\n');
}

setBackend(cpu());
const { name, train, test } = values.data === undefined ? mnistPackage() : mnistFolder(values.data);
console.log(`${name}: ${train.items.length} digits to train on, ${test.items.length} to test on`);
const steps = count('--steps', values.steps);
const net = await trainDigits(train, {
  steps,
  batch: 64,
  seed: 0,
  onStep(step, loss) {
    if (step % Math.ceil(steps / 6) === 0) console.log(`step ${step}: ${loss.toFixed(3)}`);
  },
});
const seen = await classify(net, test.items);
const right = seen.filter((digit, i) => digit === test.labels[i]).length;
console.log(`\nright on ${((100 * right) / seen.length).toFixed(1)} % of the test digits`);
const wrong = seen.flatMap((digit, i) => (digit === test.labels[i] ? [] : [i])).slice(0, 3);
console.log(`\n${draw(wrong.map((i) => test.items[i]!))}`);
console.log(wrong.map((i) => `a ${test.labels[i]}, seen as ${seen[i]}`.padEnd(29)).join(''));
net.dispose();
