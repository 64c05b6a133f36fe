/** `loretta start`: the main job. */
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { localRunner, runExperiment } from '../experiment/run';
import { FolderJobs } from '../node/job-store';
import { loadData, trainDataOf } from '../node/load-data';
import { makeFolder, type RunFile, saveRun, saveTokenizers } from '../node/run-folder';
import { workerRunner } from '../node/worker-runner';
import { resultTable } from '../report/table';
import { ARMS, type ArmName } from '../train/arms';
import { useBackend } from './backend';
import { command } from './command';
import { configFrom, count, dataArgs, dataChoice, oneOf, runArgs } from './options';
import { duration, onData, progress, skippedSteps } from './progress';
import { stopSignal } from './stop';

export const start = command({
  name: 'start',
  description: 'Train LoReTTa and what it is compared with, evaluate, write a report',
  examples: [
    'loretta start                          embedded data, about 5 minutes on 2 cores',
    'loretta start --quick                  the same in little, under 3 minutes',
    'loretta start --data ../data --seed 1  real recordings',
    'loretta start --resume                 goes on after Ctrl-C',
    'loretta start --arms commutative,transitive,oracle,shuffled,mislinked',
    'loretta start --image-tokenizer vq     images as codes of a VQ-VAE trained first',
  ],
  args: {
    ...dataArgs,
    ...runArgs,
    arms: {
      type: 'string',
      valueHint: 'LIST',
      description: `Arms to compare, of ${ARMS.join(', ')}`,
    },
    out: {
      type: 'string',
      valueHint: 'DIR',
      description: 'Folder of the run',
      default: 'loretta-out',
    },
    resume: {
      type: 'boolean',
      description: 'Go on with the run that was stopped in --out',
      default: false,
    },
    workers: {
      type: 'string',
      valueHint: 'N',
      description: 'Arms at the same time (default: one a core, 2 at most)',
    },
  },
  main,
});

type Args = Parameters<typeof configFrom>[0] &
  Parameters<typeof dataChoice>[0] & {
    readonly arms?: string | undefined;
    readonly out: string;
    readonly resume: boolean;
    readonly workers?: string | undefined;
    readonly backend: string;
    readonly json: boolean;
  };

/** What `--arms` sets. @throws UsageError */
function armsOf(text: string | undefined): { arms?: readonly ArmName[] } {
  if (text === undefined) return {};
  return { arms: text.split(',').map((word) => oneOf<ArmName>('arms', word.trim(), ARMS)) };
}

async function main(args: Args): Promise<void> {
  const began = performance.now();
  const config = configFrom(args, armsOf(args.arms));
  const choice = dataChoice(args, config.seed);
  const slots =
    args.workers === undefined
      ? Math.min(2, availableParallelism())
      : count('workers', args.workers);
  const backend = useBackend(args.backend);
  const out = resolve(args.out);
  const jobs = new FolderJobs(join(out, '.resume'), {
    data: choice,
    config,
    backend: args.backend,
  });
  if (args.resume) await jobs.resume();
  const bar = progress(args.json);
  const skipped = skippedSteps();
  using stop = stopSignal('the same command with --resume goes on');
  const { signal } = stop;
  try {
    const data = await loadData(choice, {
      onEvent: onData(bar),
      signal,
      run: args.resume ? out : null,
    });
    makeFolder(out);
    if (!args.resume) {
      await saveTokenizers(out, data.modalities);
      await jobs.begin();
    }
    const trainData = trainDataOf(data, config.arms.includes('oracle'));
    const runner =
      slots > 1
        ? workerRunner(new URL('../node/arm-worker.js', import.meta.url), slots, args.backend)
        : localRunner();
    const result = await runExperiment(trainData, config, {
      ...{ runner, jobs, signal },
      onEvent: (event) => {
        const { job } = event;
        if (event.type === 'stage')
          bar.update(`${job}: ${event.stage}`, event.done, event.total, '');
        else {
          skipped.add(job, event);
          bar.update(`${job}: train`, event.step + 1, event.steps, `loss ${event.loss.toFixed(3)}`);
        }
      },
    });
    bar.stop();
    const run: RunFile = {
      version: 1,
      data: choice,
      credits: [...new Set(Object.values(data.modalities).map((m) => m.credit))],
      config,
      warmUp: result.warmUp,
      arms: result.arms.map(({ checkpoint: _checkpoint, ...rest }) => rest),
      ran: {
        backend: `${backend.name} ${backend.info().executor} ${backend.info().simd ?? ''}`.trim(),
        node: process.version,
        cores: availableParallelism(),
        seconds: (performance.now() - began) / 1000,
      },
    };
    await saveRun(out, run, result.arms);
    await jobs.remove();
    // the plots are heavy: only what draws them loads them
    const { writeReport } = await import('../node/report');
    const page = await writeReport(out, run, data);
    if (args.json) console.log(JSON.stringify(run));
    else {
      console.log(resultTable(run));
      console.log(`report  ${page}`);
      console.log(`run     ${join(out, 'run.json')}, ${duration(run.ran.seconds)} min`);
    }
  } finally {
    bar.stop();
    skipped.tell();
  }
}
