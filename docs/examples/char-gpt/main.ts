/** npm run example -- char-gpt [--file TEXT] [--steps N] [--prompt TEXT] [--seed N] */
import { readdirSync, readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { count } from '../count';
import { trainCharGpt } from './train';

/** The sentences of the guides, without their code and tables. */
function guides(): string {
  const folder = new URL('../../guides/', import.meta.url);
  const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
  const text = pages.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n');
  const prose = text.replace(/^---\n[\s\S]*?\n---$/gm, '').replace(/^```[\s\S]*?^```$/gm, '');
  return prose.replace(/^[|!].*$/gm, '').replace(/\n{2,}/g, '\n');
}

const { values } = parseArgs({
  options: {
    file: { type: 'string' },
    steps: { type: 'string', default: '500' },
    prompt: { type: 'string', default: 'The model ' },
    seed: { type: 'string', default: '0' },
  },
});

setBackend(cpu());
const text = values.file === undefined ? guides() : readFileSync(values.file, 'utf8');
console.log(`${text.length} characters, ${new Set(text).size} different ones`);
console.log('step    bits per character: training, held out');
const gpt = await trainCharGpt(text, {
  steps: count('--steps', values.steps),
  context: 64,
  batch: 16,
  seed: Number(values.seed),
  onProgress(step, train, heldOut) {
    console.log(`${step}`.padEnd(8), train.toFixed(2).padEnd(10), heldOut.toFixed(2));
  },
});
console.log(`\n${await gpt.write(values.prompt, 200)}`);
gpt.model.dispose();
