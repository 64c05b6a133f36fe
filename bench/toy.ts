/**
 * The analytic toy of LORETTA §7.1 in full: every method, several seeds, beside what can be computed exactly.
 * npm run bench -- toy [--rows a,b] [--seeds 3] [--resume] [--table]
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { cpu } from '@loretta-ts/backend-cpu';
import { getBackend, setBackend } from '@loretta-ts/core';
import {
  rangeOf,
  TOY_TRIPLE,
  type ToyDirection,
  type ToyEvaluation,
  ToyRun,
  type ToySettings,
  toySettings,
} from '@loretta-ts/loretta';

/** Test sequences. */
const TEST_ROWS = 1000;
const RESULTS = join(dirname(fileURLToPath(import.meta.url)), 'results', 'toy.json');

interface Row {
  readonly label: string;
  readonly settings: ToySettings;
}

type Changes = Parameters<typeof toySettings>[1];

function row(label: string, changes: Changes, link = 0.05): Row {
  const modalities = TOY_TRIPLE.map((m) => (m.name === 'B' ? { ...m, noise: link } : m));
  return { label, settings: toySettings(modalities, changes) };
}

const small = { dim: 32, lr: 1e-2 } as const;

/** In the order of the table. */
const ROWS: Readonly<Record<string, Row>> = {
  causal: row('one order (GPT)', { arm: 'causal' }),
  cm3: row('one order, causal masking (CM3)', { arm: 'cm3' }),
  commutative: row('commutative', { arm: 'commutative' }),
  'commutative-masked': row('commutative + causal masking', { arm: 'commutative-masked' }),
  loretta: row('**LoReTTa**', {}),
  'loretta-whole': row('LoReTTa, loss on the whole sequence', { transitive: { lossOn: 'all' } }),
  'loretta-all': row('LoReTTa, loss on the whole sequence, all modalities p = 0.3', {
    transitive: { lossOn: 'all', allProbability: 0.3 },
  }),
  'loretta-cold': row('LoReTTa, no warm-up', { switchAt: 0 }),
  'loretta-100': row('LoReTTa, 100 % transitive after the warm-up', { transitive: { share: 1 } }),
  'loretta-cool': row('LoReTTa, generated at T = 0.7', { transitive: { temperature: 0.7 } }),
  'loretta-noisy': row('LoReTTa, noisy link (ε_B = 0.5)', {}, 0.5),
  oracle: row('oracle: real (A, C) pairs added', { arm: 'oracle' }),
  'oracle-noisy': row('oracle, noisy link (ε_B = 0.5)', { arm: 'oracle' }, 0.5),
  'small-commutative': row('width 32: commutative', { ...small, arm: 'commutative' }),
  'small-loretta': row('width 32: LoReTTa', small),
  'small-loretta-800': row('width 32: LoReTTa, 800 steps', { ...small, steps: 800, switchAt: 320 }),
  'absolute-commutative': row('learned absolute positions: commutative', {
    arm: 'commutative',
    positions: ['learned'],
  }),
  'absolute-loretta': row('learned absolute positions: LoReTTa', { positions: ['learned'] }),
  'rope-commutative': row('rotary positions only: commutative', {
    arm: 'commutative',
    positions: ['rope'],
  }),
  'rope-loretta': row('rotary positions only: LoReTTa', { positions: ['rope'] }),
};

interface Result {
  readonly row: string;
  readonly seed: number;
  readonly backend: string;
  readonly parameters: number;
  /** Of training, without a warm-up that was shared. */
  readonly seconds: number;
  readonly evaluation: ToyEvaluation;
}

/** Warm-ups of a seed: what rows that differ in their transitive part only have in common. */
type WarmUps = Map<string, Uint8Array>;

const WARMED = new Set(['commutative', 'transitive']);

async function measure(name: string, seed: number, warmUps: WarmUps): Promise<Result> {
  const settings = { ...ROWS[name]!.settings, seed };
  const run = new ToyRun(settings);
  const began = performance.now();
  let last = began;
  const onEvent = ({ step, loss }: { step: number; loss: number }): void => {
    if (performance.now() - last < 20_000) return;
    last = performance.now();
    const rate = ((step + 1) / (last - began)) * 1000;
    console.error(
      `  ${name}, seed ${seed}: step ${step + 1} of ${settings.steps}, loss ${loss.toFixed(3)}, ${rate.toFixed(1)} steps/s`,
    );
  };
  if (WARMED.has(settings.arm) && settings.switchAt > 0) {
    const { arm, transitive, ...common } = settings;
    const id = JSON.stringify(common);
    const checkpoint = warmUps.get(id);
    if (checkpoint !== undefined) run.restore(checkpoint);
    else {
      await run.train({ to: settings.switchAt, onEvent });
      warmUps.set(id, await run.save());
    }
  }
  await run.train({ onEvent });
  const seconds = (performance.now() - began) / 1000;
  const evaluation = await run.evaluate(TEST_ROWS);
  const { parameterCount: parameters } = run.model;
  run.dispose();
  return { row: name, seed, backend: getBackend().name, parameters, seconds, evaluation };
}

function readResults(): Result[] {
  if (!existsSync(RESULTS)) return [];
  return (JSON.parse(readFileSync(RESULTS, 'utf8')) as { results: Result[] }).results;
}

function writeResults(results: readonly Result[]): void {
  mkdirSync(dirname(RESULTS), { recursive: true });
  const rows = Object.fromEntries(Object.entries(ROWS).map(([name, r]) => [name, r.settings]));
  const text = JSON.stringify({ node: process.version, rows, results }, null, 1);
  writeFileSync(`${RESULTS}.part`, `${text}\n`);
  renameSync(`${RESULTS}.part`, RESULTS);
}

/** Mean over seeds, and the range where there are several. */
function cell(values: readonly number[], digits = 3): string {
  const { value, low, high, n } = rangeOf(values);
  const mean = value.toFixed(digits);
  return n === 1 ? mean : `${mean} (${low.toFixed(digits)} … ${high.toFixed(digits)})`;
}

function table(results: readonly Result[]): string {
  const lines = [
    '| method | seeds | bits a\\|c | gen a\\|c | bits c\\|a | gen c\\|a | chain c→b→a |',
    '|---|---|---|---|---|---|---|',
  ];
  for (const [name, { label }] of Object.entries(ROWS)) {
    const found = results.filter((r) => r.row === name);
    if (found.length === 0) continue;
    const of = (read: (e: ToyEvaluation) => number): string =>
      cell(found.map((r) => read(r.evaluation)));
    lines.push(
      `| ${label} | ${found.map((r) => r.seed).join(', ')} | ${of((e) => e.backward.bits.value)} | ${of((e) => e.backward.accuracy.value)} | ${of((e) => e.forward.bits.value)} | ${of((e) => e.forward.accuracy.value)} | ${of((e) => e.backward.chain.value)} |`,
    );
  }
  const noisy = (r: Result): boolean => r.row.endsWith('-noisy');
  const exact = (
    label: string,
    result: Result | undefined,
    read: (d: ToyDirection) => number,
  ): void => {
    if (result === undefined) return;
    const { backward, forward } = result.evaluation;
    lines.push(
      `| ${label} | exact | ${read(backward).toFixed(3)} | – | ${read(forward).toFixed(3)} | – | – |`,
    );
  };
  const plain = results.find((r) => !noisy(r));
  exact('Bayes’ rule', results[0], (d) => d.optimum.bayes);
  exact('optimum through the link', plain, (d) => d.optimum.link);
  exact('optimum through the noisy link', results.find(noisy), (d) => d.optimum.link);
  exact('unconditional', results[0], (d) => d.optimum.unconditional);
  const excess = results.flatMap(({ evaluation: e }) => [e.backward.excess, e.forward.excess]);
  const least = excess.reduce((a, b) => (b.value < a.value ? b : a), excess[0]!);
  lines.push(
    '',
    `n = ${TEST_ROWS} fresh test sequences, the same for all. Nearest to Bayes’ rule: ${least.value.toFixed(3)} bits above it (95 % interval ${least.low.toFixed(3)} … ${least.high.toFixed(3)}).`,
  );
  return lines.join('\n');
}

function fail(message: string): never {
  console.error(`bench toy: ${message}`);
  process.exit(2);
}

const { values } = parseArgs({
  options: {
    rows: { type: 'string' },
    seeds: { type: 'string', default: '3' },
    resume: { type: 'boolean', default: false },
    table: { type: 'boolean', default: false },
  },
});
const names = values.rows?.split(',') ?? Object.keys(ROWS);
const unknown = names.find((name) => !Object.hasOwn(ROWS, name));
if (unknown !== undefined) fail(`no row ${unknown}: ${Object.keys(ROWS).join(', ')}`);
const seeds = Number(values.seeds);
if (!Number.isInteger(seeds) || seeds < 1) fail(`--seeds ${values.seeds} is no positive integer`);

const results = values.resume || values.table ? readResults() : [];
if (!values.table) {
  setBackend(cpu());
  for (let seed = 0; seed < seeds; seed++) {
    const warmUps: WarmUps = new Map();
    for (const name of names) {
      if (results.some((r) => r.row === name && r.seed === seed)) continue;
      const result = await measure(name, seed, warmUps);
      results.push(result);
      writeResults(results);
      const { backward, forward } = result.evaluation;
      console.error(
        `${name}, seed ${seed}: ${result.seconds.toFixed(0)} s, a|c ${backward.bits.value.toFixed(3)} bits, ${backward.accuracy.value.toFixed(3)}, c|a ${forward.bits.value.toFixed(3)}, ${forward.accuracy.value.toFixed(3)}, chain ${backward.chain.value.toFixed(3)}`,
      );
    }
  }
}
if (results.length === 0) fail('there are no results yet');
console.log(table(results));
