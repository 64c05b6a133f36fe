/** The CPU backend: pooled memory, SIMD kernels in WebAssembly, the plain reference for everything else. */
import {
  type Backend,
  type BackendInfo,
  BackendError,
  type Buffer,
  bytesPerElement,
  type DType,
  type Kernels,
  type MemoryInfo,
  type TypedArray,
  type View,
  viewOf,
} from '@loretta-ts/core';
import { HostMemory, Pool, type PoolBuffer, type PoolMemory } from './pool';
import { referenceKernels } from './reference';
import { Crew } from './threads/crew';
import { hostThreads, threadsRefused } from './threads/spawn';
import { sharedKernels, threaded } from './threads/threaded';
import { wasmKernels } from './wasm/kernels';
import {
  compileKernels,
  compileKernelsAsync,
  instantiate,
  type SimdLevel,
  supports,
} from './wasm/module';

/** Options of `cpu` and `cpuAsync`. */
export interface CpuOptions {
  /**
   * `auto` (default) takes the best that the engine has: `relaxed-simd`, `simd`, or `none`, the plain reference. A level
   * that was asked for and is missing falls back; `info().fallbackReason` says so.
   */
  readonly simd?: 'auto' | SimdLevel | 'none';
  /** Limit of the whole memory in bytes; 4 GiB (default) is the most there is. */
  readonly maxBytes?: number;
  /**
   * Threads for large kernels, the caller's among them; `auto` (default) takes one a core, 16 at most. Results do not
   * depend on it. Where there can be no more than one, `info().fallbackReason` says why.
   */
  readonly threads?: number | 'auto';
  /**
   * Milliseconds to wait for a thread that is inside a kernel before the call ends with a BackendError; default 10,000. More
   * than the longest part of a kernel takes.
   */
  readonly threadTimeout?: number;
}

const name = 'cpu';
const pageBytes = 65536;
/** Static data of the kernels lie in the first page; then the host's working memory, then that of each thread. */
const hostScratch = pageBytes;
const threadScratch = hostScratch + 640 * 1024;
const threadBytes = 2 * 1024 * 1024;
const mostThreads = 16;
const threadTimeout = 10_000;
/** What 32 bits address. */
const mostBytes = 4 * 1024 ** 3;
/** 64 KiB of f32: a few of them fit the second cache of a core. */
const cacheBlock = 16384;

interface Choice {
  readonly level: SimdLevel | 'none';
  readonly threads: number;
  readonly reason: string | null;
}

/** What runs, and the memory that the engine gave for it. */
interface Afforded extends Choice {
  /** Null without WebAssembly. */
  readonly memory: WebAssembly.Memory | null;
}

/**
 * A CPU backend, compiled synchronously (about 1 ms). Where the engine refuses shared memory there is one thread, where it
 * refuses WebAssembly the plain reference, and `info().fallbackReason` says so.
 * @throws BackendError for an unknown `simd`, `threads` that are no number, or a `maxBytes` that is too small
 */
export function cpu(options: CpuOptions = {}): Backend {
  const afforded = afford(choose(options), options);
  const { level, threads } = afforded;
  if (level === 'none') return new CpuBackend(options, afforded, null);
  let module: WebAssembly.Module;
  try {
    module = compileKernels(level, threads > 1);
  } catch (error) {
    return new CpuBackend(options, uncompiled(afforded, error), null);
  }
  return new CpuBackend(options, afforded, module);
}

/** As `cpu`, compiled off the main thread where the browser does that. */
export async function cpuAsync(options: CpuOptions = {}): Promise<Backend> {
  const afforded = afford(choose(options), options);
  const { level, threads } = afforded;
  if (level === 'none') return new CpuBackend(options, afforded, null);
  let module: WebAssembly.Module;
  try {
    module = await compileKernelsAsync(level, threads > 1);
  } catch (error) {
    return new CpuBackend(options, uncompiled(afforded, error), null);
  }
  return new CpuBackend(options, afforded, module);
}

/** The choice with its memory, or a lesser one where the engine refuses that. */
function afford(chosen: Choice, { maxBytes }: CpuOptions): Afforded {
  const { level, threads } = chosen;
  if (level === 'none') return { ...chosen, memory: null };
  try {
    const memory = new WebAssembly.Memory({
      initial: startOf(threads) / pageBytes + 16,
      maximum: Math.min(Math.floor((maxBytes ?? mostBytes) / pageBytes), mostBytes / pageBytes),
      shared: threads > 1,
    });
    return { ...chosen, memory };
  } catch (error) {
    if (threads > 1) {
      const reason = because(chosen, `one thread: shared memory was refused (${told(error)})`);
      return afford({ level, threads: 1, reason }, maxBytes === undefined ? {} : { maxBytes });
    }
    const reason = because(chosen, `no WebAssembly: its memory was refused (${told(error)})`);
    return { level: 'none', threads: 1, reason, memory: null };
  }
}

/** A policy of the page may forbid it. */
function uncompiled(chosen: Choice, error: unknown): Afforded {
  const reason = because(chosen, `no WebAssembly: it was refused (${told(error)})`);
  return { level: 'none', threads: 1, reason, memory: null };
}

function because({ reason }: Choice, more: string): string {
  return reason === null ? more : `${reason}; ${more}`;
}

function told(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Where the pool begins. */
function startOf(threads: number): number {
  return threadScratch + threads * threadBytes;
}

function choose(options: CpuOptions): Choice {
  const { maxBytes } = options;
  const [level, missing] = chooseLevel(options);
  const [threads, refused] = level === 'none' ? [1, null] : chooseThreads(options);
  const least = startOf(threads) + pageBytes;
  if (maxBytes !== undefined && !(maxBytes >= least)) {
    throw new BackendError(name, `maxBytes is ${maxBytes}: at least ${least} are needed`);
  }
  const { threadTimeout: wait = threadTimeout } = options;
  if (!(wait > 0)) throw new BackendError(name, `threadTimeout is ${wait}: milliseconds from 1`);
  const reasons = [missing, refused].filter((reason) => reason !== null);
  return { level, threads, reason: reasons.length === 0 ? null : reasons.join('; ') };
}

function chooseLevel({ simd = 'auto' }: CpuOptions): [SimdLevel | 'none', string | null] {
  if (!['auto', 'relaxed-simd', 'simd', 'none'].includes(simd)) {
    throw new BackendError(
      name,
      `unknown simd ${JSON.stringify(simd)}: auto, relaxed-simd, simd or none`,
    );
  }
  if (simd === 'none') return ['none', null];
  if (simd !== 'simd' && supports('relaxed-simd')) return ['relaxed-simd', null];
  if (supports('simd')) {
    const missing = 'the engine does not validate relaxed SIMD (Node 20 needs a V8 flag)';
    return ['simd', simd === 'simd' ? null : missing];
  }
  const missing = typeof WebAssembly === 'undefined' ? 'WebAssembly' : 'WebAssembly SIMD';
  return ['none', `the engine has no ${missing}`];
}

function chooseThreads({ threads = 'auto' }: CpuOptions): [number, string | null] {
  const valid = threads === 'auto' || (Number.isInteger(threads) && threads >= 1);
  if (!valid || (threads !== 'auto' && threads > mostThreads)) {
    throw new BackendError(
      name,
      `threads is ${JSON.stringify(threads)}: 'auto', or an integer from 1 to ${mostThreads}`,
    );
  }
  const wanted = threads === 'auto' ? Math.min(mostThreads, hostThreads()) : threads;
  if (wanted === 1) return [1, null];
  const refused = threadsRefused();
  return refused === null ? [wanted, null] : [1, `one thread: ${refused}`];
}

class CpuBackend implements Backend {
  readonly name: string = name;
  readonly dtypes: readonly DType[] = ['f32', 'f64', 'i32', 'bool'];
  readonly fusedDTypes: readonly DType[];
  readonly syncRead = true;
  readonly blockElements?: number;
  readonly kernels: Kernels;
  readonly #info: BackendInfo;
  readonly #memory: PoolMemory;
  readonly #pool: Pool;
  readonly #crew: Crew | null = null;

  constructor(options: CpuOptions, chosen: Afforded, module: WebAssembly.Module | null) {
    const { threads, memory } = chosen;
    const start = startOf(threads);
    const maxBytes = options.maxBytes ?? mostBytes;
    const reference = (): Kernels =>
      referenceKernels((v) => viewOf(v.dtype, this.#memory.buffer, address(v), v.size));
    if (module && memory) {
      const alone = instantiate(module, memory);
      alone.setScratch(threadScratch);
      this.#memory = memory;
      let wasm = alone;
      if (threads > 1) {
        const scratch = (worker: number): number => threadScratch + (worker + 1) * threadBytes;
        this.#crew = new Crew(
          ...([threads, module, memory, alone, sharedKernels, scratch] as const),
          options.threadTimeout ?? threadTimeout,
        );
        wasm = threaded(alone, this.#crew);
      }
      this.kernels = wasmKernels({ wasm, memory, scratch: hostScratch }, reference());
    } else {
      this.#memory = hostMemory(start / pageBytes + 16);
      this.kernels = reference();
    }
    // on more threads each op is cut among them instead
    if (threads === 1) this.blockElements = cacheBlock;
    this.fusedDTypes = module ? ['f32'] : [];
    this.#pool = new Pool(this.#memory, start, name, maxBytes);
    this.#info = {
      executor: module ? 'wasm-simd' : 'reference',
      threads,
      simd: chosen.level,
      device: null,
      fallbackReason: chosen.reason,
    };
  }

  info(): BackendInfo {
    const missing = this.#crew?.missing ?? null;
    const { fallbackReason: reason } = this.#info;
    if (missing === null) return this.#info;
    return { ...this.#info, fallbackReason: reason === null ? missing : `${reason}; ${missing}` };
  }

  alloc(size: number, dtype: DType): Buffer {
    return this.#pool.alloc(size * bytesPerElement[dtype]);
  }

  free(buffer: Buffer): void {
    this.#pool.free(buffer);
  }

  write(buffer: Buffer, offset: number, data: TypedArray): void {
    const width = data.BYTES_PER_ELEMENT;
    const from = this.#range(buffer, 'write', offset * width, data.byteLength);
    new Uint8Array(this.#memory.buffer, from, data.byteLength).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
    );
  }

  async read(buffer: Buffer, dtype: DType, offset: number, size: number): Promise<TypedArray> {
    return this.readSync(buffer, dtype, offset, size);
  }

  readSync(buffer: Buffer, dtype: DType, offset: number, size: number): TypedArray {
    const width = bytesPerElement[dtype];
    const from = this.#range(buffer, 'read', offset * width, size * width);
    return viewOf(dtype, this.#memory.buffer, from, size).slice();
  }

  memory(): MemoryInfo {
    return this.#pool.info();
  }

  async dispose(): Promise<void> {
    this.#crew?.dispose();
    this.#pool.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.dispose();
  }

  /** Address of a range that lies inside a live buffer of ours. */
  #range(buffer: Buffer, op: string, start: number, bytes: number): number {
    const block = this.#pool.own(buffer, op);
    if (!(start >= 0 && start + bytes <= block.bytes)) {
      throw new BackendError(
        name,
        `${op}: bytes ${start} to ${start + bytes} of a buffer of ${block.bytes}`,
      );
    }
    return block.ptr + start;
  }
}

/** @throws BackendError when the host has no memory at all */
function hostMemory(pages: number): HostMemory {
  try {
    return new HostMemory(pages);
  } catch (error) {
    throw new BackendError(name, `no room for ${pages * pageBytes} bytes: ${told(error)}`);
  }
}

function address(v: View): number {
  return (v.buffer as PoolBuffer).ptr + v.offset * bytesPerElement[v.dtype];
}
