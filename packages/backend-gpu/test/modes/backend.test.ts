/** Info, errors, memory and reads of the backend. */
import {
  type Backend,
  BackendError,
  key,
  normal,
  randomBits,
  ShapeError,
  splitTensor,
  uniform,
  ValueError,
  type View,
  withBackend,
} from '@loretta-ts/core';
import { afterAll, describe, expect, it } from 'vitest';
import { gpu } from '../../src/index';
import { mismatch, reference } from './harness';
import { mode } from './mode';

const backend = await gpu({ mode, require: true });
const { kernels } = backend;
afterAll(() => backend.dispose());

function upload(backend: Backend, data: Float32Array | Int32Array): View {
  const dtype = data instanceof Float32Array ? 'f32' : 'i32';
  const buffer = backend.alloc(data.length, dtype);
  backend.write(buffer, 0, data);
  return { buffer, offset: 0, shape: [data.length], dtype, size: data.length };
}

function empty(backend: Backend, dtype: 'f32' | 'i32', size: number): View {
  return { buffer: backend.alloc(size, dtype), offset: 0, shape: [size], dtype, size };
}

/** What a kernel throws, at once or when its result is read. */
async function failure(backend: Backend, kernel: () => void, out: View): Promise<unknown> {
  try {
    kernel();
    await backend.read(out.buffer, out.dtype, 0, out.size);
  } catch (error) {
    return error;
  }
  return null;
}

describe(`mode ${mode}`, () => {
  it('says what runs', () => {
    const info = backend.info();
    expect(info.executor).toBe(`gpu.js ${mode}`);
    expect(info.fallbackReason).toBeNull();
    const onHost = mode === 'cpu' || mode === 'webasm';
    expect(info.device === null).toBe(onHost);
    expect(info.limits['maxElements']).toBe(2 ** 24);
    expect(Object.keys(info.limits)).toHaveLength(onHost ? 1 : 2);
    expect(backend.syncRead).toBe(mode !== 'webgpu');
    expect(backend.readSync === undefined).toBe(mode === 'webgpu');
  });

  it('refuses integers that f32 does not hold, but for random bits', async () => {
    const big = 2 ** 24 - 1;
    const x = upload(backend, Int32Array.of(big, 3, -big));
    const one = upload(backend, Int32Array.of(1));
    const out = empty(backend, 'i32', 3);
    const add = await failure(backend, () => kernels.add([x, one], [out], {}), out);
    expect(add).toBeInstanceOf(BackendError);
    // partial sums leave the range, the sum itself does not
    const total = empty(backend, 'i32', 1);
    const attrs = { axes: [0], keepDims: false };
    const terms = upload(backend, Int32Array.of(big, 3, -big));
    const sum = await failure(backend, () => kernels.sum([terms], [total], attrs), total);
    expect(sum).toBeInstanceOf(BackendError);
    const product = await failure(backend, () => kernels.prod([terms], [total], attrs), total);
    expect(product).toBeInstanceOf(BackendError);
    const words = upload(backend, Int32Array.of(-(2 ** 31), 5, 2 ** 24));
    expect([...(await backend.read(words.buffer, 'i32', 0, 3))]).toEqual([-(2 ** 31), 5, 2 ** 24]);
    expect(() => kernels.add([words, one], [out], {})).toThrow(/^gpu: add.*use a CPU backend/);
    kernels.remainder([words, one], [out], {});
    expect([...(await backend.read(out.buffer, 'i32', 0, 3))]).toEqual([0, 0, 0]);
    expect(() => backend.write(words.buffer, 0, Int32Array.of(1))).toThrow('as a whole');
    backend.write(words.buffer, 0, Int32Array.of(1, 2, 3));
    kernels.add([words, one], [out], {});
    expect([...(await backend.read(out.buffer, 'i32', 0, 3))]).toEqual([2, 3, 4]);
    for (const v of [x, one, out, total, terms, words]) backend.free(v.buffer);
  });

  it('draws the random numbers of every backend', async () => {
    const draw = (on: Backend) =>
      withBackend(on, () => {
        const k = key(12345678901);
        const draws = [uniform(k.fold(1), [7]), normal(k.fold(2), [3, 3])];
        const [tensorKey] = splitTensor(k.tensor(), 2);
        return [...draws, randomBits(tensorKey!, [5])];
      });
    const got = draw(backend);
    const want = draw(reference);
    for (const [i, w] of want.entries()) {
      const tolerance = i === 1 ? ([2e-5, 1e-6] as const) : ([0, 0] as const);
      expect(mismatch(await got[i]!.data(), await w.data(), tolerance)).toBeLessThanOrEqual(1);
    }
  });

  it('carries a failure to what depends on it, and to nothing else', async () => {
    const x = upload(backend, Float32Array.of(1, 2, 3));
    // computed ids: the host of a GPU mode does not know them
    const zeros = upload(backend, Int32Array.of(0, 0));
    const shift = upload(backend, Int32Array.of(1, 7));
    const ids = empty(backend, 'i32', 2);
    kernels.add([zeros, shift], [ids], {});
    const picked = empty(backend, 'f32', 2);
    const doubled = empty(backend, 'f32', 2);
    const error = await failure(
      backend,
      () => {
        kernels.gather([x, ids], [picked], { axis: 0 });
        kernels.add([picked, picked], [doubled], {});
      },
      doubled,
    );
    expect(error).toBeInstanceOf(ValueError);
    expect((error as Error).message).toContain('index 7 (element 1) is outside [0, 3)');
    expect([...(await backend.read(ids.buffer, 'i32', 0, 2))]).toEqual([1, 7]);
    for (const v of [x, zeros, shift, ids, picked, doubled]) backend.free(v.buffer);
  });

  it('checks uploaded indices and divisors before anything runs', async () => {
    const x = upload(backend, Float32Array.of(1, 2, 3));
    const ids = upload(backend, Int32Array.of(0, -1));
    const zeros = upload(backend, Int32Array.of(1, 0));
    const out = empty(backend, 'f32', 2);
    const rest = empty(backend, 'i32', 2);
    expect(() => kernels.embedding([x, ids], [out], {})).toThrow('index -1 (element 1)');
    expect(() => kernels.div([ids, zeros], [rest], {})).toThrow('i32 divisor is 0');
    const none = empty(backend, 'f32', 0);
    const top = { ...empty(backend, 'f32', 1), shape: [] };
    expect(() => kernels.max([none], [top], { axes: [0], keepDims: false })).toThrow(ShapeError);
    for (const v of [x, ids, zeros, out, rest, none, top]) backend.free(v.buffer);
  });

  it('counts memory and refuses buffers that are freed or foreign', async () => {
    const before = backend.memory();
    const buffer = backend.alloc(10, 'f32');
    expect(backend.memory().buffers).toBe(before.buffers + 1);
    expect(backend.memory().bytes).toBe(before.bytes + 40);
    backend.write(buffer, 4, Float32Array.of(1, 2));
    expect([...(await backend.read(buffer, 'f32', 4, 3))]).toEqual([1, 2, 0]);
    expect(() => backend.write(buffer, 9, Float32Array.of(1, 2))).toThrow('elements 9 to 11');
    await expect(backend.read(buffer, 'f32', -1, 1)).rejects.toThrow(BackendError);
    backend.free(buffer);
    expect(backend.memory().bytes).toBe(before.bytes);
    expect(() => backend.free(buffer)).toThrow('freed');
    await expect(backend.read({ bytes: 4 }, 'f32', 0, 1)).rejects.toThrow('not of this backend');
    expect(() => backend.alloc(2 ** 24 + 1, 'f32')).toThrow('split the tensor');
    expect(() => backend.alloc(1, 'f64')).toThrow('use f32');
    expect(() => backend.alloc(-1, 'f32')).toThrow(BackendError);
  });

  it('reduces long axes in two steps and loops beyond 1000 turns', async () => {
    const n = 3000;
    const x = upload(
      backend,
      Float32Array.from({ length: n }, (_, i) => (i % 7) / 8),
    );
    const total = { ...empty(backend, 'f32', 1), shape: [] };
    const product = empty(backend, 'f32', 1);
    const last = empty(backend, 'f32', n);
    kernels.sum([x], [total], { axes: [0], keepDims: false });
    const square = { transA: false, transB: true };
    const row = { ...x, shape: [1, n] };
    kernels.matmul([row, row], [{ ...product, shape: [1, 1] }], square);
    kernels.cumsum([x], [last], { axis: 0, reverse: false });
    const values = Array.from({ length: n }, (_, i) => (i % 7) / 8);
    const sum = values.reduce((s, v) => s + v, 0);
    const squares = values.reduce((s, v) => s + v * v, 0);
    expect((await backend.read(total.buffer, 'f32', 0, 1))[0]).toBe(sum);
    expect((await backend.read(product.buffer, 'f32', 0, 1))[0]).toBeCloseTo(squares, 2);
    expect((await backend.read(last.buffer, 'f32', n - 1, 1))[0]).toBe(sum);
    for (const v of [x, total, product, last]) backend.free(v.buffer);
  });
});

// last: the device is one for the whole process
if (mode === 'webgpu') {
  it('a lost device rejects reads with a BackendError and trains nothing further', async () => {
    const x = upload(backend, Float32Array.of(1, 2, 3));
    const out = empty(backend, 'f32', 3);
    kernels.neg([x], [out], {});
    expect([...(await backend.read(out.buffer, 'f32', 0, 3))]).toEqual([-1, -2, -3]);
    const { WebGPUContext } = (await import('gpu.js')) as unknown as {
      readonly WebGPUContext: { acquire(): Promise<{ readonly device: { destroy(): void } }> };
    };
    (await WebGPUContext.acquire()).device.destroy();
    const read = await failure(backend, () => {}, x);
    expect(read).toBeInstanceOf(BackendError);
    const further = await failure(backend, () => kernels.neg([out], [x], {}), x);
    expect(further).toBeInstanceOf(BackendError);
    expect((further as Error).message).toMatch(/was lost/);
  });
}
