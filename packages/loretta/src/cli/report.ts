/** `loretta report`: write a run's page again. */
import { resolve } from 'node:path';
import { loadData } from '../node/load-data';
import { readRun } from '../node/run-folder';
import { resultTable } from '../report/table';
import { useBackend } from './backend';
import { command } from './command';
import { armArgs } from './options';
import { onData, progress } from './progress';

export const reportCommand = command({
  name: 'report',
  description: 'Print the table of a run and write its page',
  examples: ['loretta report --run loretta-out'],
  args: {
    run: armArgs.run,
    json: { type: 'boolean', description: 'Print the run as one line of JSON', default: false },
  },
  main,
});

async function main(args: { readonly run: string; readonly json: boolean }): Promise<void> {
  const folder = resolve(args.run);
  const run = readRun(folder);
  useBackend('cpu'); // for learned tokenizers
  const bar = progress(args.json);
  try {
    const data = await loadData(run.data, { onEvent: onData(bar), run: folder });
    bar.stop();
    // the plots are heavy: only what draws them loads them
    const { writeReport } = await import('../node/report');
    const page = await writeReport(folder, run, data);
    console.log(args.json ? JSON.stringify(run) : `${resultTable(run)}\nreport  ${page}`);
  } finally {
    bar.stop();
  }
}
