/** npm run example -- sensor-text [--steps N] */
import { parseArgs } from 'node:util';
import { cpu } from '@loretta-ts/backend-cpu';
import { hostRandom, setBackend } from '@loretta-ts/core';
import { count } from '../count';
import { score } from './score';
import { EVENTS, record, sparkline } from './series';
import { trainTranslator } from './train';

const { values } = parseArgs({ options: { steps: { type: 'string', default: '250' } } });
const steps = count('--steps', values.steps);

setBackend(cpu());
const translator = await trainTranslator({
  steps,
  seed: 0,
  onStep(step, loss) {
    if (step % Math.ceil(steps / 6) === 0) console.log(`step ${step}: ${loss.toFixed(3)}`);
  },
});

const random = hostRandom(99);
const series = EVENTS.map((_, event) => record(event, random));
console.log('\nfrom the sensor to words');
for (const [i, sentence] of (await translator.say(series)).entries())
  console.log(`  ${sparkline(series[i]!)}  ${sentence}`);

const sentences = EVENTS.map(({ says }) => `the robot ${says[1]}`);
console.log('\nfrom words to the sensor');
for (const [i, felt] of (await translator.feel(sentences)).entries())
  console.log(`  ${sparkline(felt)}  ${sentences[i]}`);

const { toText, toSensor } = await score(translator, 120, 7);
const percent = (share: number): string => `${(100 * share).toFixed(0)} %`;
console.log(
  `\nright: ${percent(toText)} of sentences, ${percent(toSensor)} of series; chance 17 %`,
);
translator.dispose();
