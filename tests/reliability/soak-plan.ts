/** What goes wrong in a soak, and where: drawn once, so that it can be repeated. */
import { type HostRandom, hostRandom } from '@loretta-ts/core';
import { pick } from './row';
import { STEPS } from './soak-training';
import { WRITE_STEPS, type WriteStep } from './write-faults';

/** What a process survives. `write`, `fsync` and `rename` are of a save that the disk refuses there. */
export const FAULTS = [
  ...(['not a number', 'too large', 'aborted', 'cut checkpoint', 'no folder'] as const),
  ...(['write', 'fsync', 'rename'] as const),
];
export type Fault = (typeof FAULTS)[number];

/** Where a process dies: before a step, behind the last one, while it saves, or at any moment. */
export type Moment = number | 'evaluate' | 'generate' | WriteStep | 'any';

/** The end of a process: in the first round from `round` on that it runs. */
export interface Kill {
  readonly round: number;
  readonly moment: Moment;
  /** Milliseconds into the round, of `any`. */
  readonly delay: number;
}

/** What a process prints when it is to be killed from outside. */
export const DYING = 'dying';

/** What a process of a soak is told. Plain JSON. */
export interface Life {
  readonly seed: number;
  readonly rounds: number;
  readonly path: string;
  /** Fault of each round. */
  readonly faults: readonly (Fault | null)[];
  readonly kill: Kill | null;
}

/** What a process prints behind each round. */
export interface RoundReport {
  readonly round: number;
  /** Loss, norm and transitive batches of each step, then what was evaluated and generated. */
  readonly steps: readonly (readonly number[])[];
  readonly nats: readonly number[];
  readonly generated: readonly number[];
  /** The fault that was met, and overcome. */
  readonly fault: Fault | null;
  /** Bytes of the process, behind a collection of garbage. */
  readonly rss: number;
  /** Live buffers of the backend, and their bytes. */
  readonly buffers: number;
  readonly bytes: number;
}

const MOMENTS = ['evaluate', 'generate', ...WRITE_STEPS, 'any'] as const;

function drawKill(random: HostRandom, round: number): Kill {
  const moment = random.int(4) === 0 ? random.int(STEPS) : pick(random, MOMENTS);
  return { round, moment, delay: random.int(400) };
}

/**
 * Faults in about half of the rounds, each kind once at least where there are rounds enough, and kills in the first
 * half, so that the last process lives long enough to be measured.
 */
export function drawPlan(
  seed: number,
  rounds: number,
): { readonly faults: (Fault | null)[]; readonly kills: Kill[] } {
  const random = hostRandom(seed);
  const faults = Array.from({ length: rounds }, (_, i): Fault | null => {
    if (i % 2 === 0) return null;
    const nth = (i - 1) / 2;
    return nth < FAULTS.length ? FAULTS[nth]! : pick(random, FAULTS);
  });
  const half = Math.floor(rounds / 2);
  const kills = Array.from({ length: Math.max(1, Math.floor(half / 4)) }, () => random.int(half))
    .sort((a, b) => a - b)
    .map((round) => drawKill(random, round));
  return { faults, kills };
}
