import { BackendError } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { classBytes, HostMemory, Pool, PoolBuffer } from '../src/pool';

fc.configureGlobal({ seed: 20261123 });
const page = 65536;
const newPool = (maxPages = 64): Pool => new Pool(new HostMemory(1), 128, 'test', maxPages * page);

describe('classBytes', () => {
  it('holds the bytes in multiples of 64 with at most a quarter to spare', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 32 - 2 ** 28 }), (bytes) => {
        const size = classBytes(bytes);
        expect(size).toBeGreaterThanOrEqual(Math.max(bytes, 64));
        expect(size % 64).toBe(0);
        expect(size).toBeLessThanOrEqual(Math.max(bytes * 1.25, bytes + 64));
        expect(classBytes(size)).toBe(size);
      }),
    );
  });
});

describe('Pool', () => {
  it('never lets live blocks overlap, keeps contents across growth, and counts', () => {
    const step = fc.record({
      free: fc.boolean(),
      at: fc.nat(),
      bytes: fc.integer({ min: 0, max: 40000 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const pool = newPool();
        const live: { block: PoolBuffer; mark: number }[] = [];
        let mark = 0;
        let peak = 0;
        for (const { free, at, bytes } of steps) {
          if (free && live.length > 0) {
            const [gone] = live.splice(at % live.length, 1);
            pool.free(gone!.block);
          } else {
            const block = pool.alloc(bytes);
            mark = (mark % 250) + 1;
            new Uint8Array(pool.memory.buffer, block.ptr, bytes).fill(mark);
            live.push({ block, mark });
          }
          const total = live.reduce((sum, { block }) => sum + block.bytes, 0);
          peak = Math.max(peak, total);
          expect(pool.info()).toEqual({ buffers: live.length, bytes: total, peakBytes: peak });
        }
        for (const { block, mark } of live) {
          expect(block.ptr % 64).toBe(0);
          const bytes = new Uint8Array(pool.memory.buffer, block.ptr, block.bytes);
          expect(bytes.every((b) => b === mark)).toBe(true);
        }
      }),
    );
  });

  it('gives a freed block of the class out again, so that steady work does not grow it', () => {
    const pool = newPool();
    const first = pool.alloc(1000);
    pool.free(first);
    const before = pool.memory.buffer.byteLength;
    for (let i = 0; i < 1000; i++) {
      const block = pool.alloc(1000 + (i % 20));
      expect(block.ptr).toBe(first.ptr);
      pool.free(block);
    }
    expect(pool.memory.buffer.byteLength).toBe(before);
  });

  it('refuses a second free, a foreign buffer and use after dispose', () => {
    const pool = newPool();
    const block = pool.alloc(8);
    pool.free(block);
    expect(() => pool.free(block)).toThrow(BackendError);
    expect(() => pool.free(new PoolBuffer(newPool(), 8, 64, 64))).toThrow(BackendError);
    expect(() => pool.free({ bytes: 8 })).toThrow(BackendError);
    pool.dispose();
    expect(() => pool.alloc(8)).toThrow(BackendError);
    expect(pool.info().buffers).toBe(0);
  });

  it('names the bytes when memory is out, and serves from larger free blocks before that', () => {
    const pool = newPool(4);
    const large = pool.alloc(3 * page);
    expect(() => pool.alloc(2 * page)).toThrow(/131072 bytes/);
    pool.free(large);
    const small = pool.alloc(100000);
    expect(small.ptr).toBe(large.ptr);
    expect(() => pool.alloc(Number.NaN)).toThrow(BackendError);
    expect(() => pool.alloc(5 * 2 ** 30)).toThrow(/5368709120 bytes/);
  });
});
