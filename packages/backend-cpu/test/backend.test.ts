import { BackendError, full, matmul, setBackend, type Tensor } from '@loretta-ts/core';
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { cpu, cpuAsync } from '../src/index';
import { reference } from './kernel-harness';

function thrownBy(call: () => unknown): unknown {
  try {
    call();
    return null;
  } catch (error) {
    return error;
  }
}

describe('cpu', () => {
  it('says what runs', async () => {
    expect(cpu({ simd: 'simd', threads: 1 }).info()).toEqual({
      executor: 'wasm-simd',
      threads: 1,
      simd: 'simd',
      device: null,
      fallbackReason: null,
    });
    expect(cpu({ simd: 'none' }).info()).toMatchObject({ executor: 'reference', simd: 'none' });
    // The harness has switched relaxed SIMD on.
    expect((await cpuAsync()).info()).toMatchObject({ simd: 'relaxed-simd', fallbackReason: null });
  });

  it('refuses unknown options', () => {
    expect(() => cpu({ simd: 'avx' as 'simd' })).toThrow(BackendError);
    expect(() => cpu({ maxBytes: 1000 })).toThrow(/maxBytes is 1000/);
  });

  it('has the same kernels without SIMD, over the pool', () => {
    const backend = cpu({ simd: 'none' });
    expect(Object.keys(backend.kernels).sort()).toEqual(Object.keys(reference.kernels).sort());
    const a = backend.alloc(3, 'f64');
    const b = backend.alloc(3, 'f64');
    backend.write(a, 0, Float64Array.of(1, 2, 3));
    const view = (buffer: typeof a) => ({
      buffer,
      offset: 0,
      shape: [3],
      dtype: 'f64' as const,
      size: 3,
    });
    backend.kernels.add([view(a), view(a)], [view(b)], {});
    expect([...backend.readSync!(b, 'f64', 0, 3)]).toEqual([2, 4, 6]);
  });

  it('grows, keeps values, and ends in a typed error that names the bytes', () => {
    const backend = cpu({ maxBytes: 16 * 2 ** 20 });
    const first = backend.alloc(4, 'f32');
    backend.write(first, 0, Float32Array.of(1, 2, 3, 4));
    const large = backend.alloc(2 ** 21, 'f32');
    backend.write(large, 2 ** 21 - 1, Float32Array.of(9));
    expect([...backend.readSync!(first, 'f32', 1, 2)]).toEqual([2, 3]);
    expect([...backend.readSync!(large, 'f32', 2 ** 21 - 1, 1)]).toEqual([9]);
    expect(() => backend.alloc(2 ** 21, 'f32')).toThrow(/8388608 bytes/);
    expect(backend.memory()).toEqual({ buffers: 2, bytes: 16 + 2 ** 23, peakBytes: 16 + 2 ** 23 });
  });

  it('names op, shape and bytes of what there is no memory for', () => {
    setBackend(cpu({ maxBytes: 16 * 2 ** 20 }));
    const call = (): Tensor => matmul(full([3000, 1], 1), full([1, 2000], 1));
    expect(call).toThrow(/^cpu: matmul: f32\[3000,2000\]: no room for 24000000 bytes .*maxBytes$/);
    expect(thrownBy(call)).toMatchObject({
      wanted: { op: 'matmul', shape: [3000, 2000], bytes: 24_000_000 },
    });
  });

  it('takes a limit above what there is for the most there is', () => {
    expect(cpu({ maxBytes: 2 ** 36, threads: 1 }).info().executor).toBe('wasm-simd');
    expect(() => cpu({ threadTimeout: 0 })).toThrow(/threadTimeout is 0/);
  });

  describe('where the engine refuses', () => {
    const { Memory, Module } = WebAssembly;
    afterEach(() => {
      Object.assign(WebAssembly, { Memory, Module });
    });
    const refuse = (shared: boolean): void => {
      WebAssembly.Memory = class extends Memory {
        constructor(of: WebAssembly.MemoryDescriptor) {
          // its upper bound is 65536 pages
          super(!shared || of.shared === true ? { ...of, maximum: 2 ** 20 } : of);
        }
      };
    };
    const three = (): number[] => [...full([3], 1).add(2).dataSync()];

    it('shared memory, runs on one thread, and says so', () => {
      refuse(true);
      const backend = cpu({ simd: 'simd', threads: 3 });
      setBackend(backend);
      expect(three()).toEqual([3, 3, 3]);
      const { executor, threads, fallbackReason } = backend.info();
      expect([executor, threads]).toEqual(['wasm-simd', 1]);
      expect(fallbackReason).toMatch(/^one thread: shared memory was refused \(.*maximum/);
    });

    it('any memory, or to compile, runs without WebAssembly, and says so', async () => {
      refuse(false);
      const backend = cpu({ simd: 'simd', threads: 1 });
      setBackend(backend);
      expect(three()).toEqual([3, 3, 3]);
      expect(backend.info()).toMatchObject({ executor: 'reference', simd: 'none' });
      expect(backend.info().fallbackReason).toMatch(/^no WebAssembly: its memory was refused \(/);
      WebAssembly.Memory = Memory;
      WebAssembly.Module = class extends Module {
        constructor() {
          super(new Uint8Array(8));
        }
      };
      expect(cpu({ simd: 'simd', threads: 2 }).info()).toMatchObject({
        ...{ executor: 'reference', threads: 1 },
        fallbackReason: expect.stringMatching(/^no WebAssembly: it was refused \(/),
      });
    });
  });

  it('refuses ranges outside a buffer, freed and foreign buffers', async () => {
    const backend = cpu();
    const buffer = backend.alloc(4, 'f32');
    expect(() => backend.write(buffer, 2, new Float32Array(3))).toThrow(BackendError);
    expect(() => backend.readSync!(buffer, 'f64', 0, 3)).toThrow(BackendError);
    expect(() => backend.readSync!(buffer, 'f32', -1, 1)).toThrow(BackendError);
    expect(() => cpu().free(buffer)).toThrow(/another backend/);
    backend.free(buffer);
    expect(() => backend.free(buffer)).toThrow(/already freed/);
    await expect(backend.read(buffer, 'f32', 0, 1)).rejects.toThrow(BackendError);
    await backend.dispose();
    expect(() => backend.alloc(1, 'f32')).toThrow(/disposed/);
  });
});

describe('kernels.generated.ts', () => {
  it('was made from the sources as they are', () => {
    const script = fileURLToPath(new URL('../scripts/build-wasm.mjs', import.meta.url));
    expect(() =>
      execFileSync(process.execPath, [script, '--hash'], { stdio: 'pipe' }),
    ).not.toThrow();
  });
});
