import threads from 'node:worker_threads';
import { afterEach, describe, expect, it } from 'vitest';
import { Crew, type Job } from '../src/threads/crew';
import type { WasmKernels } from '../src/wasm/kernels.generated';

/** Bodies of a kernel, as WebAssembly code. */
const bodies = {
  returns: [],
  traps: [0x00],
  // loop br 0 end
  hangs: [0x03, 0x40, 0x0c, 0x00, 0x0b],
  // (local i32) loop: local + 1, br_if local < 20,000,000: some 10 ms
  lingers: [
    ...[0x03, 0x40, 0x20, 0x00, 0x41, 0x01, 0x6a, 0x22, 0x00, 0x41, 0x80, 0xda, 0xc4, 0x09, 0x48],
    ...[0x0d, 0x00, 0x0b],
  ],
} as const;

/** A module of `kernel(i32)` with this body, and of `setScratch(i32)` where it is not left out. */
function moduleOf(body: readonly number[], hasScratch = true): WebAssembly.Module {
  const text = (s: string): number[] => [s.length, ...new TextEncoder().encode(s)];
  const section = (id: number, ...content: number[]): number[] => [id, content.length, ...content];
  const code = [0x00, ...body, 0x0b];
  const exported = [
    ...(hasScratch ? [...text('setScratch'), 0x00, 0x00] : []),
    ...[...text('kernel'), 0x00, 0x01],
  ];
  return new WebAssembly.Module(
    new Uint8Array([
      ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00],
      ...section(1, 1, 0x60, 1, 0x7f, 0),
      ...section(2, 1, ...text('env'), ...text('memory'), 0x02, 0x03, 1, 1),
      ...section(3, 2, 0, 0),
      ...section(7, hasScratch ? 2 : 1, ...exported),
      ...section(10, 2, 2, 0x00, 0x0b, code.length, ...code),
    ]),
  );
}

const units = 64;
const job: Job = { kernel: 0, args: [0], steps: [0], countArg: 0, units, perChunk: 1 };

/** Two threads; the caller's own kernel sleeps a millisecond for each chunk, so that the worker finds some. */
function crewOf(
  module: WebAssembly.Module,
  own: (count: number) => void,
  wait = 10_000,
  size = 2,
): Crew {
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
  const kernels = { kernel: own } as unknown as WasmKernels;
  return new Crew(size, module, memory, kernels, ['kernel'], () => 0, wait);
}

const clock = new Int32Array(new SharedArrayBuffer(4));
const linger = (): void => void Atomics.wait(clock, 0, 0, 1);

/** Runs jobs until one throws: a worker takes a while to start. */
async function failure(crew: Crew): Promise<unknown> {
  for (let i = 0; i < 400; i++) {
    try {
      crew.run(job);
    } catch (error) {
      return error;
    }
    await new Promise((done) => setTimeout(done, 5));
  }
  return null;
}

describe('a crew', () => {
  it('shares a job with its worker', async () => {
    let done = 0;
    let least = units;
    const crew = crewOf(moduleOf(bodies.returns), () => {
      done++;
      linger();
    });
    for (let i = 0; i < 400 && least === units; i++) {
      done = 0;
      crew.run(job);
      expect(done).toBeLessThanOrEqual(units);
      least = Math.min(least, done);
      await new Promise((next) => setTimeout(next, 5));
    }
    crew.dispose();
    expect(least).toBeLessThan(units);
  });

  it('reports a kernel that traps in its worker, and goes on', async () => {
    const crew = crewOf(moduleOf(bodies.traps), linger);
    expect(String(await failure(crew))).toMatch(/a kernel failed in a worker thread/);
    expect(String(await failure(crew))).toMatch(/a kernel failed in a worker thread/);
    crew.dispose();
  });

  it('stops waiting for a worker that does not come back, and takes no job afterwards', async () => {
    let calls = 0;
    const crew = crewOf(
      moduleOf(bodies.hangs),
      () => {
        calls++;
        linger();
      },
      200,
    );
    expect(String(await failure(crew))).toMatch(/a worker thread did not come back/);
    calls = 0;
    expect(() => crew.run(job)).toThrow(/a worker thread did not come back/);
    expect(calls).toBe(0);
    crew.dispose();
  });

  it('does the work alone when its worker dies at the start', async () => {
    let done = 0;
    const crew = crewOf(moduleOf(bodies.returns, false), (count) => {
      done += count;
    });
    for (let i = 0; i < 20; i++) {
      done = 0;
      crew.run(job);
      expect(done).toBe(units);
      await new Promise((next) => setTimeout(next, 10));
    }
    crew.dispose();
  });

  describe('with workers that do not start', () => {
    const { Worker } = threads;
    afterEach(() => {
      threads.Worker = Worker;
    });

    it('goes on with the others when one dies, and waits for them as before', async () => {
      let made = 0;
      threads.Worker = class extends Worker {
        constructor(url: URL, options: threads.WorkerOptions) {
          super(made++ === 0 ? new URL('data:text/javascript,throw 1') : url, options);
        }
      };
      let own = 0;
      const count = (): void => {
        own++;
        linger();
      };
      const crew = crewOf(moduleOf(bodies.lingers), count, 10_000, 3);
      crew.run(job);
      while (crew.missing === null) await new Promise((next) => setTimeout(next, 5));
      expect(crew.missing).toBe('a worker thread ended');
      let least = 4;
      for (let i = 0; i < 40; i++) {
        own = 0;
        crew.run({ ...job, units: 4 });
        least = Math.min(least, own);
        await new Promise((next) => setTimeout(next, 5));
      }
      crew.dispose();
      expect(least).toBeLessThan(4); // the other one took part, and was waited for
    });

    it('does the work alone where the host gives no thread, and says so', () => {
      threads.Worker = class extends Worker {
        constructor(url: URL, options: threads.WorkerOptions) {
          super(url, { ...options, argv: 'refused' as never });
        }
      };
      let done = 0;
      const crew = crewOf(moduleOf(bodies.returns), (count) => {
        done += count;
      });
      crew.run(job);
      expect(done).toBe(units);
      expect(crew.missing).toMatch(/^only 0 of 1 worker threads could be started \(.*argv/);
      crew.dispose();
    });
  });
});
