/**
 * A size-class pool in one growing memory. Blocks are 64-byte aligned, four classes to an octave; a freed block
 * waits in the list of its class. The memory may move when it grows: look at `buffer` anew for each view.
 */
import { BackendError, type Buffer, type MemoryInfo } from '@loretta-ts/core';

const pageBytes = 65536;
const maxPages = 65536;
const align = 64;
/** Vector loads may read past the last element: nothing is placed in the last bytes. */
const guard = 64;

/** What the pool asks of its memory; `WebAssembly.Memory` has it. */
export interface PoolMemory {
  readonly buffer: ArrayBufferLike;
  /** @throws RangeError when the host has no more */
  grow(pages: number): number;
}

/** The same without WebAssembly. */
export class HostMemory implements PoolMemory {
  buffer: ArrayBuffer;

  constructor(pages: number) {
    this.buffer = new ArrayBuffer(pages * pageBytes);
  }

  grow(pages: number): number {
    const before = this.buffer;
    const next = new ArrayBuffer(before.byteLength + pages * pageBytes);
    new Uint8Array(next).set(new Uint8Array(before));
    this.buffer = next;
    return before.byteLength / pageBytes;
  }
}

/** A block of the pool. `ptr` is its address. */
export class PoolBuffer implements Buffer {
  readonly owner: Pool;
  readonly bytes: number;
  readonly ptr: number;
  readonly capacity: number;
  live = true;

  constructor(owner: Pool, bytes: number, ptr: number, capacity: number) {
    this.owner = owner;
    this.bytes = bytes;
    this.ptr = ptr;
    this.capacity = capacity;
  }
}

/** The bytes of the class that holds `bytes`: a multiple of 64, at most a quarter more than asked. */
export function classBytes(bytes: number): number {
  if (bytes <= 4 * align) return Math.max(1, Math.ceil(bytes / align)) * align;
  const step = 2 ** (29 - Math.clz32(bytes - 1));
  return Math.ceil(bytes / step) * step;
}

export class Pool {
  readonly memory: PoolMemory;
  readonly #backend: string;
  readonly #maxBytes: number;
  readonly #free = new Map<number, number[]>();
  #top: number;
  #buffers = 0;
  #bytes = 0;
  #peak = 0;
  #disposed = false;

  /** The pool takes the memory from address `start` on. `maxBytes` limits the whole memory. */
  constructor(memory: PoolMemory, start: number, backend: string, maxBytes: number) {
    this.memory = memory;
    this.#top = Math.ceil(start / align) * align;
    this.#backend = backend;
    this.#maxBytes = Math.min(maxBytes, maxPages * pageBytes);
  }

  /** @throws BackendError when neither a free block nor growth gives room */
  alloc(bytes: number): PoolBuffer {
    if (this.#disposed) throw new BackendError(this.#backend, 'alloc: the backend was disposed');
    if (!(bytes <= this.#maxBytes)) throw this.#full(bytes);
    const capacity = classBytes(bytes);
    const buffer = this.#reuse(bytes, capacity) ?? this.#carve(bytes, capacity);
    this.#buffers++;
    this.#bytes += bytes;
    if (this.#bytes > this.#peak) this.#peak = this.#bytes;
    return buffer;
  }

  /** @throws BackendError for a buffer that is not ours or not live */
  free(buffer: Buffer): void {
    const block = this.own(buffer, 'free');
    block.live = false;
    this.#buffers--;
    this.#bytes -= block.bytes;
    const list = this.#free.get(block.capacity);
    if (list) list.push(block.ptr);
    else this.#free.set(block.capacity, [block.ptr]);
  }

  /** The buffer as a live block of this pool. @throws BackendError when it is not */
  own(buffer: Buffer, op: string): PoolBuffer {
    if (this.#disposed) throw new BackendError(this.#backend, `${op}: the backend was disposed`);
    if (!(buffer instanceof PoolBuffer) || buffer.owner !== this) {
      throw new BackendError(this.#backend, `${op}: the buffer belongs to another backend`);
    }
    if (!buffer.live) {
      throw new BackendError(
        this.#backend,
        `${op}: the buffer of ${buffer.bytes} bytes was already freed`,
      );
    }
    return buffer;
  }

  info(): MemoryInfo {
    return { buffers: this.#buffers, bytes: this.#bytes, peakBytes: this.#peak };
  }

  dispose(): void {
    this.#disposed = true;
    this.#free.clear();
    this.#buffers = 0;
    this.#bytes = 0;
  }

  #reuse(bytes: number, capacity: number): PoolBuffer | null {
    const ptr = this.#free.get(capacity)?.pop();
    return ptr === undefined ? null : new PoolBuffer(this, bytes, ptr, capacity);
  }

  #carve(bytes: number, capacity: number): PoolBuffer {
    const end = this.#top + capacity + guard;
    if (end > this.memory.buffer.byteLength) {
      const spare = this.#smallestFree(capacity, capacity * 2);
      if (spare) return new PoolBuffer(this, bytes, this.#free.get(spare)!.pop()!, spare);
      if (!this.#growTo(end)) {
        const larger = this.#smallestFree(capacity, Number.POSITIVE_INFINITY);
        if (!larger) throw this.#full(bytes);
        return new PoolBuffer(this, bytes, this.#free.get(larger)!.pop()!, larger);
      }
    }
    const ptr = this.#top;
    this.#top += capacity;
    return new PoolBuffer(this, bytes, ptr, capacity);
  }

  /** The smallest class in [from, to] with a free block, or 0. */
  #smallestFree(from: number, to: number): number {
    let best = 0;
    for (const [size, list] of this.#free) {
      if (list.length > 0 && size >= from && size <= to && (best === 0 || size < best)) best = size;
    }
    return best;
  }

  /** Doubles the memory, or grows it just as far as needed where it cannot double. */
  #growTo(end: number): boolean {
    const now = this.memory.buffer.byteLength;
    if (end > this.#maxBytes) return false;
    const doubled = Math.min(Math.max(now * 2, end), this.#maxBytes);
    for (const wanted of [doubled, end]) {
      try {
        this.memory.grow(Math.ceil((wanted - now) / pageBytes));
        return true;
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
    return false;
  }

  #full(bytes: number): BackendError {
    return new BackendError(
      this.#backend,
      `alloc: no room for ${bytes} bytes (${this.#bytes} in use of at most ${this.#maxBytes}): ` +
        'free tensors, make the batch smaller, or raise maxBytes',
    );
  }
}
