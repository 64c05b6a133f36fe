/** The backend: a gpu.js mode, its memory and its kernels. */
import {
  type Backend,
  BackendError,
  type BackendInfo,
  type Kernels,
  type MemoryInfo,
} from '@loretta-ts/core';
import { type Found, chooseMode, isDeviceMode } from './choose-mode';
import { Device, type DeviceMode, isSupported, loadGpuJs } from './device';
import { type Executor, immediateExecutor, queuedExecutor } from './executor';
import { gpuKernels, kernelNames } from './kernels/table';
import { Memory } from './memory';

/** Modes by the names that gpu.js gives them. `webgl`, `webgl2` and `headlessgl` are not supported yet and throw. */
export type GpuMode = DeviceMode | 'webgl' | 'webgl2' | 'headlessgl';

/** What `gpu` is asked for. */
export interface GpuOptions {
  /** The executor, by gpu.js's name for it. */
  readonly mode: GpuMode;
  /** Throw where the mode cannot run. Without it `webgpu` and `webasm` degrade to the next of webgpu, webasm, cpu; `info()` says why. */
  readonly require?: boolean;
}

export interface GpuInfo extends BackendInfo {
  /** What kernels calculate in. Memory is f32 always. */
  readonly precision: 'f32' | 'f64 inside a kernel, stored as f32';
}

/**
 * A backend on gpu.js: f32, bool, and i32 within ±(2^24 - 1), at most 2^24 elements a tensor. Larger integers (keys, random
 * bits) stay on the host, where `randomBits` and their `remainder` run; every other op throws for them.
 */
export interface GpuBackend extends Backend {
  info(): GpuInfo;
}

const notYet: readonly GpuMode[] = ['webgl', 'webgl2', 'headlessgl'];

/**
 * A backend on gpu.js, which is loaded here. Modes `cpu` and `webasm` run at once on the host; `webgpu` runs in a
 * queue: `readSync` is absent, and what fails on the device (a bad index, an i32 out of range) is thrown by the
 * read of a value that depends on it.
 * @throws BackendError when gpu.js is missing, for an unknown or unsupported mode, and, with `require`, when the mode cannot run
 */
export async function gpu({ mode, require = false }: GpuOptions): Promise<GpuBackend> {
  if (notYet.includes(mode)) {
    throw new BackendError('gpu', `mode ${mode} is not supported yet: use webgpu, webasm or cpu`);
  }
  if (!isDeviceMode(mode)) {
    throw new BackendError('gpu', `unknown mode ${JSON.stringify(mode)}: webgpu, webasm or cpu`);
  }
  const gpuJs = await loadGpuJs();
  const found = await chooseMode(mode, require, (m) => isSupported(gpuJs, m));
  const device = new Device(gpuJs, found.mode);
  return backendOn(
    device.mode === 'webgpu' ? queuedExecutor(device) : immediateExecutor(device),
    found,
  );
}

/** Names of the core ops that have a kernel; fused ops run on them by decomposition. */
export function supportedOps(): readonly string[] {
  return kernelNames();
}

function backendOn(executor: Executor, { mode, device, fallbackReason }: Found): GpuBackend {
  const memory = new Memory(executor);
  const kernels: Kernels = gpuKernels({ executor, memory });
  const info: GpuInfo = {
    executor: `gpu.js ${mode}`,
    threads: 1,
    simd: null,
    device,
    fallbackReason,
    precision: mode === 'cpu' ? 'f64 inside a kernel, stored as f32' : 'f32',
  };
  const syncRead = executor.readSync !== null;
  return {
    name: 'gpu',
    kernels,
    dtypes: ['f32', 'i32', 'bool'],
    fusedDTypes: [],
    syncRead,
    info: () => info,
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
  };
}
