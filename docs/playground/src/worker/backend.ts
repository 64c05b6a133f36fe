/** Opens the backend that was asked for, never another one. */
import { cpu } from '@loretta-ts/backend-cpu';
import { gpu } from '@loretta-ts/backend-gpu';
import { type BackendInfo, setBackend } from '@loretta-ts/core';
import type { BackendChoice } from '../protocol';

/** What runs, in words. */
export interface Machine {
  readonly machine: string;
  readonly note: string | null;
}

/** Makes a backend the default of this worker. @throws BackendError when it cannot run here */
export async function openBackend(choice: BackendChoice, threads: 1 | 'auto'): Promise<Machine> {
  const backend = choice === 'cpu' ? cpu({ threads }) : await gpu({ mode: choice, require: true });
  setBackend(backend);
  const info = backend.info();
  return { machine: words(choice, info), note: info.fallbackReason };
}

function words(choice: BackendChoice, { executor, simd, threads, device }: BackendInfo): string {
  if (choice !== 'cpu') return [executor, device].filter((part) => part !== null).join(' · ');
  return `CPU · ${simd ?? executor} · ${threads} thread${threads === 1 ? '' : 's'}`;
}
