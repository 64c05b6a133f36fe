/** What a row of the reliability table is, and how its cases are drawn. */
import { type HostRandom, hostRandom } from '@loretta-ts/core';

/** Where a row tells what it found. */
export interface Report {
  /** The one case to run; null is all. */
  readonly only: number | null;
  /** A case that does not hold: where (`case 17`), and what was found. */
  fail(path: string, what: string): void;
  /** A figure for the table: cases refused, the slowest, and so on. */
  note(name: string, value: number): void;
  /** How far the row is, for those who wait. */
  progress(done: number, total: number): void;
}

/** Runs so many cases of a seed. Returns when all ran; failures go to the report. */
export type Check = (runs: number, seed: number, report: Report) => Promise<void>;

/** A promise with the two sizes at which it is checked. */
export interface Row {
  /** As `--row` takes it. */
  readonly name: string;
  /** What must hold, in one line. */
  readonly holds: string;
  /** Runs with every `npm test`. */
  readonly ci: number;
  /** Runs of `npm run reliability`. */
  readonly release: number;
  readonly check: Check;
}

const MAX_FAILURES = 10;

/**
 * Calls `test` for each case with random numbers of its own, so that any case can be run alone. What it throws is a
 * failure of that case; after ten the rest is left out.
 */
export async function eachCase(
  runs: number,
  seed: number,
  report: Report,
  test: (random: HostRandom, index: number) => void | Promise<void>,
): Promise<void> {
  let failures = 0;
  const { only } = report;
  const [from, to] = only === null ? [0, runs] : [only, only + 1];
  for (let i = from; i < to && failures < MAX_FAILURES; i++) {
    try {
      await test(hostRandom(seed * 2 ** 32 + i), i);
    } catch (error) {
      failures++;
      report.fail(
        `case ${i}`,
        error instanceof Error ? (error.stack ?? error.message) : `${error}`,
      );
    }
    report.progress(i + 1 - from, to - from);
  }
}

/** One of the list. */
export function pick<T>(random: HostRandom, list: readonly T[]): T {
  return list[random.int(list.length)]!;
}

/** Throws unless it holds. */
export function must(holds: boolean, what: () => string): void {
  if (!holds) throw new Error(what());
}
