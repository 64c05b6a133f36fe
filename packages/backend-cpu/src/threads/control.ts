/** The memory through which threads agree on work: one job at a time, cut into chunks that anyone may claim. */

/** Words of the control block. */
export const Word = {
  /** Counts jobs; sleepers wait on it. */
  job: 0,
  /** 1 while chunks may be claimed. Arguments only change while it is 0 and nobody is inside. */
  open: 1,
  /** Next chunk. */
  next: 2,
  /** Workers inside the job. */
  inside: 3,
  /** Workers that sleep. */
  asleep: 4,
  /** Index of the kernel. */
  kernel: 5,
  /** Chunks of the job. */
  chunks: 6,
  /** Units of the job. */
  units: 7,
  /** Units of a chunk. */
  perChunk: 8,
  /** Argument that counts units. */
  countArg: 9,
  /** Arguments of the kernel. */
  argCount: 10,
  /** A kernel trapped. */
  failed: 11,
} as const;

const words = 16;
/** The gradient of a scan has 18. */
const mostArgs = 24;

/** Bytes of a control block. */
export const controlBytes: number = words * 4 + 2 * mostArgs * 8;

/** A control block as its typed arrays. */
export interface Control {
  readonly words: Int32Array;
  /** Arguments of the first unit, and what each grows by from unit to unit. */
  readonly args: Float64Array;
  readonly steps: Float64Array;
}

export function controlOf(buffer: SharedArrayBuffer): Control {
  return {
    words: new Int32Array(buffer, 0, words),
    args: new Float64Array(buffer, words * 4, mostArgs),
    steps: new Float64Array(buffer, words * 4 + mostArgs * 8, mostArgs),
  };
}

/** A kernel of the module. */
export type Export = (...args: number[]) => unknown;

/** Claims and runs chunks of the open job until there are none. */
export function work({ words, args, steps }: Control, kernels: readonly Export[]): void {
  const kernel = kernels[words[Word.kernel]!]!;
  const chunks = words[Word.chunks]!;
  const units = words[Word.units]!;
  const per = words[Word.perChunk]!;
  const own = new Array<number>(words[Word.argCount]!);
  for (;;) {
    const chunk = Atomics.add(words, Word.next, 1);
    if (chunk >= chunks) return;
    const begin = chunk * per;
    for (let i = 0; i < own.length; i++) own[i] = args[i]! + steps[i]! * begin;
    own[words[Word.countArg]!] = Math.min(per, units - begin);
    kernel(...own);
  }
}
