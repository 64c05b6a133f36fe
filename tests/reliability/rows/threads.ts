/** Workers that die, or start late: a right result, or an error in time. */
import threads from 'node:worker_threads';
import { cpu } from '@loretta-ts/backend-cpu';
import {
  BackendError,
  exp,
  full,
  type HostRandom,
  matmul,
  setBackend,
  type Tensor,
  tidy,
} from '@loretta-ts/core';
import { eachCase, must, pick, type Row } from '../row';

const FATES = ['late', 'never', 'dies at the start', 'terminated', 'ended in a job'] as const;
type Fate = (typeof FATES)[number];
/** Those that may end inside a job: nobody else is a reason for an error. */
const IN_A_JOB: readonly Fate[] = ['terminated', 'ended in a job'];

/** Milliseconds for a worker inside a kernel, and what a call may take beside them. */
const TIMEOUT = 300;
const SLACK = 5000;

interface Started {
  readonly worker: threads.Worker;
  readonly fate: Fate;
}

/** Ends the thread inside its kernel call of this number. */
const endsInKernel = (calls: number): string => `
const { Instance } = WebAssembly;
let left = ${calls};
const ending = (kernel) => (...args) => {
  if (left-- === 0) process.exit(1);
  return kernel(...args);
};
WebAssembly.Instance = function (module, imports) {
  const { setScratch, ...kernels } = new Instance(module, imports).exports;
  const ended = Object.entries(kernels).map(([name, kernel]) => [name, ending(kernel)]);
  return { exports: { setScratch, ...Object.fromEntries(ended) } };
};
`;

/** Puts workers with a fate in the place of those of Node until it is disposed. */
function fated(
  draw: () => Fate,
  number: () => number,
): Disposable & { readonly started: Started[] } {
  const { Worker } = threads;
  const started: Started[] = [];
  threads.Worker = class extends Worker {
    constructor(url: string | URL, options?: threads.WorkerOptions) {
      const fate = draw();
      const before: Partial<Record<Fate, string>> = {
        late: `Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ${number()});\n`,
        never: 'for (;;);\n',
        'dies at the start': "throw new Error('dies');\n",
        'ended in a job': endsInKernel(number() % 20),
      };
      // imports are hoisted, so what is put in front runs first
      const source = decodeURIComponent(String(url).replace('data:text/javascript,', ''));
      const text = `${before[fate] ?? ''}${source}`;
      super(new URL(`data:text/javascript,${encodeURIComponent(text)}`), options);
      started.push({ worker: this, fate });
    }
  };
  return {
    started,
    [Symbol.dispose]() {
      threads.Worker = Worker;
    },
  };
}

/** Work that is shared out, and its value everywhere. */
const JOBS: readonly (readonly [() => Tensor, number])[] = [
  [() => matmul(full([256, 300], 1), full([300, 256], 1)), 300],
  [() => exp(full([300_000], 0)), 1],
  [() => full([400_000], 2).mul(3).add(1), 7],
];

/** One job: null when it is right, else its error. */
function tryJob(random: HostRandom): BackendError | null {
  const [make, value] = pick(random, JOBS);
  const start = performance.now();
  let error: BackendError | null = null;
  try {
    const wrong = tidy(() => make().dataSync()).findIndex((x) => x !== value);
    must(wrong === -1, () => `element ${wrong} is not ${value}`);
  } catch (found) {
    if (!(found instanceof BackendError)) throw found;
    error = found;
  }
  const took = performance.now() - start;
  must(took < TIMEOUT + SLACK, () => `a call took ${took} ms`);
  return error;
}

const pause = (ms: number): Promise<void> => new Promise((next) => setTimeout(next, ms));

export const threadsRow: Row = {
  name: 'threads',
  holds: 'a worker that dies or is late costs time or is an error, never a hang or a wrong number',
  ci: 10,
  release: 100,
  async check(runs, seed, report) {
    let [errors, jobs, told] = [0, 0, 0];
    await eachCase(runs, seed, report, async (random) => {
      using workers = fated(
        () => pick(random, FATES),
        () => random.int(200),
      );
      const size = 2 + random.int(3);
      const backend = cpu({ simd: 'simd', threads: size, threadTimeout: TIMEOUT });
      setBackend(backend);
      const ends = 1 + random.int(11);
      let over = false;
      for (let i = 0; i < 20; i++) {
        if (i === ends) {
          // it ends while the job runs, or before
          const ending = workers.started
            .filter(({ fate }) => fate === 'terminated')
            .map(({ worker }) => worker.terminate());
          if (random.int(2) === 0) await Promise.all(ending);
        }
        jobs++;
        const error = tryJob(random);
        if (error !== null) {
          errors++;
          over = true;
          must(
            workers.started.some(({ fate }) => IN_A_JOB.includes(fate)),
            () => `no worker ended inside a job, and yet ${error.message}`,
          );
          must(
            error.message.includes('a worker thread did not come back: use { threads: 1 }'),
            () => error.message,
          );
        }
        must(!over || error !== null, () => 'a job runs though a worker may still write');
        await pause(random.int(10));
      }
      // one that was never inside a job long enough may still be there
      const gone = workers.started.some(({ fate }) =>
        ['dies at the start', 'terminated'].includes(fate),
      );
      const isTold = (): boolean =>
        (backend.info().fallbackReason ?? '').includes('a worker thread ended');
      for (let i = 0; gone && !isTold() && i < SLACK / 10; i++) await pause(10);
      must(!gone || isTold(), () => 'that a worker is gone is not told');
      if (gone) told++;
      const start = performance.now();
      await backend.dispose();
      await Promise.all(workers.started.map(({ worker }) => worker.terminate()));
      must(performance.now() - start < SLACK, () => 'the backend does not end');
    });
    report.note('jobs', jobs);
    report.note('errors', errors);
    report.note('cases with a dead worker', told);
  },
};
