/** The main thread's side: opens jobs, takes part in them, waits for those inside. */
import { BackendError } from '@loretta-ts/core';
import { type Control, controlBytes, controlOf, type Export, Word, work } from './control';
import { type Hand, spawn } from './spawn';
import type { WasmKernels } from '../wasm/kernels.generated';
import type { Post } from './worker';

/** Looks before a thread sleeps: some 20 µs. */
const spins = 4000;

/** A job: the same kernel on ranges of units. */
export interface Job {
  /** Index of the kernel. */
  readonly kernel: number;
  /** Arguments of the first unit. */
  readonly args: readonly number[];
  /** What each argument grows by from unit to unit. */
  readonly steps: readonly number[];
  /** Argument that counts units. */
  readonly countArg: number;
  readonly units: number;
  readonly perChunk: number;
}

/** A fixed number of threads, the caller's among them. Workers start with the first job and end with the process. */
export class Crew {
  readonly size: number;
  readonly #kernels: readonly Export[];
  readonly #control: Control;
  readonly #post: Omit<Post, 'scratch'>;
  readonly #scratch: (worker: number) => number;
  readonly #sleeps: boolean;
  readonly #patience: number;
  #hands: Hand[] | null = null;
  /** Why there are fewer workers than asked for. */
  #missing: string | null = null;
  /** A worker never left a job: its arguments must not change under it. */
  #stuck = false;

  /** @param scratch gives the working memory of worker 0, 1, … @param wait milliseconds for a worker inside a job */
  constructor(
    size: number,
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    wasm: WasmKernels,
    names: readonly string[],
    scratch: (worker: number) => number,
    wait: number,
  ) {
    const control = new SharedArrayBuffer(controlBytes);
    this.size = size;
    const exports = wasm as unknown as Readonly<Record<string, Export>>;
    this.#kernels = names.map((name) => exports[name]!);
    this.#control = controlOf(control);
    this.#post = { module, memory, control, names, spins };
    this.#scratch = scratch;
    this.#patience = wait;
    this.#sleeps = canSleep(this.#control.words);
  }

  /** Why there are fewer workers than asked for; null when there are not. The others do the work. */
  get missing(): string | null {
    return this.#missing;
  }

  /** Starts the workers, once. They take part as soon as they are up. */
  #start(): void {
    if (this.#hands !== null) return;
    this.#hands = [];
    for (let i = 0; i + 1 < this.size; i++) {
      try {
        this.#hands.push(
          spawn({ ...this.#post, scratch: this.#scratch(i) }, () => {
            if (this.#hands?.length !== 0) this.#missing ??= 'a worker thread ended';
          }),
        );
      } catch (error) {
        const message = error instanceof Error ? error.message : String(error);
        this.#missing = `only ${i} of ${this.size - 1} worker threads could be started (${message})`;
        return;
      }
    }
  }

  /**
   * Runs a job on the caller's thread and every worker that is awake in time.
   * @throws BackendError when a kernel trapped in a worker, or a worker does not come back
   */
  run(job: Job): void {
    if (this.#stuck) throw notBack();
    this.#start();
    const { words, args, steps } = this.#control;
    words[Word.kernel] = job.kernel;
    words[Word.chunks] = Math.ceil(job.units / job.perChunk);
    words[Word.units] = job.units;
    words[Word.perChunk] = job.perChunk;
    words[Word.countArg] = job.countArg;
    words[Word.argCount] = job.args.length;
    args.set(job.args);
    steps.set(job.steps);
    Atomics.store(words, Word.next, 0);
    Atomics.store(words, Word.open, 1);
    Atomics.add(words, Word.job, 1);
    if (Atomics.load(words, Word.asleep) > 0) Atomics.notify(words, Word.job);
    try {
      work(this.#control, this.#kernels);
    } finally {
      Atomics.store(words, Word.open, 0);
      this.#join();
    }
    if (Atomics.exchange(words, Word.failed, 0) !== 0) {
      throw new BackendError('cpu', 'a kernel failed in a worker thread: use { threads: 1 }');
    }
  }

  /** Waits until nobody is inside. */
  #join(): void {
    const { words } = this.#control;
    for (let i = 0; i < spins; i++) {
      if (Atomics.load(words, Word.inside) === 0) return;
    }
    const until = performance.now() + this.#patience;
    for (let inside = 1; inside > 0; ) {
      inside = Atomics.load(words, Word.inside);
      if (inside > 0 && this.#sleeps) Atomics.wait(words, Word.inside, inside, 100);
      if (inside > 0 && performance.now() > until) {
        this.#stuck = true;
        throw notBack();
      }
    }
  }

  dispose(): void {
    const hands = this.#hands ?? [];
    this.#hands = [];
    for (const hand of hands) hand.terminate();
  }
}

function notBack(): BackendError {
  return new BackendError('cpu', 'a worker thread did not come back: use { threads: 1 }');
}

/** The main thread of a browser must not sleep. */
function canSleep(words: Int32Array): boolean {
  try {
    Atomics.wait(words, Word.job, -1, 0);
    return true;
  } catch {
    return false;
  }
}
