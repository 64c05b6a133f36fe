/** The kernels once more, with large calls shared out among the crew. */
import type { WasmKernels } from '../wasm/kernels.generated';
import type { Export } from './control';
import type { Crew } from './crew';
import { type Cut, cutters } from './split';

/** Work in ns below which one thread is as fast: a job costs some microseconds, and some 20 when workers sleep. */
const least = 100_000;
/** No chunk is shorter, ns. */
const leastChunk = 20_000;

/** Kernels by their index in the crew. */
export const sharedKernels: readonly string[] = Object.keys(cutters);

/** Units of a chunk, or 0 where the work is not worth sharing. */
function chunkSize({ units, multiple, perThread }: Cut, cost: number, threads: number): number {
  const chunks = Math.min(threads * perThread, Math.floor(cost / leastChunk));
  const per = Math.ceil(units / chunks / multiple) * multiple;
  return per < units ? per : 0;
}

/** Calls with less than 100 µs of work stay on the caller's thread. */
export function threaded(wasm: WasmKernels, crew: Crew): WasmKernels {
  const kernels = { ...wasm } as unknown as Record<string, Export>;
  Object.values(cutters).forEach((cutter, kernel) => {
    const name = sharedKernels[kernel]!;
    const alone = kernels[name]!;
    kernels[name] = (...given) => {
      const cost = cutter.cost(given);
      if (cost < least) return alone(...given);
      const args = given.map(Number);
      const cut = cutter.cut(args);
      const perChunk = chunkSize(cut, cost, crew.size);
      if (perChunk === 0) return alone(...given);
      const { steps, countArg, units } = cut;
      return crew.run({ kernel, args, steps, countArg, units, perChunk });
    };
  });
  return kernels as unknown as WasmKernels;
}
