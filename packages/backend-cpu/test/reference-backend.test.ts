import { BackendError, type Buffer, type DType } from '@loretta-ts/core';
import { describe, expect, it } from 'vitest';
import { referenceBackend } from '../src/reference';

describe('referenceBackend', () => {
  it('says what it is', () => {
    const backend = referenceBackend();
    expect(backend.name).toBe('reference');
    expect(backend.dtypes).toEqual(['f32', 'f64', 'i32', 'bool']);
    expect(backend.info()).toEqual({
      executor: 'reference',
      threads: 1,
      simd: 'none',
      device: null,
      fallbackReason: null,
    });
  });

  it.each<[DType, number[], number]>([
    ['f32', [0.1, -0, Infinity], 4],
    ['f64', [0.1, -0, 1e300], 8],
    ['i32', [1, -1, 2147483647], 4],
    ['bool', [1, 0, 1], 1],
  ])('writes and reads %s at element offsets', async (dtype, elements, width) => {
    const backend = referenceBackend();
    const buffer = backend.alloc(6, dtype);
    expect(buffer.bytes).toBe(6 * width);
    const data = { f32: Float32Array, f64: Float64Array, i32: Int32Array, bool: Uint8Array }[
      dtype
    ].from(elements);
    backend.write(buffer, 2, data);
    expect(backend.readSync!(buffer, dtype, 2, 3)).toEqual(data);
    expect(await backend.read(buffer, dtype, 3, 2)).toEqual(data.slice(1));
  });

  it('reads copies', () => {
    const backend = referenceBackend();
    const buffer = backend.alloc(1, 'f32');
    backend.write(buffer, 0, new Float32Array([5]));
    const copy = backend.readSync!(buffer, 'f32', 0, 1);
    backend.write(buffer, 0, new Float32Array([6]));
    expect(copy[0]).toBe(5);
  });

  it('counts buffers, bytes and their peak', async () => {
    const backend = referenceBackend();
    const a = backend.alloc(10, 'f64');
    const b = backend.alloc(0, 'f32');
    expect(backend.memory()).toEqual({ buffers: 2, bytes: 80, peakBytes: 80 });
    backend.free(a);
    backend.alloc(3, 'bool');
    expect(backend.memory()).toEqual({ buffers: 2, bytes: 3, peakBytes: 80 });
    backend.free(b);
    await backend.dispose();
    expect(backend.memory()).toEqual({ buffers: 0, bytes: 0, peakBytes: 80 });
  });

  it('refuses sizes that no memory has', () => {
    const backend = referenceBackend();
    for (const size of [-1, 1.5, Number.NaN, Infinity, 2 ** 60, 2 ** 52]) {
      expect(() => backend.alloc(size, 'f64')).toThrow(BackendError);
    }
    expect(backend.memory()).toEqual({ buffers: 0, bytes: 0, peakBytes: 0 });
  });

  it('refuses freed buffers', async () => {
    const backend = referenceBackend();
    const buffer = backend.alloc(2, 'f32');
    backend.free(buffer);
    expect(() => backend.free(buffer)).toThrow(BackendError);
    expect(() => backend.write(buffer, 0, new Float32Array(1))).toThrow(BackendError);
    expect(() => backend.readSync!(buffer, 'f32', 0, 1)).toThrow(BackendError);
    await expect(backend.read(buffer, 'f32', 0, 1)).rejects.toThrow(BackendError);
    const view = { buffer, offset: 0, shape: [2], dtype: 'f32' as const, size: 2 };
    expect(() => backend.kernels.neg([view], [view], {})).toThrow(BackendError);
    expect(backend.memory().buffers).toBe(0);
  });

  it('refuses buffers of another backend, even of its own kind', () => {
    const backend = referenceBackend();
    const foreign: Buffer = { bytes: 8 };
    expect(() => backend.write(foreign, 0, new Float32Array(1))).toThrow(BackendError);
    const sibling = referenceBackend().alloc(1, 'f32');
    expect(() => backend.free(sibling)).toThrow(BackendError);
    expect(backend.memory().bytes).toBe(0);
  });

  it('refuses ranges outside the buffer and changes nothing', () => {
    const backend = referenceBackend();
    const buffer = backend.alloc(4, 'f32');
    backend.write(buffer, 0, new Float32Array([1, 2, 3, 4]));
    for (const offset of [-1, 2, 5, 0.5]) {
      expect(() => backend.write(buffer, offset, new Float32Array(3))).toThrow(BackendError);
      expect(() => backend.readSync!(buffer, 'f32', offset, 3)).toThrow(BackendError);
    }
    expect(() => backend.readSync!(buffer, 'f64', 0, 3)).toThrow(BackendError);
    expect(() => backend.readSync!(buffer, 'f32', 0, -1)).toThrow(BackendError);
    expect(Array.from(backend.readSync!(buffer, 'f32', 0, 4))).toEqual([1, 2, 3, 4]);
  });
});
