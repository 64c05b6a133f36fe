/** A subject from its cases to its report: run, print, check, and write JSON and a plot. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from './cases';
import { type Contest, type Entry, runContest } from './contest';
import { type Contestant, type Field, findPeers } from './contestants';
import { type Machine, machine, machineLine } from './machine';
import type { Options } from './options';
import { type Bar, type BarGroup, barPlot } from './plot';
import { type Spread, short, shortSpread } from './stats';
import { checksOf, type Line, linesOf, type RatioKind, ratiosOf } from './summary';
import { table } from './table';
import { benchRoot, root } from './workspace';

export interface Subject {
  readonly name: string;
  readonly title: string;
  readonly cases: readonly Case[];
  readonly ours: readonly Contestant[];
  readonly peers: readonly string[];
  readonly takes?: Contest['takes'];
  readonly ratio: RatioKind;
  /** How far checked numbers may be apart, relative above 1. */
  readonly tolerance: number;
  /** Columns for figures beside time, by their names in `extra`. */
  readonly extra?: Readonly<Record<string, string>>;
  /** Runs after the contest: rows of its own, measured otherwise. */
  readonly also?: () => Promise<readonly string[]>;
}

/** Sets the exit code to 1 when checked numbers differ, or when one of ours has no result. */
export async function runSubject(subject: Subject, options: Options): Promise<void> {
  const host = machine();
  const field = findPeers(subject.peers, options.peers);
  const contestants = [...subject.ours, ...field.contestants];
  const takes = subject.takes === undefined ? {} : { takes: subject.takes };
  const entries = await runContest({ cases: subject.cases, contestants, ...takes }, options);
  const notes = (await subject.also?.()) ?? [];
  const lines = linesOf(subject.cases, entries);
  const ratios = ratiosOf(entries, subject.ratio);
  const checks = checksOf(entries, subject.tolerance);
  const { missing } = field;
  const result = { subject: subject.name, machine: host, missing, lines, ratios, checks, notes };
  save(subject.name, { ...result, entries });
  if (options.json) console.log(JSON.stringify(result, null, 2));
  else print(subject, host, field, entries, result);
  if (options.save) writePlot(subject, host, lines);
  const failed = entries.some((e) => e.ours && e.error !== null);
  if (failed || checks.some((c) => !c.ok)) process.exitCode = 1;
}

/** bench/results/SUBJECT.json */
export function save(name: string, result: object): void {
  const folder = join(benchRoot, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(result, null, 2)}\n`);
}

function print(
  subject: Subject,
  host: Machine,
  field: Field,
  entries: readonly Entry[],
  result: {
    readonly lines: readonly Line[];
    readonly ratios: ReturnType<typeof ratiosOf>;
    readonly checks: ReturnType<typeof checksOf>;
    readonly notes: readonly string[];
  },
): void {
  const { lines, ratios, checks, notes } = result;
  const versions = new Set(
    entries.filter((e) => !e.ours && e.version !== '').map((e) => e.version),
  );
  console.log(`# ${subject.title}\n\n${machineLine(host)}. ${host.date}`);
  if (versions.size > 0) console.log(`Peers: ${[...versions].join(', ')}.`);
  for (const { name, reason } of field.missing) console.log(`Missing: ${name}, because ${reason}.`);
  for (const [failure, cases] of failures(entries)) {
    console.log(`No result: ${failure} (${cases.join(', ')}).`);
  }
  console.log(`\n${mainTable(lines, subject.extra ?? {})}`);
  if (ratios.length > 0) {
    const kind = subject.ratio === 'time' ? 'our time / theirs' : 'their time / ours';
    console.log(`\nRatios, ${kind}, median over rounds (least–most):\n`);
    console.log(
      table(
        ['case', 'ours', 'threads', 'of', 'peer', 'ratio'],
        ratios.map((r) => [r.case, r.ours, `${r.threads}`, r.of, r.peer, shortSpread(r.ratio)]),
      ),
    );
  }
  for (const note of notes) console.log(`\n${note}`);
  const bad = checks.filter((c) => !c.ok);
  for (const c of bad) {
    console.log(`\nNOT THE SAME WORK: ${c.case}, ${c.name}: differs by ${c.difference}`);
  }
  if (checks.length > 0 && bad.length === 0) {
    const most = Math.max(...checks.map((c) => c.difference));
    const within = `largest difference ${most.toExponential(1)}, allowed ${subject.tolerance}`;
    console.log(`\nAll ${checks.length} checks agree: ${within}.`);
  }
  console.log('');
}

/** Cases by who failed and why. */
function failures(entries: readonly Entry[]): Map<string, string[]> {
  const out = new Map<string, string[]>();
  for (const e of entries) {
    if (e.error === null) continue;
    const key = `${e.name}, ${threadsText(e.threads)}: ${e.error}`;
    out.set(key, [...(out.get(key) ?? []), e.case]);
  }
  return out;
}

function mainTable(lines: readonly Line[], extra: Readonly<Record<string, string>>): string {
  const unit = lines.find((l) => l.rate !== null)?.rate?.unit;
  const head = ['case', 'who', 'threads', 'CPU ms (best)', 'wall ms (best)'];
  const shown = (s: Spread): string => `${short(s.median)} (${short(s.min)})`;
  return table(
    [
      ...head,
      ...(unit === undefined ? [] : [`${unit} (best)`]),
      'peak MiB',
      ...Object.values(extra),
    ],
    lines.map((l) => [
      ...[l.case, l.name, `${l.threads}`, shown(l.cpu), shown(l.wall)],
      ...(unit === undefined ? [] : [`${short(l.rate!.value)} (${short(l.rate!.best)})`]),
      l.rss.toFixed(0),
      ...Object.keys(extra).map((name) => {
        const s = l.extra[name];
        return s === undefined ? '–' : short(s.median);
      }),
    ]),
  );
}

const threadsText = (n: number): string => (n === 1 ? '1 thread' : `${n} threads`);

function writePlot({ name, title }: Subject, host: Machine, lines: readonly Line[]): void {
  const groups = [...new Set(lines.map((l) => l.case))].map((c): BarGroup => {
    const own = lines.filter((l) => l.case === c);
    return { title: c, bars: own.map(barOf) };
  });
  const footer = `${host.cpu}, ${host.cores} cores, Node ${host.node}, ${host.date.slice(0, 10)}; ms: CPU time on one thread, wall time on more`;
  writeFileSync(join(root, 'docs/guides', `perf-${name}.svg`), barPlot(title, footer, groups));
}

function barOf(line: Line): Bar {
  const time = line.threads === 1 ? line.cpu : line.wall;
  const label = `${line.name}, ${threadsText(line.threads)}`;
  const ours = line.name.startsWith('loretta-ts');
  const { rate } = line;
  const text = `${short(time.median)} ms${rate === null ? '' : `, ${short(rate.value)} ${rate.unit}`}`;
  return { label, value: time.median, from: time.min, to: time.max, text, ours };
}
