/** The backend: a gpu.js mode, its memory and its kernels. */
import {
  type Backend,
  BackendError,
  type BackendInfo,
  type Kernels,
  type MemoryInfo,
} from '@loretta-ts/core';
import { Constants } from './constants';
import type { DeviceCounts } from './device';
import { type Executor, executorOn } from './executor';
import { type GpuMode, gpuModes, loadGpuJs, residence } from './gpu-js';
import { gpuKernels, kernelNames } from './kernels/table';
import { Memory } from './memory';
import { type Opened, openMode } from './open-mode';
import { Replayer } from './replay';
import { maxElements } from './source';

/** What `gpu` is asked for. */
export interface GpuOptions {
  /** The executor, by gpu.js's name for it. */
  readonly mode: GpuMode;
  /**
   * Throw where the mode cannot run. Without it the next of webgpu, webgl2, webgl, headlessgl, webasm, cpu runs, and `info()`
   * says why.
   */
  readonly require?: boolean;
}

export interface GpuInfo extends BackendInfo {
  /** What kernels calculate in. Memory is f32 always. */
  readonly precision: 'f32' | 'f64 inside a kernel, stored as f32';
  /** Largest texture side or buffer of the device, by the name that its API has; and elements of a tensor. */
  readonly limits: Readonly<Record<string, number>>;
}

/**
 * A backend on gpu.js: f32, bool, and i32 within ±(2^24 - 1), at most 2^24 elements a tensor. Larger integers (keys, random
 * bits) stay on the host, where `randomBits` and their `remainder` run; every other op throws for them.
 */
export interface GpuBackend extends Backend {
  info(): GpuInfo;
  /** What the device has done so far, and what it holds. */
  counts(): DeviceCounts;
}

/**
 * A backend on gpu.js, which is loaded here. Modes `cpu` and `webasm` run on the host, the GL modes (`webgl`, `webgl2`,
 * `headlessgl`) at once on textures; `webgpu` runs in a queue: `readSync` is absent, and what fails on the device (a bad
 * index, an i32 out of range) is thrown by the read of a value that depends on it. After a lost context everything throws.
 * @throws BackendError when gpu.js is missing, for an unknown mode, and, with `require`, when the mode cannot run
 */
export async function gpu({ mode, require = false }: GpuOptions): Promise<GpuBackend> {
  if (!gpuModes.includes(mode)) {
    throw new BackendError('gpu', `unknown mode ${JSON.stringify(mode)}: ${gpuModes.join(', ')}`);
  }
  const opened = await openMode(await loadGpuJs(), mode, require);
  return backendOn(executorOn(opened.device), opened);
}

/** Names of the ops that have a kernel; other fused ops run on them by decomposition. */
export function supportedOps(): readonly string[] {
  return kernelNames();
}

function backendOn(executor: Executor, { device, name, fallbackReason }: Opened): GpuBackend {
  const { mode } = device;
  const memory = new Memory(executor);
  const constants = new Constants(executor);
  const packs = residence(mode) === 'texture' ? (device.context?.limits['maxTextureSize'] ?? 0) : 0;
  const context = { executor, memory, constants, packs };
  const kernels: Kernels = gpuKernels(context);
  const replayer = new Replayer(context, gpuKernels);
  const info: GpuInfo = {
    executor: `gpu.js ${mode}`,
    threads: 1,
    simd: null,
    device: name,
    fallbackReason,
    precision: mode === 'cpu' ? 'f64 inside a kernel, stored as f32' : 'f32',
    limits: { ...device.context?.limits, maxElements },
  };
  const syncRead = executor.readSync !== null;
  return {
    name: 'gpu',
    kernels,
    dtypes: ['f32', 'i32', 'bool'],
    fusedDTypes: ['f32'],
    wholeArrays: true,
    prepare: (...args) => replayer.prepare(...args),
    syncRead,
    info: () => info,
    counts: () => device.counts,
    alloc: (size, dtype) => memory.alloc(size, dtype),
    free: (buffer) => memory.free(buffer),
    write: (buffer, offset, data) => memory.write(buffer, offset, data),
    read: (buffer, dtype, offset, size) => memory.read(buffer, dtype, offset, size),
    ...(syncRead && {
      readSync: (...args: Parameters<Memory['readSync']>) => memory.readSync(...args),
    }),
    memory: (): MemoryInfo => memory.info(),
    async dispose(): Promise<void> {
      memory.dispose();
      await executor.dispose();
    },
    [Symbol.asyncDispose](): Promise<void> {
      return this.dispose();
    },
  };
}
