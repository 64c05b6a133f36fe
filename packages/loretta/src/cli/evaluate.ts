/** `loretta evaluate`: measure a trained arm again. */
import { resolve } from 'node:path';
import { evaluate as measure, trainJudges } from '../evaluate/evaluate';
import { mixtureRows } from '../evaluate/mixture';
import { loadArm } from '../node/load-arm';
import { readRun } from '../node/run-folder';
import { directionTable } from '../report/table';
import { useBackend } from './backend';
import { command } from './command';
import { armArgs, count, integer, runArgs } from './options';
import { onData, progress } from './progress';

export const evaluate = command({
  name: 'evaluate',
  description: 'Measure a trained arm: all directions, matching, chain, probes',
  examples: [
    'loretta evaluate --run loretta-out --arm transitive',
    'loretta evaluate --run loretta-out --arm commutative --rows 1000 --json',
  ],
  args: {
    ...armArgs,
    rows: { type: 'string', valueHint: 'N', description: 'Test rows (default: as in the run)' },
    seed: { type: 'string', valueHint: 'N', description: 'Seed of sampling', default: '17' },
    backend: runArgs.backend,
    json: { type: 'boolean', description: 'Print one line of JSON, no progress', default: false },
  },
  main,
});

async function main(args: {
  readonly run: string;
  readonly arm: string;
  readonly rows?: string | undefined;
  readonly seed: string;
  readonly backend: string;
  readonly json: boolean;
}): Promise<void> {
  const asked = args.rows === undefined ? null : count('rows', args.rows);
  const seed = integer('seed', args.seed);
  const folder = resolve(args.run);
  const run = readRun(folder);
  const rows = asked ?? run.config.evaluate.rows;
  useBackend(args.backend);
  const bar = progress(args.json);
  try {
    const { model, vocab, graph, data } = await loadArm(folder, run, args.arm, {
      onEvent: onData(bar),
    });
    const judges = await trainJudges(data, run.config.seed + 50);
    const result = await measure(model, vocab, graph, data, judges, {
      ...run.config.evaluate,
      rows,
      seed,
      mixtureRows: mixtureRows(args.arm),
      onEvent: ({ stage, done, total }) => bar.update(stage, done, total, ''),
    });
    bar.stop();
    console.log(args.json ? JSON.stringify(result) : directionTable(result));
  } finally {
    bar.stop();
  }
}
