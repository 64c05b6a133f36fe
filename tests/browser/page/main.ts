/** What a test asks the page to do, by name; arguments and answers are JSON. */
import { cpu } from '@loretta-ts/backend-cpu';
import { type GpuBackend, type GpuMode, gpu } from '@loretta-ts/backend-gpu';
import { setBackend, sum, tensor } from '@loretta-ts/core';
import { type Failure, runGroup } from '../../conformance/runner';
import { groupNames, readGroup } from '../../conformance/format';
import { arithmetic } from '../../gpu/arithmetic';
import { decoderRun, lorettaRun } from '../../gpu/runs';
import { mount } from './files';

/** Where the conformance files are mounted. */
const folder = '/conformance';

async function on<T>(mode: GpuMode, work: (backend: GpuBackend) => Promise<T>): Promise<T> {
  const backend = await gpu({ mode, require: true });
  try {
    return await work(backend);
  } finally {
    await backend.dispose();
  }
}

const jobs = {
  /** Losses of the small decoder on the CPU backend, and what it ran on. */
  async cpu(threads: number, steps: number) {
    const backend = cpu({ threads });
    const info = backend.info();
    const losses = await decoderRun(backend, steps);
    await backend.dispose();
    return { info, losses, isolated: globalThis.crossOriginIsolated };
  },
  info: (mode: GpuMode) => on(mode, async (backend) => backend.info()),
  decoder: (mode: GpuMode, steps: number) => on(mode, (backend) => decoderRun(backend, steps)),
  loretta: (mode: GpuMode) => on(mode, lorettaRun),
  arithmetic: (mode: GpuMode) => on(mode, arithmetic),
  /** Loses the WebGL context between two sums. What was thrown, and the first sum. */
  async lost() {
    let context: WebGL2RenderingContext | null = null;
    const restore = [OffscreenCanvas.prototype, HTMLCanvasElement.prototype].map((canvas) => {
      const { getContext } = canvas;
      canvas.getContext = function (this: object, ...args: never[]) {
        const made: unknown = Reflect.apply(getContext, this, args);
        if (made instanceof WebGL2RenderingContext) context = made;
        return made;
      } as never;
      return () => {
        canvas.getContext = getContext as never;
      };
    });
    const backend = await gpu({ mode: 'webgl2', require: true });
    for (const undo of restore) undo();
    setBackend(backend);
    const x = tensor([1, 2, 3]);
    const before = await sum(x).item();
    const waiting = sum(x);
    (context as WebGL2RenderingContext | null)!.getExtension('WEBGL_lose_context')!.loseContext();
    const told: string[] = [];
    for (const attempt of [() => waiting.item(), async () => sum(x).item()]) {
      await attempt().then(
        () => told.push('nothing'),
        (error: Error) => told.push(`${error.name}: ${error.message}`),
      );
    }
    return { before, told };
  },
  /** Fetches the shared vectors. Their groups. */
  async groups() {
    mount(await (await fetch('/conformance.json')).json());
    return groupNames(folder);
  },
  /** Runs groups of the conformance vectors. */
  conformance: (mode: GpuMode, groups: readonly string[]) =>
    on(mode, async (backend) => {
      let passed = 0;
      const failures: Failure[] = [];
      for (const name of groups) {
        const report = await runGroup(readGroup(folder, name), { backend, precision: 'f32' });
        passed += report.passed;
        failures.push(...report.failures);
      }
      return { passed, failures };
    }),
};

export type Jobs = typeof jobs;

Object.assign(globalThis, { jobs });
