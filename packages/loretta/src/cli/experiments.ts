/** `loretta experiments`: the paper's comparison, cell by cell. */
import { existsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join, resolve } from 'node:path';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { type DatasetName, planCells } from '../compare/cells';
import { comparisonMarkdown, methodList } from '../compare/report';
import { byDataset } from '../compare/summary';
import { loadCellData } from '../node/cell-data';
import { runCells } from '../node/cell-cache';
import { makeFolder } from '../node/run-folder';
import { command } from './command';
import { UsageError } from './errors';
import { count, oneOf, runArgs } from './options';
import { duration, onData, progress } from './progress';
import { stopSignal } from './stop';

const DATASETS: readonly DatasetName[] = ['svl', 'tcga'];

export const experiments = command({
  name: 'experiments',
  description:
    "The paper's comparison: every method, data set and seed; goes on where it was cut off",
  examples: [
    'loretta experiments --quick                 fewer steps and rows: an example, not a result',
    'loretta experiments --data ../data          all methods, 3 seeds, real files',
    'loretta experiments --data ../data --only tcga --seeds 5',
    'loretta experiments --skip-ablations --json',
  ],
  args: {
    data: {
      type: 'string',
      valueHint: 'DIR',
      description:
        'Folder with mnist/, fsdd/recordings/ and tcga-breast/ (default: embedded digits and speech, no tumours)',
    },
    only: { type: 'string', description: `One data set of ${DATASETS.join(', ')}` },
    seeds: {
      type: 'string',
      valueHint: 'N',
      description: 'Seeds of every cell (default: 3, or 1 with --quick)',
    },
    'skip-ablations': {
      type: 'boolean',
      description: 'Without the variants on the toy and the other links',
      default: false,
    },
    out: {
      type: 'string',
      valueHint: 'DIR',
      description: 'Folder of the results',
      default: 'loretta-out/experiments',
    },
    workers: {
      type: 'string',
      valueHint: 'N',
      description: 'Cells at the same time (default: one a core, 2 at most)',
    },
    quick: runArgs.quick,
    backend: runArgs.backend,
    json: runArgs.json,
  },
  main,
});

interface Args {
  readonly data?: string | undefined;
  readonly only?: string | undefined;
  readonly seeds?: string | undefined;
  readonly 'skip-ablations': boolean;
  readonly out: string;
  readonly workers?: string | undefined;
  readonly quick: boolean;
  readonly backend: string;
  readonly json: boolean;
}

/** Data sets that are asked for and there. @throws UsageError */
function datasetsOf(folder: string | null, only: string | undefined): DatasetName[] {
  const there = (name: DatasetName): boolean =>
    name === 'svl' || (folder !== null && existsSync(join(folder, 'tcga-breast')));
  if (only === undefined) return DATASETS.filter(there);
  const name = oneOf<DatasetName>('only', only, DATASETS);
  if (there(name)) return [name];
  throw new UsageError(`--only ${name}: give --data a folder that holds tcga-breast/`);
}

async function main(args: Args): Promise<void> {
  const began = performance.now();
  const folder = args.data === undefined ? null : resolve(args.data);
  if (folder !== null && !existsSync(folder)) {
    throw new UsageError(`--data ${folder}: there is no such folder`);
  }
  const datasets = datasetsOf(folder, args.only);
  const slots =
    args.workers === undefined
      ? Math.min(2, availableParallelism())
      : count('workers', args.workers);
  const defaultSeeds = args.quick ? 1 : 3;
  const cells = planCells({
    quick: args.quick,
    seeds: args.seeds === undefined ? defaultSeeds : count('seeds', args.seeds),
    datasets,
    ablations: !args['skip-ablations'],
  });
  const out = resolve(args.out);
  makeFolder(out);
  const bar = progress(args.json);
  using stop = stopSignal('finished cells are kept, and the same command goes on with the rest');
  const { signal } = stop;
  if (!args.json && !datasets.includes('tcga') && args.only === undefined) {
    console.error('tcga is left out: give --data a folder that holds tcga-breast/');
  }
  try {
    let done = 0;
    const results = await runCells(cells, {
      signal,
      folder: join(out, 'cells'),
      entry: new URL('../node/cell-worker.js', import.meta.url),
      slots,
      backend: args.backend,
      origin: folder ?? 'embedded',
      load: loadCellData(folder, args.quick, { onEvent: onData(bar) }),
      onEvent: (event) => {
        const { job } = event;
        if (event.type === 'cell') bar.update('cells', ++done, cells.length, '');
        else if (event.type === 'step')
          bar.update(`${job}: train`, event.step + 1, event.steps, '');
        else bar.update(`${job}: ${event.stage}`, event.done, event.total, '');
      },
    });
    bar.stop();
    const text = [
      '# The comparison',
      methodList(),
      comparisonMarkdown(results),
      args.quick ? 'A quick run: an example, not a result.' : '',
    ].join('\n\n');
    // the plots are heavy: only what draws them loads them
    const { comparisonPage, comparisonPlots } = await import('../report/comparison');
    const files: readonly (readonly [string, string])[] = [
      ['comparison.md', `${text.trimEnd()}\n`],
      ['comparison.json', `${JSON.stringify({ quick: args.quick, results })}\n`],
      ['comparison.html', comparisonPage(results)],
      ...comparisonPlots(byDataset(results)),
    ];
    for (const [name, content] of files) {
      await writeFileAtomic(join(out, name), new TextEncoder().encode(content));
    }
    const ran = duration((performance.now() - began) / 1000);
    if (args.json)
      console.log(JSON.stringify({ cells: cells.length, files: files.map(([f]) => join(out, f)) }));
    else {
      console.log(text);
      console.log(`\n${results.length} cells, ${ran} min; all files in ${out}`);
    }
  } finally {
    bar.stop();
  }
}
