/** What runs when the mode that was asked for cannot, and what is refused; in a process without WebGPU. */
import { BackendError } from '@loretta-ts/core';
import { describe, expect, it } from 'vitest';
import { Device } from '../src/device';
import { type GpuJs, kernelClassOf, loadGpuJs } from '../src/gpu-js';
import { type GpuMode, gpu, gpuModes, supportedOps } from '../src/index';
import { openMode } from '../src/open-mode';
import { findWebGpu } from '../src/webgpu';

const gpuJs = await loadGpuJs();
const noDawn = () => findWebGpu(() => Promise.reject(new Error('no such module\nmore')));
const noAdapter = () =>
  findWebGpu(async () => ({ globals: {}, create: () => ({ requestAdapter: async () => null }) }));

/** gpu.js on an engine that has only these modes. */
function having(modes: readonly GpuMode[]): GpuJs {
  const classes = gpuModes.map((mode) => {
    const own = kernelClassOf(gpuJs, mode) as unknown as { readonly name: string };
    return [own.name, modes.includes(mode) ? own : { isSupported: false }];
  });
  return { ...Object.fromEntries(classes), GPU: gpuJs.GPU } as GpuJs;
}

const one = { name: 'one', arrays: [], ints: [], floats: [], body: 'return 1;' };

describe('openMode', () => {
  it('degrades to the next mode that runs, with the reasons', async () => {
    const found = await openMode(having(['webasm', 'cpu']), 'webgpu', false, noDawn);
    expect(found.device.mode).toBe('webasm');
    expect(found.fallbackReason).toBe(
      'webgpu: no navigator.gpu, and webgpu does not load (no such module): npm install webgpu@0.6.2; ' +
        'webgl2: the engine has no WebGL2; webgl: the engine has no WebGL; ' +
        'headlessgl: package gl is not built here, or has no X display (run under xvfb-run)',
    );
    const last = await openMode(having(['cpu']), 'webgpu', false, noAdapter);
    expect(last.device.mode).toBe('cpu');
    expect(last.fallbackReason).toMatch(/^webgpu: Dawn found no adapter: .*; webasm: the engine/);
    expect((await openMode(gpuJs, 'webasm', false, noDawn)).fallbackReason).toBeNull();
    for (const { device } of [found, last]) await device.destroy();
  });

  it('throws by `require` instead', async () => {
    const error = await openMode(gpuJs, 'webgpu', true, noAdapter).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(BackendError);
    expect((error as Error).message).toContain('mode webgpu cannot run: Dawn found no adapter');
    await expect(openMode(having([]), 'webasm', true, noDawn)).rejects.toThrow('WebAssembly SIMD');
    await expect(gpu({ mode: 'webgl2', require: true })).rejects.toThrow('no WebGL2');
  });

  it('leaves a device that computes wrongly', async () => {
    class Zeros {
      readonly real = new gpuJs.GPU({ mode: 'cpu' });
      createKernel(source: string, settings: object) {
        return this.real.createKernel(source.replace(/return .*;/, 'return 0;'), settings);
      }
      destroy() {
        return this.real.destroy();
      }
    }
    const broken = { ...gpuJs, GPU: Zeros } as unknown as GpuJs;
    await expect(openMode(broken, 'cpu', true)).rejects.toThrow(
      'a first kernel gave 0, 0, 0, 0, 0',
    );
  });

  it('leaves globals alone without an adapter', async () => {
    await noAdapter();
    expect((globalThis.navigator as { gpu?: unknown } | undefined)?.gpu).toBeUndefined();
  });
});

describe('gpu', () => {
  it('refuses an unknown mode', async () => {
    await expect(gpu({ mode: 'metal' as GpuMode })).rejects.toThrow('unknown mode "metal"');
  });

  it('names the install line when gpu.js is missing', async () => {
    const missing = () => Promise.reject(new Error("Cannot find package 'gpu.js'"));
    const error = await loadGpuJs(missing).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(BackendError);
    expect((error as Error).message).toContain('npm install gpu.js@2.24.1');
    await expect(loadGpuJs(async () => ({}))).rejects.toThrow('no class GPU');
  });

  it('lists what is supported', () => {
    expect(supportedOps()).toContain('matmul');
    expect(supportedOps()).toContain('randomBits');
    expect(supportedOps()).not.toContain('reshape');
  });
});

describe('Device', () => {
  it('reports a kernel that gpu.js moved to another executor', async () => {
    const device = new Device({ ...gpuJs, WebAssemblyKernel: gpuJs.CPUKernel }, 'webasm');
    expect(() => device.run(one, [], 4)).toThrow('ran kernel one outside mode webasm');
    await device.destroy();
  });

  it('keeps no more kernels than it may, and gives right results all the same', async () => {
    const device = new Device(gpuJs, 'cpu', 3);
    for (const round of [0, 1]) {
      for (let i = 0; i < 8; i++) {
        const source = { ...one, name: `plus${i}`, floats: ['x'], body: `return x + ${i};` };
        expect([...(device.run(source, [round], 2) as Float32Array)]).toEqual([
          round + i,
          round + i,
        ]);
        expect(device.counts.kernels).toBeLessThanOrEqual(3);
      }
    }
    await device.destroy();
  });
});
