/** A backend around another one that says which ops ran: what a profiler or a log begins with. */
import type { Backend, Kernels } from '@loretta-ts/core';

/** How often an op ran, and how many elements it made. */
export interface Count {
  calls: number;
  elements: number;
}

type AnyKernel = (
  ins: Parameters<Kernels['add']>[0],
  outs: Parameters<Kernels['add']>[1],
  attrs: never,
) => void;

/** `backend` with counts of every kernel, in the order of their first calls. */
export function counted(backend: Backend): { backend: Backend; counts: Map<string, Count> } {
  const counts = new Map<string, Count>();
  const watch = (name: string, kernel: AnyKernel): AnyKernel => {
    return (ins, outs, attrs) => {
      const count = counts.get(name) ?? { calls: 0, elements: 0 };
      counts.set(name, count);
      count.calls++;
      for (const out of outs) count.elements += out.size;
      kernel(ins, outs, attrs);
    };
  };
  const kernels = Object.fromEntries(
    Object.entries(backend.kernels).map(([name, kernel]) => [
      name,
      watch(name, kernel as AnyKernel),
    ]),
  ) as unknown as Kernels;
  return { backend: { ...backend, kernels }, counts };
}
