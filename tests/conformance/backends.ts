/** Backends by the name that the command line gives. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import type { GpuMode } from '@loretta-ts/backend-gpu';
import type { Backend } from '@loretta-ts/core';

/**
 * `cpu`, `reference` or `gpu:MODE`; null for a name that there is not.
 * @throws BackendError for a mode that there is not, or that cannot run here
 */
export async function backendByName(name: string): Promise<Backend | null> {
  if (name === 'cpu') return cpu();
  if (name === 'reference') return referenceBackend();
  const mode = /^gpu:(.+)$/.exec(name)?.[1];
  if (mode === undefined) return null;
  // loaded where it is wanted: gpu.js is large
  const { gpu } = await import('@loretta-ts/backend-gpu');
  return await gpu({ mode: mode as GpuMode, require: true });
}
