/** Opens a mode of gpu.js, or the next that runs, and proves it with a kernel. */
import { BackendError } from '@loretta-ts/core';
import { Device } from './device';
import { type GpuJs, type GpuMode, gpuModes, kernelClassOf, messageOf } from './gpu-js';
import { dawnHoldsGl, findWebGpu, type WebGpu } from './webgpu';

/** A mode that runs. */
export interface Opened {
  readonly device: Device;
  /** Adapter or renderer; null in modes `cpu` and `webasm`. */
  readonly name: string | null;
  readonly fallbackReason: string | null;
}

/**
 * The mode that was asked for or, without `require`, the next of webgpu, webgl2, webgl, headlessgl, webasm, cpu.
 * @throws BackendError when none runs, or with `require` not the one that was asked for
 */
export async function openMode(
  gpuJs: GpuJs,
  asked: GpuMode,
  require: boolean,
  find: () => Promise<WebGpu> = findWebGpu,
): Promise<Opened> {
  const reasons: string[] = [];
  for (const mode of gpuModes.slice(gpuModes.indexOf(asked))) {
    const tried = await tryMode(gpuJs, mode, find);
    if (typeof tried !== 'string') {
      return { ...tried, fallbackReason: reasons.length > 0 ? reasons.join('; ') : null };
    }
    if (require) throw new BackendError('gpu', `mode ${mode} cannot run: ${tried}`);
    reasons.push(`${mode}: ${tried}`);
  }
  throw new BackendError('gpu', reasons.join('; '));
}

/** Why a mode is not there, where gpu.js only says that it is not. */
const missing: Readonly<Record<GpuMode, string>> = {
  webgpu: 'gpu.js does not support this WebGPU',
  webgl2: 'the engine has no WebGL2',
  webgl: 'the engine has no WebGL',
  headlessgl: 'package gl is not built here, or has no X display (run under xvfb-run)',
  webasm: 'the engine has no WebAssembly SIMD',
  cpu: 'gpu.js has no CPU kernels',
};

/** The device and its name, or why there is none. */
async function tryMode(
  gpuJs: GpuJs,
  mode: GpuMode,
  find: () => Promise<WebGpu>,
): Promise<Omit<Opened, 'fallbackReason'> | string> {
  let adapter: string | null = null;
  if (mode === 'webgpu') {
    const found = await find();
    if (found.reason !== null) return found.reason;
    ({ adapter } = found);
  }
  if (mode === 'headlessgl' && dawnHoldsGl()) {
    return 'this process runs webgpu, whose OpenGL it cannot share: use another process';
  }
  if (mode !== 'cpu' && !kernelClassOf(gpuJs, mode).isSupported) return missing[mode];
  const device = new Device(gpuJs, mode);
  try {
    await prove(device);
  } catch (error) {
    await device.destroy().catch(() => undefined);
    return messageOf(error);
  }
  return { device, name: adapter ?? device.context?.name ?? null };
}

/** Runs one kernel and looks at what it gave: drivers exist that answer with zeros. */
async function prove(device: Device): Promise<void> {
  const source = {
    ...{ name: 'prove', arrays: [], ints: ['n'], floats: ['x'] },
    body: 'return this.thread.x * n + x;',
  };
  const result = await device.run(source, [3, 0.5], 5);
  const values = result instanceof Float32Array ? result : await device.read(result);
  if (!(result instanceof Float32Array)) device.release(result);
  const right = values.length === 5 && values.every((v, i) => v === 3 * i + 0.5);
  if (!right) throw new BackendError('gpu', `a first kernel gave ${[...values].join(', ')}`);
}
