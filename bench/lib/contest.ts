/** Runs cases on all contestants in turn, so that what else the machine does hits everyone alike. */
import type { Case } from './cases';
import { Child, type Sample } from './child';
import type { Contestant } from './contestants';
import type { Options } from './options';

/** What one contestant did in one case. */
export interface Entry {
  readonly case: string;
  readonly name: string;
  readonly ours: boolean;
  readonly threads: number;
  readonly version: string;
  /** By round; a slow contestant has fewer. */
  readonly samples: readonly Sample[];
  readonly check: readonly number[];
  /** Peak resident MiB of the process; of this case alone, where every case has its own. */
  readonly rss: number;
  /** Why there are no samples; null when there are. */
  readonly error: string | null;
}

/** How a subject is run. */
export interface Contest {
  readonly cases: readonly Case[];
  readonly contestants: readonly Contestant[];
  /** Whether a contestant does a case; by default all do all. */
  readonly takes?: (contestant: Contestant, c: Case) => boolean;
}

interface Runner {
  readonly contestant: Contestant;
  readonly child: Child;
  readonly samples: Sample[];
  version: string;
  check: readonly number[];
  error: string | null;
  rss: number;
  spent: number;
}

/** Every case has processes of its own: neither memory nor compiled code of another gets in. */
export async function runContest(contest: Contest, options: Options): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const c of contest.cases) {
    const takes = contest.takes ?? (() => true);
    const runners = contest.contestants.filter((x) => takes(x, c)).map(start);
    try {
      entries.push(...(await runCase(c, runners, options)));
    } finally {
      for (const { child } of runners) child.close();
    }
  }
  return entries;
}

function start(contestant: Contestant): Runner {
  const child = new Child(contestant);
  return {
    ...{ contestant, child, samples: [], version: '', check: [] },
    ...{ error: null, rss: Number.NaN, spent: 0 },
  };
}

async function runCase(
  c: Case,
  runners: readonly Runner[],
  { rounds, sample, budget }: Options,
): Promise<Entry[]> {
  for (const runner of runners) {
    progress(`${c.subject} ${c.name}: ${runner.contestant.name} prepares`);
    await guarded(runner, async () => {
      runner.version = (await runner.child.about()).version;
      runner.check = (await runner.child.prepare(c, sample)).check;
    });
  }
  for (let round = 0; round < rounds; round++) {
    progress(`${c.subject} ${c.name}: round ${round + 1} of ${rounds}`);
    for (const runner of runners) {
      if (round >= 2 && runner.spent > budget) continue;
      await guarded(runner, async () => {
        const start = performance.now();
        runner.samples.push(await runner.child.run());
        runner.spent += performance.now() - start;
      });
    }
  }
  progress('');
  for (const runner of runners) {
    await guarded(runner, async () => {
      runner.rss = (await runner.child.end()).rss;
    });
  }
  return runners.map(({ contestant: { name, ours, threads }, version, samples, ...r }) => ({
    ...{ case: c.name, name, ours, threads, version, samples },
    ...{ check: r.check, rss: r.rss, error: r.error },
  }));
}

async function guarded(runner: Runner, work: () => Promise<void>): Promise<void> {
  if (runner.error !== null) return;
  try {
    await work();
  } catch (error) {
    runner.error = (error as Error).message;
  }
}

function progress(line: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${line}`);
}
