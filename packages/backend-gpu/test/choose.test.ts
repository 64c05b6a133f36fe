/** What runs when the mode that was asked for cannot; in a process of its own, without WebGPU. */
import { BackendError } from '@loretta-ts/core';
import { expect, it } from 'vitest';
import { chooseMode } from '../src/choose-mode';
import { findWebGpu } from '../src/webgpu';

const noDawn = () => findWebGpu(() => Promise.reject(new Error('no such module\nmore')));
const noAdapter = () =>
  findWebGpu(async () => ({ globals: {}, create: () => ({ requestAdapter: async () => null }) }));
const all = () => true;

it('degrades from webgpu to webasm to cpu, with the reasons', async () => {
  expect(await chooseMode('webgpu', false, all, noDawn)).toEqual({
    mode: 'webasm',
    device: null,
    fallbackReason:
      'webgpu: no navigator.gpu, and webgpu does not load (no such module): npm install webgpu@0.6.2',
  });
  const cpuOnly = await chooseMode('webgpu', false, (m) => m === 'cpu', noAdapter);
  expect(cpuOnly.mode).toBe('cpu');
  expect(cpuOnly.fallbackReason).toMatch(/^webgpu: Dawn found no adapter: .*; webasm: the engine/);
  expect((await chooseMode('webasm', false, all, noDawn)).fallbackReason).toBeNull();
});

it('throws by `require` instead', async () => {
  const error = await chooseMode('webgpu', true, all, noAdapter).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(BackendError);
  expect((error as Error).message).toContain('mode webgpu cannot run: Dawn found no adapter');
  await expect(chooseMode('webasm', true, () => false, noDawn)).rejects.toThrow('WebAssembly SIMD');
});

it('leaves globals alone without an adapter', async () => {
  await noAdapter();
  expect((globalThis.navigator as { gpu?: unknown } | undefined)?.gpu).toBeUndefined();
});
