/** Buffers that point at immutable device arrays: a kernel's result replaces what the buffer pointed at. */
import {
  BackendError,
  type Buffer,
  type DType,
  type MemoryInfo,
  type TypedArray,
  typedArray,
  type View,
} from '@loretta-ts/core';
import type { DeviceArray, Executor } from './executor';
import { type KernelSource, maxElements, maxInteger } from './source';

/** Device bytes of an element, whatever its dtype: gpu.js has arrays of f32 only. */
const elementBytes = 4;

interface Words {
  readonly offset: number;
  readonly values: Int32Array;
}

class GpuBuffer implements Buffer {
  readonly bytes: number;
  readonly dtype: DType;
  readonly size: number;
  /** Elements from 0 on; null before the first write. May be shorter than `size`: the rest is undefined. */
  contents: DeviceArray | null = null;
  /** Integers that f32 does not hold: they stay on the host and stand before what `contents` has there. */
  words: Words | null = null;
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

/** What kernels do with buffers. */
export interface KernelMemory {
  /** What a kernel reads: the array that holds the buffer's elements. @throws BackendError for integers beyond f32 */
  load(op: string, view: View): DeviceArray;
  /** Takes over `values` as the elements of a view; what lies beside them stays. */
  store(view: View, values: DeviceArray): void;
  /** The integers of a view where the host knows them without waiting: uploaded ones, and words. */
  integers(view: View): Int32Array | null;
  /** True where some element of the view is an integer beyond f32. */
  hasWords(view: View): boolean;
  /** Writes integers from the host: to the device where f32 holds all of them. */
  storeIntegers(buffer: Buffer, offset: number, values: Int32Array): void;
}

/** All buffers of one backend. */
export class Memory implements KernelMemory {
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
    own.words = null;
  }

  write(buffer: Buffer, offset: number, data: TypedArray): void {
    const own = this.#range('write', buffer, offset, data.length);
    if (data.length === 0) return;
    if (own.dtype === 'i32') this.storeIntegers(buffer, offset, Int32Array.from(data));
    else this.#put(own, offset, this.#executor.upload(Float32Array.from(data), false));
  }

  async read(buffer: Buffer, dtype: DType, offset: number, size: number): Promise<TypedArray> {
    const { contents, words } = this.#range('read', buffer, offset, size);
    const values = contents === null || size === 0 ? null : await this.#executor.read(contents);
    return hostCopy(values, words, dtype, offset, size);
  }

  /** As `read`, in the modes whose values are on the host. */
  readSync(buffer: Buffer, dtype: DType, offset: number, size: number): TypedArray {
    const { contents, words } = this.#range('read', buffer, offset, size);
    const { readSync } = this.#executor;
    if (readSync === null) throw new BackendError('gpu', 'values come by promise: await read');
    return hostCopy(contents === null ? null : readSync(contents), words, dtype, offset, size);
  }

  /** What a kernel reads: the array that holds the buffer's elements. @throws BackendError for integers beyond f32 */
  load(op: string, { buffer, offset, size }: View): DeviceArray {
    const own = this.#own('kernel', buffer);
    if (overlap(own.words, offset, size)) {
      throw new BackendError(
        'gpu',
        `${op}: the i32 input was written with elements outside ±${maxInteger} (a key, random bits), ` +
          'which only randomBits and remainder take here: use a CPU backend, or smaller integers',
      );
    }
    own.contents ??= this.#executor.upload(new Float32Array(Math.max(own.size, 1)), false);
    return own.contents;
  }

  /** The integers of a view where the host knows them without waiting: uploaded ones, and words. */
  integers({ buffer, offset, size }: View): Int32Array | null {
    const { contents, words } = this.#own('kernel', buffer);
    if (words !== null && offset >= words.offset && offset + size <= wordsEnd(words)) {
      return words.values.subarray(offset - words.offset, offset - words.offset + size);
    }
    if (overlap(words, offset, size) || contents === null || contents.known === null) return null;
    return Int32Array.from(contents.known.subarray(offset, offset + size));
  }

  /** True where some element of the view is an integer beyond f32. */
  hasWords({ buffer, offset, size }: View): boolean {
    return overlap(this.#own('kernel', buffer).words, offset, size);
  }

  /** Writes integers from the host: to the device where f32 holds all of them. */
  storeIntegers(buffer: Buffer, offset: number, values: Int32Array): void {
    const own = this.#own('kernel', buffer);
    if (values.every(isExact)) {
      this.#put(own, offset, this.#executor.upload(Float32Array.from(values), true));
      return;
    }
    this.#dropWords(own, offset, values.length);
    own.words = { offset, values };
  }

  /** Takes over `values` as the elements of a view; what lies beside them stays. */
  store({ buffer, offset }: View, values: DeviceArray): void {
    this.#put(this.#own('kernel', buffer), offset, values);
  }

  #put(own: GpuBuffer, offset: number, values: DeviceArray): void {
    this.#dropWords(own, offset, values.length);
    const old = own.contents;
    const oldLength = old?.length ?? 0;
    if (offset === 0 && values.length >= oldLength) {
      own.contents = values;
    } else {
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

  /** Forgets words that are written over. @throws BackendError where that would leave some of them */
  #dropWords(own: GpuBuffer, offset: number, size: number): void {
    const { words } = own;
    if (words === null) return;
    if (offset > words.offset || offset + size < wordsEnd(words)) {
      throw new BackendError(
        'gpu',
        `i32 elements ${words.offset} to ${wordsEnd(words)} hold integers outside ±${maxInteger}: ` +
          'they can only be written over as a whole',
      );
    }
    own.words = null;
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

function wordsEnd({ offset, values }: Words): number {
  return offset + values.length;
}

function overlap(words: Words | null, offset: number, size: number): boolean {
  return words !== null && offset < wordsEnd(words) && words.offset < offset + size;
}

function isExact(value: number): boolean {
  return Math.abs(value) <= maxInteger;
}

/** @throws BackendError for the first integer that f32 cannot be trusted with */
export function assertExact(op: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (!isExact(values[i]!)) {
      throw new BackendError(
        'gpu',
        `${op}: i32 element ${i} is outside ±${maxInteger}, which is all that f32 memory holds exactly: ` +
          'use a CPU backend, or smaller integers',
      );
    }
  }
}

function hostCopy(
  values: Float32Array | null,
  words: Words | null,
  dtype: DType,
  offset: number,
  size: number,
): TypedArray {
  const copy = typedArray(dtype, size);
  if (values !== null) {
    const part = values.subarray(offset, offset + size);
    if (dtype === 'i32') assertExact('read', part);
    copy.set(part);
  }
  if (words !== null && overlap(words, offset, size)) {
    const from = Math.max(offset, words.offset);
    const to = Math.min(offset + size, wordsEnd(words));
    copy.set(words.values.subarray(from - words.offset, to - words.offset), from - offset);
  }
  return copy;
}
