/** Runs a row and keeps what came out. */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Report, Row } from './row';

interface Failure {
  readonly path: string;
  readonly what: string;
  /** What repeats it. */
  readonly command: string;
}

/** What came of a row. */
export interface Outcome {
  readonly row: string;
  readonly runs: number;
  readonly seed: number;
  readonly seconds: number;
  readonly failures: readonly Failure[];
  readonly notes: Readonly<Record<string, number>>;
}

/** Runs so many cases of a row, or the one case `only`; `progress` hears how far it is. */
export async function runRow(
  row: Row,
  runs: number,
  seed: number,
  only: number | null = null,
  progress: Report['progress'] = () => {},
): Promise<Outcome> {
  const failures: Failure[] = [];
  const notes: Record<string, number> = {};
  const start = performance.now();
  const fail = (path: string, what: string): void => {
    const one = /^case (\d+)$/.exec(path)?.[1];
    const command = `npm run reliability -- --row ${row.name} --seed ${seed} --runs ${runs}`;
    failures.push({
      path,
      what,
      command: one === undefined ? command : `${command} --case ${one}`,
    });
  };
  try {
    await row.check(runs, seed, {
      only,
      fail,
      note: (name, value) => {
        notes[name] = value;
      },
      progress,
    });
  } catch (error) {
    fail('the row', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
  const seconds = (performance.now() - start) / 1000;
  return { row: row.name, runs, seed, seconds, failures, notes };
}

/** A failure in full: where, what, and how to see it again. */
export function showFailure(outcome: Outcome, { path, what, command }: Failure): string {
  return `${outcome.row}, seed ${outcome.seed}, ${path}: ${what}\n  again: ${command}`;
}

/** The two columns of a row are kept beside each other. */
const keyOf = (row: string, runs: number): string => `${row} ${runs}`;

/** What came of a row, and of which sources. */
interface Kept extends Outcome {
  readonly sources: string;
}

/** Finished rows in a file, so that an interrupted run goes on. */
export class Results {
  private readonly path: string;
  private readonly sources: string;
  private readonly kept: Record<string, Kept>;

  /** @param sources hash of those that run now */
  constructor(path: string, sources: string) {
    this.path = path;
    this.sources = sources;
    this.kept = existsSync(path)
      ? (JSON.parse(readFileSync(path, 'utf8')) as Record<string, Kept>)
      : {};
  }

  /** A row that passed with these sources and settings; undefined when it has yet to. */
  passed(row: Row, runs: number, seed: number): Outcome | undefined {
    const outcome = this.kept[keyOf(row.name, runs)];
    const same =
      outcome?.sources === this.sources && outcome.runs === runs && outcome.seed === seed;
    return same && outcome.failures.length === 0 ? outcome : undefined;
  }

  /** Keeps what came of a row, over what was there of it. */
  keep(outcome: Outcome): void {
    this.kept[keyOf(outcome.row, outcome.runs)] = { ...outcome, sources: this.sources };
    mkdirSync(dirname(this.path), { recursive: true });
    writeFileSync(`${this.path}.tmp`, `${JSON.stringify(this.kept, null, 2)}\n`);
    renameSync(`${this.path}.tmp`, this.path);
  }
}
