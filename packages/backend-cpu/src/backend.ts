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
}

const name = 'cpu';
const pageBytes = 65536;
/** Static data of the kernels lie in the first page; then the panels of products, then the rest's working memory. */
const scratchStart = pageBytes;
const panelBytes = 1280 * 1024;
const scratchBytes = 2 * 1024 * 1024;

interface Level {
  readonly level: SimdLevel | 'none';
  readonly reason: string | null;
}

/**
 * A CPU backend, compiled synchronously (about 1 ms).
 * @throws BackendError for an unknown `simd` or a `maxBytes` that is too small
 */
export function cpu(options: CpuOptions = {}): Backend {
  const chosen = choose(options);
  return new CpuBackend(
    options,
    chosen,
    chosen.level === 'none' ? null : compileKernels(chosen.level),
  );
}

/** As `cpu`, compiled off the main thread where the browser does that. */
export async function cpuAsync(options: CpuOptions = {}): Promise<Backend> {
  const chosen = choose(options);
  const module = chosen.level === 'none' ? null : await compileKernelsAsync(chosen.level);
  return new CpuBackend(options, chosen, module);
}

function choose({ simd = 'auto', maxBytes }: CpuOptions): Level {
  if (!['auto', 'relaxed-simd', 'simd', 'none'].includes(simd)) {
    throw new BackendError(
      name,
      `unknown simd ${JSON.stringify(simd)}: auto, relaxed-simd, simd or none`,
    );
  }
  const least = scratchStart + scratchBytes + pageBytes;
  if (maxBytes !== undefined && !(maxBytes >= least)) {
    throw new BackendError(name, `maxBytes is ${maxBytes}: at least ${least} are needed`);
  }
  if (simd === 'none') return { level: 'none', reason: null };
  if (simd !== 'simd' && supports('relaxed-simd')) return { level: 'relaxed-simd', reason: null };
  if (supports('simd')) {
    const reason =
      simd === 'simd'
        ? null
        : 'the engine does not validate relaxed SIMD (Node 20 needs a V8 flag)';
    return { level: 'simd', reason };
  }
  const missing = typeof WebAssembly === 'undefined' ? 'WebAssembly' : 'WebAssembly SIMD';
  return { level: 'none', reason: `the engine has no ${missing}` };
}

class CpuBackend implements Backend {
  readonly name: string = name;
  readonly dtypes: readonly DType[] = ['f32', 'f64', 'i32', 'bool'];
  readonly fusedDTypes: readonly DType[];
  readonly syncRead = true;
  readonly kernels: Kernels;
  readonly #info: BackendInfo;
  readonly #memory: PoolMemory;
  readonly #pool: Pool;

  constructor(options: CpuOptions, chosen: Level, module: WebAssembly.Module | null) {
    const pages = (scratchStart + scratchBytes) / pageBytes + 16;
    const maxBytes = options.maxBytes ?? 4 * 1024 ** 3;
    const reference = (): Kernels =>
      referenceKernels((v) => viewOf(v.dtype, this.#memory.buffer, address(v), v.size));
    if (module) {
      const memory = new WebAssembly.Memory({
        initial: pages,
        maximum: Math.floor(maxBytes / pageBytes),
      });
      const wasm = instantiate(module, memory);
      wasm.setScratch(scratchStart);
      this.#memory = memory;
      const scratch = scratchStart + panelBytes;
      this.kernels = wasmKernels({ wasm, memory, scratch }, reference());
    } else {
      this.#memory = new HostMemory(pages);
      this.kernels = reference();
    }
    this.fusedDTypes = module ? ['f32'] : [];
    this.#pool = new Pool(this.#memory, scratchStart + scratchBytes, name, maxBytes);
    this.#info = {
      executor: module ? 'wasm-simd' : 'reference',
      threads: 1,
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
    this.#pool.dispose();
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
