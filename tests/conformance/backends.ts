/** Backends by the name that the command line gives. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import type { Backend } from '@loretta-ts/core';

/** What the GPU package exports once it has a backend. */
interface GpuModule {
  readonly gpu?: (options: {
    readonly mode: string;
    readonly require: boolean;
  }) => Backend | Promise<Backend>;
}

/** `cpu`, `reference` or `gpu:MODE`; null for a name that there is not. */
export async function backendByName(name: string): Promise<Backend | null> {
  if (name === 'cpu') return cpu();
  if (name === 'reference') return referenceBackend();
  const mode = /^gpu:(.+)$/.exec(name)?.[1];
  if (mode === undefined) return null;
  const { gpu } = (await import('@loretta-ts/backend-gpu')) as GpuModule;
  return gpu === undefined ? null : await gpu({ mode, require: true });
}
