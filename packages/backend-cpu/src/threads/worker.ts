/** What a worker runs. Bundled into `worker.generated.ts` by scripts/build-wasm.mjs, so that every bundler takes it. */
import { controlOf, type Export, Word, work } from './control';

/** What the main thread hands over. */
export interface Post {
  readonly module: WebAssembly.Module;
  readonly memory: WebAssembly.Memory;
  readonly control: SharedArrayBuffer;
  /** Exports of the module in the order of their indices. */
  readonly names: readonly string[];
  /** Working memory of this thread. */
  readonly scratch: number;
  /** Looks at the job counter before it sleeps. */
  readonly spins: number;
}

function serve({ module, memory, control, names, scratch, spins }: Post): void {
  const { exports } = new WebAssembly.Instance(module, { env: { memory } });
  const kernels = names.map((name) => exports[name] as Export);
  (exports['setScratch'] as Export)(scratch);
  const block = controlOf(control);
  const { words } = block;
  let seen = 0;
  for (;;) {
    let left = spins;
    while (Atomics.load(words, Word.job) === seen && left > 0) left--;
    if (left === 0) {
      Atomics.add(words, Word.asleep, 1);
      Atomics.wait(words, Word.job, seen);
      Atomics.sub(words, Word.asleep, 1);
    }
    seen = Atomics.load(words, Word.job);
    Atomics.add(words, Word.inside, 1);
    // a late comer finds the job closed, or the next one open: both are fine
    if (Atomics.load(words, Word.open) === 1) {
      try {
        work(block, kernels);
      } catch {
        Atomics.store(words, Word.failed, 1);
      }
    }
    Atomics.sub(words, Word.inside, 1);
    if (Atomics.load(words, Word.open) === 0) Atomics.notify(words, Word.inside);
  }
}

const scope = globalThis as unknown as {
  onmessage?: (event: { data: Post }) => void;
  workerData?: Post;
};
if (scope.workerData !== undefined) serve(scope.workerData);
else scope.onmessage = ({ data }) => serve(data);
