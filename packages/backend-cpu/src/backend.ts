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
}

const name = 'cpu';
const pageBytes = 65536;
/** Static data of the kernels lie in the first page; then the host's working memory, then that of each thread. */
const hostScratch = pageBytes;
const threadScratch = hostScratch + 640 * 1024;
const threadBytes = 2 * 1024 * 1024;
const mostThreads = 16;
/** 64 KiB of f32: a few of them fit the second cache of a core. */
const cacheBlock = 16384;

interface Choice {
  readonly level: SimdLevel | 'none';
  readonly threads: number;
  readonly reason: string | null;
}

/**
 * A CPU backend, compiled synchronously (about 1 ms).
 * @throws BackendError for an unknown `simd`, `threads` that are no number, or a `maxBytes` that is too small
 */
export function cpu(options: CpuOptions = {}): Backend {
  const chosen = choose(options);
  const { level, threads } = chosen;
  return new CpuBackend(
    options,
    chosen,
    level === 'none' ? null : compileKernels(level, threads > 1),
  );
}

/** As `cpu`, compiled off the main thread where the browser does that. */
export async function cpuAsync(options: CpuOptions = {}): Promise<Backend> {
  const chosen = choose(options);
  const { level, threads } = chosen;
  const module = level === 'none' ? null : await compileKernelsAsync(level, threads > 1);
  return new CpuBackend(options, chosen, module);
}

function choose(options: CpuOptions): Choice {
  const { maxBytes } = options;
  const [level, missing] = chooseLevel(options);
  const [threads, refused] = level === 'none' ? [1, null] : chooseThreads(options);
  const least = threadScratch + threads * threadBytes + pageBytes;
  if (maxBytes !== undefined && !(maxBytes >= least)) {
    throw new BackendError(name, `maxBytes is ${maxBytes}: at least ${least} are needed`);
  }
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

  constructor(options: CpuOptions, chosen: Choice, module: WebAssembly.Module | null) {
    const { threads } = chosen;
    const start = threadScratch + threads * threadBytes;
    const pages = start / pageBytes + 16;
    const maxBytes = options.maxBytes ?? 4 * 1024 ** 3;
    const reference = (): Kernels =>
      referenceKernels((v) => viewOf(v.dtype, this.#memory.buffer, address(v), v.size));
    if (module) {
      const memory = new WebAssembly.Memory({
        initial: pages,
        maximum: Math.floor(maxBytes / pageBytes),
        shared: threads > 1,
      });
      const alone = instantiate(module, memory);
      alone.setScratch(threadScratch);
      this.#memory = memory;
      let wasm = alone;
      if (threads > 1) {
        const scratch = (worker: number): number => threadScratch + (worker + 1) * threadBytes;
        this.#crew = new Crew(threads, module, memory, alone, sharedKernels, scratch);
        wasm = threaded(alone, this.#crew);
      }
      this.kernels = wasmKernels({ wasm, memory, scratch: hostScratch }, reference());
    } else {
      this.#memory = new HostMemory(pages);
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
    return this.#info;
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

function address(v: View): number {
  return (v.buffer as PoolBuffer).ptr + v.offset * bytesPerElement[v.dtype];
}
