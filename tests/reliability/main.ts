/**
 * `npm run reliability [-- --row NAME] [--ci] [--seed N] [--runs N] [--case N] [--fresh]`: runs the rows with their
 * release sizes, or with `--ci` those of `npm test`, prints each failure with the command that repeats it and a table, and writes bench/results/reliability.json.
 * Rows that passed with the same sources, seed and runs are not run again, unless --fresh is given. Exit code 1 when any failed.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { usageOf } from '../../scripts/help.mjs';
import { sourceHash } from '../../scripts/source-hash.mjs';
import type { Report } from './row';
import { rows } from './rows';
import { type Outcome, Results, runRow, showFailure } from './run';

const root = fileURLToPath(new URL('../../', import.meta.url));
const FILE = join(root, 'bench/results/reliability.json');
/** What a result depends on. */
const SOURCES = [
  ...['core', 'backend-cpu', 'backend-gpu', 'nn', 'tokenizers', 'loretta'].map(
    (name) => `packages/${name}/src`,
  ),
  ...['packages/backend-cpu/assembly', 'tests/conformance', 'tests/reliability', 'pnpm-lock.yaml'],
];

class UsageError extends Error {}

function parse(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        row: { type: 'string' },
        ci: { type: 'boolean', default: false },
        seed: { type: 'string', default: '1' },
        runs: { type: 'string' },
        case: { type: 'string' },
        fresh: { type: 'boolean', default: false },
      },
    }).values;
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function count(name: string, text: string | undefined): number | null {
  if (text === undefined) return null;
  if (!/^\d{1,9}$/.test(text)) throw new UsageError(`--${name} ${text} is not a number from 0`);
  return Number(text);
}

function line({ row, runs, seconds, failures, notes }: Outcome): string {
  const figures = Object.entries(notes).map(([name, value]) => `${name} ${value}`);
  const verdict = failures.length === 0 ? 'ok' : `${failures.length} FAILED`;
  return [
    row.padEnd(16),
    String(runs).padStart(9),
    `${seconds.toFixed(1)} s`.padStart(10),
    verdict.padEnd(9),
    figures.join(', '),
  ].join('  ');
}

/** Milliseconds between two lines of progress; the first comes after so many as well. */
const BETWEEN = process.stderr.isTTY ? 2000 : 30_000;

/** Tells on stderr how far a row is: on a terminal in place. */
function progressOf(name: string): Report['progress'] {
  let last = performance.now();
  return (done, total) => {
    if (performance.now() - last < BETWEEN || done === total) return;
    last = performance.now();
    const text = `${name}: ${done} of ${total}`;
    process.stderr.write(process.stderr.isTTY ? `\r${text}\x1b[K\r` : `${text}\n`);
  };
}

async function main(argv: readonly string[]): Promise<number> {
  const options = parse(argv);
  const chosen = rows.filter(({ name }) => options.row === undefined || name === options.row);
  if (chosen.length === 0) {
    throw new UsageError(`there is no row ${options.row}: it is one of ${rows.map((r) => r.name)}`);
  }
  const seed = count('seed', options.seed)!;
  if (seed >= 2 ** 20) throw new UsageError(`--seed ${seed} is not below ${2 ** 20}`);
  const runs = count('runs', options.runs);
  const only = count('case', options.case);
  if (only !== null && options.row === undefined) throw new UsageError('--case needs --row');
  const results = new Results(FILE, sourceHash(root, SOURCES));
  const outcomes: Outcome[] = [];
  for (const row of chosen) {
    const n = runs ?? (options.ci ? row.ci : row.release);
    const before = options.fresh || only !== null ? undefined : results.passed(row, n, seed);
    const outcome = before ?? (await runRow(row, n, seed, only, progressOf(row.name)));
    if (only === null) results.keep(outcome);
    for (const failure of outcome.failures) console.log(`FAILED ${showFailure(outcome, failure)}`);
    console.log(`${line(outcome)}${before === undefined ? '' : ' (kept)'}`);
    outcomes.push(outcome);
  }
  const failed = outcomes.filter(({ failures }) => failures.length > 0).length;
  console.log(`${outcomes.length - failed} passed, ${failed} failed`);
  return failed === 0 ? 0 : 1;
}

try {
  process.exitCode = await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n${usageOf('reliability')}`);
  process.exitCode = 2;
}
