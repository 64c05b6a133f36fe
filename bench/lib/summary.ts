/** What the samples say: a line for each contestant, ratios between us and peers, and whether all did the same. */
import { amountOf, type Case } from './cases';
import type { Entry } from './contest';
import { type Spread, spread } from './stats';

/** CPU time counts on one thread, wall time on more: see docs/guides/performance.md. */
function timeOf(entry: Entry): 'cpu' | 'wall' {
  return entry.threads === 1 ? 'cpu' : 'wall';
}

export interface Line {
  readonly case: string;
  readonly name: string;
  readonly threads: number;
  readonly rounds: number;
  /** ms */
  readonly cpu: Spread;
  /** ms */
  readonly wall: Spread;
  /** By the median of the time that counts. */
  readonly rate: { readonly value: number; readonly best: number; readonly unit: string } | null;
  readonly rss: number;
  /** Medians of the figures beside time. */
  readonly extra: Readonly<Record<string, Spread>>;
}

export function linesOf(cases: readonly Case[], entries: readonly Entry[]): Line[] {
  return entries
    .filter((e) => e.samples.length > 0)
    .map((e) => {
      const [cpu, wall] = [
        spread(e.samples.map((s) => s.cpu)),
        spread(e.samples.map((s) => s.wall)),
      ];
      const amount = amountOf(cases.find((c) => c.name === e.case)!);
      const time = timeOf(e) === 'cpu' ? cpu : wall;
      const rate = (ms: number): number => (amount!.count / ms) * 1000;
      const names = Object.keys(e.samples[0]!.extra);
      return {
        ...{ case: e.case, name: e.name, threads: e.threads, rounds: e.samples.length },
        ...{ cpu, wall, rss: e.rss },
        rate:
          amount === null
            ? null
            : { value: rate(time.median), best: rate(time.min), unit: amount.unit },
        extra: Object.fromEntries(
          names.map((name) => [name, spread(e.samples.map((s) => s.extra[name]!))]),
        ),
      };
    });
}

/** `time`: our time over theirs, less is better. `speed`: their time over ours, more is better. */
export type RatioKind = 'time' | 'speed';

export interface Ratio {
  readonly case: string;
  readonly ours: string;
  readonly peer: string;
  readonly threads: number;
  readonly of: 'cpu' | 'wall';
  /** Over rounds that both have. */
  readonly ratio: Spread;
}

export function ratiosOf(entries: readonly Entry[], kind: RatioKind): Ratio[] {
  const out: Ratio[] = [];
  for (const us of entries.filter((e) => e.ours)) {
    for (const peer of entries) {
      if (peer.ours || peer.case !== us.case || peer.threads !== us.threads) continue;
      const of = timeOf(us);
      const values = us.samples.slice(0, peer.samples.length).map((s, i) => {
        const theirs = peer.samples[i]![of];
        return kind === 'time' ? s[of] / theirs : theirs / s[of];
      });
      if (values.length === 0) continue;
      out.push({
        ...{ case: us.case, ours: us.name, peer: peer.name, threads: us.threads, of },
        ratio: spread(values),
      });
    }
  }
  return out;
}

/** Whether a contestant's numbers are those of our first build. */
export interface Check {
  readonly case: string;
  readonly name: string;
  readonly threads: number;
  /** Largest difference, relative to numbers above 1. */
  readonly difference: number;
  readonly ok: boolean;
}

export function checksOf(entries: readonly Entry[], tolerance: number): Check[] {
  const out: Check[] = [];
  for (const name of new Set(entries.map((e) => e.case))) {
    const all = entries.filter((e) => e.case === name && e.error === null && e.check.length > 0);
    const reference = all[0];
    if (reference === undefined) continue;
    for (const entry of all.slice(1)) {
      const difference = distance(reference.check, entry.check);
      out.push({
        ...{ case: name, name: entry.name, threads: entry.threads, difference },
        ok: difference <= tolerance,
      });
    }
  }
  return out;
}

function distance(a: readonly number[], b: readonly number[]): number {
  if (a.length !== b.length) return Number.POSITIVE_INFINITY;
  const each = a.map((x, i) => Math.abs(x - b[i]!) / Math.max(1, Math.abs(x)));
  return each.some(Number.isNaN) ? Number.POSITIVE_INFINITY : Math.max(...each);
}
