/** Progress: bars with rate and remaining time on a terminal, plain lines elsewhere. */
import { MultiBar, type SingleBar } from 'cli-progress';
import type { StageEvent } from '../events';

export interface Progress {
  update(job: string, done: number, total: number, note: string): void;
  stop(): void;
}

/** Shows the stages of loading data. */
export function onData(bar: Progress): (event: StageEvent) => void {
  return ({ stage, done, total }) => bar.update(`data: ${stage}`, done, total, '');
}

/** Counts steps that changed nothing, to tell of them when the bars are gone. */
export function skippedSteps(): {
  add(job: string, event: { readonly skipped?: string | undefined }): void;
  tell(): void;
} {
  const found = new Map<string, { readonly first: string; count: number }>();
  return {
    add(job, { skipped }) {
      if (skipped === undefined) return;
      const entry = found.get(job) ?? { first: skipped, count: 0 };
      entry.count++;
      found.set(job, entry);
    },
    tell() {
      for (const [job, { first, count }] of found)
        console.error(`${job}: ${count} steps skipped, the first: ${first}`);
    },
  };
}

/** Seconds between plain lines of one job. */
const LINE_EVERY = 5;

/** @param quiet shows nothing */
export function progress(quiet: boolean): Progress {
  if (quiet) return { update: () => undefined, stop: () => undefined };
  return process.stderr.isTTY ? bars() : lines();
}

function bars(): Progress {
  const multi = new MultiBar({
    format: '{job} {bar} {value}/{total}  {rate}  {left}  {note}',
    hideCursor: true,
    clearOnComplete: false,
    barsize: 24,
    stream: process.stderr,
  });
  const known = new Map<string, { bar: SingleBar; clock: Clock }>();
  return {
    update(job, done, total, note) {
      let entry = known.get(job);
      if (entry === undefined) {
        entry = {
          bar: multi.create(total, 0, { job: job.padEnd(24), rate: '', left: '', note: '' }),
          clock: new Clock(),
        };
        known.set(job, entry);
      }
      const { rate, left } = entry.clock.read(done, total);
      entry.bar.setTotal(total);
      entry.bar.update(done, { job: job.padEnd(24), rate, left, note });
    },
    stop: () => multi.stop(),
  };
}

function lines(): Progress {
  const known = new Map<string, { at: number; clock: Clock; done: boolean }>();
  return {
    update(job, done, total, note) {
      const now = performance.now() / 1000;
      let entry = known.get(job);
      if (entry === undefined) {
        entry = { at: Number.NEGATIVE_INFINITY, clock: new Clock(), done: false };
        known.set(job, entry);
      }
      const { rate, left } = entry.clock.read(done, total);
      const ends = done >= total;
      if (ends ? entry.done : !entry.done && now - entry.at < LINE_EVERY) return;
      entry.at = now;
      entry.done = ends;
      const parts = [`${job} ${done}/${total}`, rate, left, note].filter((x) => x !== '');
      console.error(parts.join('  '));
    },
    stop: () => undefined,
  };
}

/** Rate and remaining time since the job began. */
class Clock {
  private start = performance.now();
  private first = 0;
  private last = Number.POSITIVE_INFINITY;

  read(done: number, total: number): { rate: string; left: string } {
    // the first reading, or a job that began again
    if (done < this.last) {
      this.first = done;
      this.start = performance.now();
    }
    this.last = done;
    const seconds = (performance.now() - this.start) / 1000;
    const made = done - this.first;
    if (made <= 0 || seconds < 0.5) return { rate: '', left: '' };
    const perSecond = made / seconds;
    return {
      rate: `${perSecond.toPrecision(3)}/s`,
      left: done >= total ? 'done' : `${duration((total - done) / perSecond)} left`,
    };
  }
}

/** `1:05` of 65 seconds. */
export function duration(seconds: number): string {
  const s = Math.round(seconds);
  return `${Math.floor(s / 60)}:${String(s % 60).padStart(2, '0')}`;
}
