/**
 * The main job for several seeds, and its table over seeds.
 *
 *   npm run bench -- loretta                          3 seeds on the embedded data
 *   npm run bench -- loretta --data ../data --seeds 3 real recordings
 *   npm run bench -- loretta --out runs               folders runs/seed-0 …; finished ones are not run again
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { apart, type Estimate, rangeOf } from '@loretta-ts/loretta';
import { type RunFile, readRun } from '@loretta-ts/loretta/node';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '3' },
    data: { type: 'string' },
    arms: { type: 'string', default: 'commutative,transitive' },
    out: { type: 'string', default: 'loretta-out/bench' },
    quick: { type: 'boolean', default: false },
  },
});

const root = resolve(import.meta.dirname, '..');
const seeds = Number(values.seeds);
const out = resolve(values.out);
const runs: RunFile[] = [];
for (let seed = 0; seed < seeds; seed++) {
  const folder = join(out, `seed-${seed}`);
  if (!existsSync(join(folder, 'run.json'))) await start(folder, seed);
  runs.push(readRun(folder));
}
const table = aggregate(runs);
mkdirSync(out, { recursive: true });
writeFileSync(join(out, 'table.md'), `${table}\n`);
console.log(table);

function start(folder: string, seed: number): Promise<void> {
  const args = ['start', '--', '--seed', String(seed), '--arms', values.arms, '--out', folder];
  if (values.data !== undefined) args.push('--data', resolve(values.data));
  if (values.quick) args.push('--quick');
  return new Promise((done, reject) => {
    const child = spawn('npm', args, { cwd: root, stdio: 'inherit' });
    child.on('error', reject);
    child.on('close', (code) =>
      code === 0 ? done() : reject(new Error(`npm start ended with ${code}`)),
    );
  });
}

/** Mean over seeds with the range that they span, and whether every seed's 95 % intervals are apart. */
function aggregate(all: readonly RunFile[]): string {
  const arms = all[0]!.arms
    .map((a) => a.arm)
    .filter((name) => all.every((run) => run.arms.some((a) => a.arm === name)));
  const directions = all[0]!.arms[0]!.evaluation.unseen.map((u) => [u.from, u.to] as const);
  const measures: readonly (readonly [
    string,
    (run: RunFile, arm: string, from: string, to: string) => Estimate,
  ])[] = [
    ['matching 1-of-10', (r, a, f, t) => unseen(r, a, f, t).matching],
    ['generated', (r, a, f, t) => direction(r, a, f, t).accuracy],
    ['generated, guided', (r, a, f, t) => direction(r, a, f, t).guided],
    ['bits per token', (r, a, f, t) => direction(r, a, f, t).matched],
    ['gain in bits', (r, a, f, t) => direction(r, a, f, t).gain],
    ['two-hop chain', (r, a, f, t) => unseen(r, a, f, t).chain],
    ['two-hop chain, guided', (r, a, f, t) => unseen(r, a, f, t).chainGuided],
    ['probe transfer', (r, a, f, t) => unseen(r, a, f, t).transfer],
  ];
  const head = `| direction | measure | ${arms.join(' | ')} | commutative and transitive apart |`;
  const rule = `|${' --- |'.repeat(arms.length + 3)}`;
  const rows = directions.flatMap(([from, to]) =>
    measures.map(([name, measure]) => {
      const cells = arms.map((arm) =>
        show(rangeOf(all.map((r) => measure(r, arm, from, to).value))),
      );
      const both = arms.includes('commutative') && arms.includes('transitive');
      const separate = all.filter((r) =>
        apart(measure(r, 'commutative', from, to), measure(r, 'transitive', from, to)),
      );
      return `| ${from} → ${to} | ${name} | ${cells.join(' | ')} | ${both ? `${separate.length} of ${all.length} seeds` : '–'} |`;
    }),
  );
  return [head, rule, ...rows].join('\n');
}

function arm(run: RunFile, name: string): RunFile['arms'][number] {
  return run.arms.find((a) => a.arm === name)!;
}

function direction(run: RunFile, name: string, from: string, to: string) {
  return arm(run, name).evaluation.directions.find((d) => d.from === from && d.to === to)!;
}

function unseen(run: RunFile, name: string, from: string, to: string) {
  return arm(run, name).evaluation.unseen.find((u) => u.from === from && u.to === to)!;
}

function show(e: Estimate): string {
  return `${e.value.toFixed(3)} (${e.low.toFixed(3)} to ${e.high.toFixed(3)})`;
}
