/** npm run example -- finetune-stories --model DIR [--steps N] [--out DIR] */
import { parseArgs } from 'node:util';
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { loadLanguageModel } from '@loretta-ts/loretta/node';
import { savePretrained } from '@loretta-ts/nn/node';
import { count } from '../count';
import { finetune, lossOn, tell } from './finetune';
import { robotStories } from './stories';

const { values } = parseArgs({
  options: {
    model: { type: 'string' },
    steps: { type: 'string', default: '60' },
    out: { type: 'string' },
  },
});

async function main(folder: string): Promise<void> {
  setBackend(cpu());
  const lm = await loadLanguageModel(folder);
  const [train, test] = [robotStories(200, 1), robotStories(20, 2)];
  const opening = 'Once upon a time, there was a little robot';
  console.log(`before: ${(await lossOn(lm, test, 128)).toFixed(3)} nats per token on new stories`);
  console.log(`${await tell(lm, opening, 120)}\n`);
  const steps = count('--steps', values.steps);
  await finetune(lm, train, {
    steps,
    batch: 8,
    length: 128,
    lr: 1e-3,
    seed: 0,
    onProgress(step, loss) {
      if (step % Math.ceil(steps / 6) === 0) console.log(`step ${step}: ${loss.toFixed(3)}`);
    },
  });
  console.log(`\nafter: ${(await lossOn(lm, test, 128)).toFixed(3)} nats per token`);
  console.log(await tell(lm, opening, 120));
  if (values.out !== undefined) await savePretrained(lm.model, values.out);
  lm.model.dispose();
}

try {
  if (values.model === undefined)
    throw new Error(
      'finetune-stories: --model DIR is missing: a folder with stories260K.bin and tok512.bin, of karpathy/tinyllamas on Hugging Face',
    );
  await main(values.model);
} catch (error) {
  console.error((error as Error).message);
  process.exitCode = 1;
}
