/** Starts workers, in Node and in browsers, from a source that is part of this package. */
import type { Post } from './worker';
import { workerSource } from './worker.generated';

/** A running worker. */
export interface Hand {
  terminate(): void;
}

interface NodeThreads {
  readonly Worker: new (
    source: URL,
    options: { workerData: Post; execArgv: string[]; stdin: boolean },
  ) => {
    unref(): void;
    on(event: 'error' | 'exit', listener: () => void): void;
    terminate(): Promise<number>;
  };
}

interface Host {
  readonly process?: { getBuiltinModule?(name: string): unknown };
  readonly Worker?: new (
    url: string,
  ) => { postMessage(message: Post): void; terminate(): void; onerror: (() => void) | null };
  readonly crossOriginIsolated?: boolean;
  readonly navigator?: { readonly hardwareConcurrency?: number };
}

const host = globalThis as Host;

function builtin<T>(name: string): T | null {
  return (host.process?.getBuiltinModule?.(name) as T | undefined) ?? null;
}

/** Threads that run at the same time here. */
export function hostThreads(): number {
  const os = builtin<{ availableParallelism(): number }>('node:os');
  return os?.availableParallelism() ?? host.navigator?.hardwareConcurrency ?? 1;
}

/** Why there can be no threads here; null when there can. */
export function threadsRefused(): string | null {
  if (typeof SharedArrayBuffer === 'undefined') return 'there is no SharedArrayBuffer';
  if (builtin('node:worker_threads') !== null) return null;
  if (host.Worker === undefined) return 'there are no workers';
  return host.crossOriginIsolated === true ? null : 'the page is not cross-origin isolated';
}

/** Starts a worker that does not keep the process alive. `failed` is called when it dies. */
export function spawn(post: Post, failed: () => void): Hand {
  const node = builtin<NodeThreads>('node:worker_threads');
  if (node !== null) {
    const prelude =
      "import { workerData } from 'node:worker_threads'; globalThis.workerData = workerData;\n";
    const url = new URL(`data:text/javascript,${encodeURIComponent(prelude + workerSource)}`);
    const worker = new node.Worker(url, { workerData: post, execArgv: [], stdin: false });
    worker.on('error', failed);
    worker.on('exit', failed);
    worker.unref();
    return { terminate: () => void worker.terminate() };
  }
  const url = URL.createObjectURL(new Blob([workerSource], { type: 'text/javascript' }));
  const worker = new host.Worker!(url);
  worker.onerror = failed;
  worker.postMessage(post);
  URL.revokeObjectURL(url);
  return worker;
}
