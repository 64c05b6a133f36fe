/** `loretta train`: one arm, with checkpoints that it can go on from. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { keepCheckpoint, writeFileAtomic } from '@loretta-ts/nn/node';
import { trainJudges } from '../evaluate/evaluate';
import { judgeGenerated } from '../experiment/purity';
import { evaluateSkill } from '../experiment/skill';
import { PROBE_EVERY, setUp } from '../experiment/warmup';
import { loadData, trainDataOf } from '../node/load-data';
import { checkpointPath, type DataChoice, makeFolder, saveTokenizers } from '../node/run-folder';
import { ARMS, makeArm } from '../train/arms';
import { useBackend } from './backend';
import { command } from './command';
import { UsageError } from './errors';
import { configFrom, count, dataArgs, dataChoice, integer, oneOf, runArgs } from './options';
import { onData, progress, skippedSteps } from './progress';
import { stopSignal } from './stop';

export const train = command({
  name: 'train',
  description: 'Train one arm and keep checkpoints',
  examples: [
    'loretta train --arm transitive --out run1',
    'loretta train --arm transitive --out run1 --every 100 --keep 3',
    'loretta train --arm transitive --out run1 --resume',
    'loretta train --arm commutative --data ../data --config small.json --json',
  ],
  args: {
    ...dataArgs,
    ...runArgs,
    arm: {
      type: 'string',
      valueHint: 'NAME',
      description: `One of ${ARMS.join(', ')}`,
      default: 'transitive',
    },
    out: {
      type: 'string',
      valueHint: 'DIR',
      description: 'Folder of the run',
      default: 'loretta-out',
    },
    every: {
      type: 'string',
      valueHint: 'N',
      description: 'Steps between checkpoints',
      default: '200',
    },
    keep: {
      type: 'string',
      valueHint: 'N',
      description: 'Checkpoints of the last N saves kept beside it, as ARM-STEP.safetensors',
      default: '0',
    },
    resume: { type: 'boolean', description: 'Go on from the checkpoint in --out', default: false },
  },
  main,
});

type Args = Parameters<typeof configFrom>[0] &
  Parameters<typeof dataChoice>[0] & {
    readonly arm: string;
    readonly out: string;
    readonly every: string;
    readonly keep: string;
    readonly resume: boolean;
    readonly backend: string;
    readonly json: boolean;
  };

/** The tokenizers of a choice of data, as checkpoints name them. */
function tokenizersOf(choice: Pick<DataChoice, 'imageTokenizer' | 'speechTokenizer'>): string {
  const { imageTokenizer: image = 'patches', speechTokenizer: speech = 'mfcc' } = choice;
  return `--image-tokenizer ${image} --speech-tokenizer ${speech}`;
}

async function main(args: Args): Promise<void> {
  const name = oneOf('arm', args.arm, ARMS);
  const config = configFrom(args);
  const choice = dataChoice(args, config.seed);
  const every = count('every', args.every);
  const keep = integer('keep', args.keep);
  const out = resolve(args.out);
  const path = checkpointPath(out, name);
  if (args.resume && !existsSync(path)) {
    throw new UsageError(`--resume: there is no ${path}: leave --resume out to start anew`);
  }
  useBackend(args.backend);
  const bar = progress(args.json);
  const skipped = skippedSteps();
  using stop = stopSignal(`go on with: loretta train --arm ${name} --out ${args.out} --resume`);
  const { signal } = stop;
  try {
    const run = args.resume ? out : null;
    const loaded = await loadData(choice, { onEvent: onData(bar), signal, run });
    makeFolder(out);
    if (!args.resume) await saveTokenizers(out, loaded.modalities);
    const data = trainDataOf(loaded, name === 'oracle');
    const judges = await trainJudges(data, config.seed + 50, { signal });
    const arm = makeArm(name, data.test.modalities, config.transitive);
    const setup = setUp(data, config, arm);
    let open = arm.transitive === null;
    if (args.resume) {
      const metadata = setup.trainer.restore(new Uint8Array(await readFile(path)));
      const trained = metadata.get('tokenizers') ?? tokenizersOf({});
      if (trained !== tokenizersOf(choice)) {
        throw new UsageError(
          `--resume: the checkpoint is of ${trained}, not ${tokenizersOf(choice)}: give the same tokenizers again`,
        );
      }
      open ||= metadata.get('gate') === 'open';
    }
    const save = async (): Promise<void> => {
      const bytes = await setup.trainer.save(
        {
          arm: name,
          gate: open ? 'open' : 'closed',
          tokenizers: tokenizersOf(choice),
          config: JSON.stringify(setup.model.config),
        },
        { onlyFinite: true },
      );
      await writeFileAtomic(path, bytes);
      if (keep > 0) await keepCheckpoint(path, { step: setup.trainer.steps, keep });
    };
    const { earliest, latest, skill, share } = config.transitive;
    while (setup.trainer.steps < config.train.steps && !signal.aborted) {
      const { steps } = setup.trainer;
      if (!open && steps >= earliest && (steps - earliest) % PROBE_EVERY === 0) {
        const found = await evaluateSkill(setup, data, judges, config, { signal }).catch(
          (error) => {
            if (signal.aborted) return null;
            throw error;
          },
        );
        if (found === null) break;
        open = found.least >= skill || steps >= latest;
        if (!args.json)
          console.error(
            `step ${steps}: generator's skill ${found.least.toFixed(2)}, gate ${open ? 'opens' : 'stays closed'}`,
          );
      }
      const done = await setup.trainer.step(arm, open ? share : 0);
      skipped.add(name, done);
      const purity = await judgeGenerated(done, setup.vocab, judges);
      const note = purity === null ? '' : `  purity ${(purity.right / purity.total).toFixed(2)}`;
      bar.update(
        `train ${name}`,
        done.step + 1,
        config.train.steps,
        `loss ${done.loss.toFixed(3)}${note}`,
      );
      if (args.json && (done.step + 1) % every === 0) {
        console.log(
          JSON.stringify({
            step: done.step + 1,
            loss: done.loss,
            bits: done.bits,
            lr: done.lr,
            gradNorm: done.gradNorm,
            skipped: done.skipped,
          }),
        );
      }
      if ((done.step + 1) % every === 0) await save();
    }
    await save();
    bar.stop();
    signal.throwIfAborted();
    if (args.json)
      console.log(JSON.stringify({ arm: name, steps: setup.trainer.steps, checkpoint: path }));
    else console.log(`checkpoint  ${join(path)}`);
  } finally {
    bar.stop();
    skipped.tell();
  }
}
