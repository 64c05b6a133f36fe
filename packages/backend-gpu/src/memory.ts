/** Buffers that point at immutable device arrays: a kernel's result replaces what the buffer pointed at. */
import {
  BackendError,
  type Buffer,
  type DType,
  type MemoryInfo,
  type TypedArray,
  typedArray,
  ValueError,
} from '@loretta-ts/core';
import type { DeviceArray, Executor } from './executor';
import { type KernelSource, maxElements, maxInteger } from './source';

/** Device bytes of an element, whatever its dtype: gpu.js has arrays of f32 only. */
const elementBytes = 4;

class GpuBuffer implements Buffer {
  readonly bytes: number;
  readonly dtype: DType;
  readonly size: number;
  /** Elements from 0 on; null before the first write. May be shorter than `size`: the rest is undefined. */
  contents: DeviceArray | null = null;
  constructor(size: number, dtype: DType) {
    this.bytes = size * elementBytes;
    this.size = size;
    this.dtype = dtype;
  }
}

/** `patch` written at `start` over `old`. */
const overlay: KernelSource = {
  name: 'overlay',
  arrays: ['old', 'patch'],
  ints: ['start', 'count', 'oldLength'],
  floats: [],
  body: `const at = this.thread.x - start;
if (at >= 0 && at < count) { return patch[at]; }
if (this.thread.x < oldLength) { return old[this.thread.x]; }
return 0;`,
};

/** All buffers of one backend. */
export class Memory {
  readonly #executor: Executor;
  readonly #live = new Set<GpuBuffer>();
  #bytes = 0;
  #peakBytes = 0;

  constructor(executor: Executor) {
    this.#executor = executor;
  }

  alloc(size: number, dtype: DType): Buffer {
    if (dtype === 'f64') throw new BackendError('gpu', 'alloc: no f64 here: use f32');
    if (!Number.isSafeInteger(size) || size < 0) {
      throw new BackendError('gpu', `alloc: size ${size} is not a number of elements`);
    }
    if (size > maxElements) {
      throw new BackendError(
        'gpu',
        `alloc: ${size} elements, but at most ${maxElements} can be indexed: split the tensor`,
      );
    }
    const buffer = new GpuBuffer(size, dtype);
    this.#live.add(buffer);
    this.#bytes += buffer.bytes;
    this.#peakBytes = Math.max(this.#peakBytes, this.#bytes);
    return buffer;
  }

  free(buffer: Buffer): void {
    const own = this.#own('free', buffer);
    this.#live.delete(own);
    this.#bytes -= own.bytes;
    if (own.contents !== null) this.#executor.release(own.contents);
    own.contents = null;
  }

  write(buffer: Buffer, offset: number, data: TypedArray): void {
    const own = this.#range('write', buffer, offset, data.length);
    const integers = own.dtype === 'i32';
    if (integers) {
      assertExact('write', data, (message) => new ValueError('write', message));
    }
    if (data.length === 0) return;
    const uploaded = this.#executor.upload(Float32Array.from(data), integers);
    this.store(buffer, offset, uploaded);
  }

  async read(buffer: Buffer, dtype: DType, offset: number, size: number): Promise<TypedArray> {
    const { contents } = this.#range('read', buffer, offset, size);
    if (contents === null || size === 0) return typedArray(dtype, size);
    return hostCopy(await this.#executor.read(contents), dtype, offset, size);
  }

  /** As `read`, in the modes whose values are on the host. */
  readSync(buffer: Buffer, dtype: DType, offset: number, size: number): TypedArray {
    const { contents } = this.#range('read', buffer, offset, size);
    const { readSync } = this.#executor;
    if (readSync === null) throw new BackendError('gpu', 'values come by promise: await read');
    if (contents === null || size === 0) return typedArray(dtype, size);
    return hostCopy(readSync(contents), dtype, offset, size);
  }

  /** What a kernel reads: the array that holds the buffer's elements. */
  load(buffer: Buffer): DeviceArray {
    const own = this.#own('kernel', buffer);
    own.contents ??= this.#executor.upload(new Float32Array(Math.max(own.size, 1)), false);
    return own.contents;
  }

  /** Takes over `values` as elements from `offset` on; what lies beside them stays. */
  store(buffer: Buffer, offset: number, values: DeviceArray): void {
    const own = this.#own('kernel', buffer);
    const old = own.contents;
    if (offset === 0 && values.length >= (old?.length ?? 0)) {
      own.contents = values;
    } else {
      const oldLength = old?.length ?? 0;
      const under = old ?? this.#executor.upload(new Float32Array(1), false);
      own.contents = this.#executor.run({
        source: overlay,
        arrays: [under, values],
        ints: [offset, values.length, oldLength],
        floats: [],
        size: Math.max(oldLength, offset + values.length),
      });
      this.#executor.release(values);
      if (old === null) this.#executor.release(under);
    }
    if (old !== null) this.#executor.release(old);
  }

  info(): MemoryInfo {
    return { buffers: this.#live.size, bytes: this.#bytes, peakBytes: this.#peakBytes };
  }

  dispose(): void {
    for (const buffer of [...this.#live]) this.free(buffer);
  }

  #own(what: string, buffer: Buffer): GpuBuffer {
    if (buffer instanceof GpuBuffer && this.#live.has(buffer)) return buffer;
    throw new BackendError(
      'gpu',
      `${what}: the buffer was freed or is not of this backend: move its contents by read and write`,
    );
  }

  #range(what: string, buffer: Buffer, offset: number, size: number): GpuBuffer {
    const own = this.#own(what, buffer);
    const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(size);
    if (!whole || offset < 0 || size < 0 || offset + size > own.size) {
      throw new BackendError(
        'gpu',
        `${what}: elements ${offset} to ${offset + size} of a buffer of ${own.size}`,
      );
    }
    return own;
  }
}

/** Throws what `fail` makes of the first integer that f32 cannot be trusted with. */
export function assertExact(
  op: string,
  values: ArrayLike<number>,
  fail: (message: string) => Error = (message) => new BackendError('gpu', `${op}: ${message}`),
): void {
  for (let i = 0; i < values.length; i++) {
    if (!(Math.abs(values[i]!) <= maxInteger)) {
      throw fail(
        `i32 element ${i} is outside ±${maxInteger}, which is all that f32 memory holds exactly: ` +
          'use a CPU backend, or smaller integers',
      );
    }
  }
}

function hostCopy(values: Float32Array, dtype: DType, offset: number, size: number): TypedArray {
  const part = values.subarray(offset, offset + size);
  if (dtype === 'i32') assertExact('read', part);
  const copy = typedArray(dtype, size);
  copy.set(part);
  return copy;
}
