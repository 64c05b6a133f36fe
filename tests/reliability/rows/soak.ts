/** Days of a training in minutes: what fails, and what kills it, leaves no trace in its numbers, files or memory. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { commandOf, runChild } from '../child';
import { eachCase, must, type Report, type Row } from '../row';
import { DYING, drawPlan, FAULTS, type Life, type RoundReport } from '../soak-plan';

/** What the process may take at the end, as a multiple of what it took behind the warm-up. */
const GROWTH = 1.15;
/** Rounds whose median is compared. */
const WINDOW = 5;

/** Runs a process to its end; `onRound` hears of each round. @throws unless it ends as it was told to */
async function live(
  life: Life,
  onRound: (round: number) => void,
  stop: AbortSignal,
): Promise<RoundReport[]> {
  const reports: RoundReport[] = [];
  let read = 0;
  const { code, signal, err } = await runChild(
    commandOf('soak-child.ts', [JSON.stringify(life)]),
    (child, out) => {
      for (let end = out.indexOf('\n', read); end >= 0; end = out.indexOf('\n', read)) {
        const line = out.slice(read, end);
        read = end + 1;
        if (line === DYING) setTimeout(() => child.kill('SIGKILL'), life.kill!.delay);
        else {
          const report = JSON.parse(line) as RoundReport;
          reports.push(report);
          onRound(report.round);
        }
      }
    },
    120 + 10 * life.rounds,
    stop,
  );
  const want = life.kill === null ? 0 : 'SIGKILL';
  must(
    (code ?? signal) === want,
    () => `a process ended with ${code ?? signal}, not ${want}: ${err}`,
  );
  return reports;
}

/** All numbers of a round, without its memory. */
function numbersOf({ steps, nats, generated }: RoundReport): string {
  return JSON.stringify({ steps, nats, generated });
}

/** From behind the warm-up to the end: live tensors stay what they are, and the process does not grow. */
function checkMemory(reports: readonly RoundReport[], whose: string, report: Report): void {
  const from = Math.max(WINDOW, Math.floor(reports.length / 10));
  must(
    reports.length >= from + 2 * WINDOW,
    () => `${reports.length} rounds are too few to compare`,
  );
  const first = reports[from]!;
  for (const { round, buffers, bytes } of reports.slice(from)) {
    must(
      buffers === first.buffers && bytes === first.bytes,
      () =>
        `${whose}: ${buffers} buffers of ${bytes} bytes in round ${round}, before ${first.buffers} of ${first.bytes}`,
    );
  }
  const median = (at: number): number =>
    reports
      .slice(at, at + WINDOW)
      .map((r) => r.rss)
      .sort((a, b) => a - b)[Math.floor(WINDOW / 2)]!;
  const factor = median(reports.length - WINDOW) / median(from);
  report.note(`memory at the end, ${whose}, x`, Math.round(1000 * factor) / 1000);
  must(factor <= GROWTH, () => `the memory of the ${whose} run is ${factor} of what it was`);
}

export const soak: Row = {
  name: 'soak',
  holds: 'a training that is killed, refused and spoiled ends with the bits of one that was not',
  ci: 280,
  release: 6000,
  // one case, whose rounds are the runs
  check: (rounds, seed, report) =>
    eachCase(1, seed, { ...report, progress: () => {} }, async () => {
      const directory = mkdtempSync(join(tmpdir(), 'loretta-soak-'));
      const { faults, kills } = drawPlan(seed, rounds);
      const folder = (name: string): string => {
        mkdirSync(join(directory, name));
        return join(directory, name);
      };
      const [calm, wild] = [folder('calm'), folder('wild')];
      const controller = new AbortController();
      const stop = controller.signal;
      const done = { calm: 0, wild: 0 };
      const onRound =
        (of: 'calm' | 'wild') =>
        (round: number): void => {
          done[of] = round + 1;
          report.progress(done.calm + done.wild, 2 * rounds);
        };
      const broken = async (): Promise<RoundReport[][]> => {
        const lives: RoundReport[][] = [];
        const path = join(wild, 'model');
        for (const kill of [...kills, null])
          lives.push(await live({ seed, rounds, path, faults, kill }, onRound('wild'), stop));
        return lives;
      };
      try {
        const whole: Life = { seed, rounds, path: join(calm, 'model'), faults: [], kill: null };
        const both = [live(whole, onRound('calm'), stop), broken()] as const;
        const [want, lives] = await Promise.all(both).catch(async (error) => {
          controller.abort();
          await Promise.allSettled(both);
          throw error;
        });
        must(want.length === rounds, () => `${want.length} rounds of ${rounds}`);
        const got = lives.flat();
        for (const r of got) {
          must(
            numbersOf(r) === numbersOf(want[r.round]!),
            () => `round ${r.round} gave other numbers: ${numbersOf(r)}`,
          );
        }
        must(got.at(-1)!.round === rounds - 1, () => 'the last round was not reached');
        must(
          readFileSync(join(calm, 'model')).equals(readFileSync(join(wild, 'model'))),
          () => 'weights, moments or steps differ at the end',
        );
        must(readdirSync(wild).join() === 'model', () => `${readdirSync(wild)} are left`);
        checkMemory(want, 'unbroken', report);
        checkMemory(lives.at(-1)!, 'last', report);
        const met = got.flatMap(({ fault }) => (fault === null ? [] : [fault]));
        const missed = FAULTS.filter((fault) => !met.includes(fault));
        must(missed.length === 0, () => `${missed} did not happen: give more rounds`);
        report.note('killed', kills.length);
        report.note('faults', met.length);
        report.note('steps', rounds * want[0]!.steps.length);
      } finally {
        rmSync(directory, { recursive: true });
      }
    }),
};
