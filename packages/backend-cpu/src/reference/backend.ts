/** The reference kernels over plain ArrayBuffers: runs wherever JavaScript does, and knows f64. */
import type { Backend, Buffer, DType, MemoryInfo, TypedArray } from '@loretta-ts/core';
import { BackendError, bytesPerElement, viewOf } from '@loretta-ts/core';
import { referenceKernels } from './kernels';

const name = 'reference';

class ReferenceBuffer implements Buffer {
  readonly bytes: number;
  /** Null once freed. */
  data: ArrayBuffer | null;
  constructor(data: ArrayBuffer) {
    this.bytes = data.byteLength;
    this.data = data;
  }
}

type LiveBuffer = ReferenceBuffer & { readonly data: ArrayBuffer };

function allocate(size: number, dtype: DType): ArrayBuffer {
  const bytes = size * bytesPerElement[dtype];
  if (!Number.isSafeInteger(size) || size < 0) {
    throw new BackendError(name, `alloc: size ${size} is not a number of elements`);
  }
  try {
    return new ArrayBuffer(bytes);
  } catch {
    throw new BackendError(
      name,
      `alloc: no room for ${size} ${dtype} elements (${bytes} bytes): use smaller tensors or free some`,
    );
  }
}

/** The buffer and its memory, if it is one of the live ones. */
function owned(what: string, buffer: Buffer, live: ReadonlySet<Buffer>): LiveBuffer {
  if (buffer instanceof ReferenceBuffer) {
    const { data } = buffer;
    if (data === null) throw new BackendError(name, `${what}: the buffer was freed`);
    if (live.has(buffer)) return buffer as LiveBuffer;
  }
  throw new BackendError(
    name,
    `${what}: the buffer is not of this backend: move its contents by read and write`,
  );
}

/** A view of `size` elements from element `offset`. */
function elements(
  what: string,
  data: ArrayBuffer,
  dtype: DType,
  offset: number,
  size: number,
): TypedArray {
  const width = bytesPerElement[dtype];
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(size);
  if (!whole || offset < 0 || size < 0 || (offset + size) * width > data.byteLength) {
    throw new BackendError(
      name,
      `${what}: ${size} ${dtype} elements from ${offset} on are outside a buffer of ${data.byteLength} bytes`,
    );
  }
  return viewOf(dtype, data, offset * width, size);
}

function dtypeOf(data: TypedArray): DType {
  if (data instanceof Float32Array) return 'f32';
  if (data instanceof Float64Array) return 'f64';
  return data instanceof Int32Array ? 'i32' : 'bool';
}

/**
 * A backend of plain loops: the oracle of the others, in f32, f64, i32 and bool.
 * Its methods throw BackendError for a freed or foreign buffer and for a range outside the buffer.
 */
export function referenceBackend(): Backend {
  const live = new Set<Buffer>();
  let bytes = 0;
  let peakBytes = 0;

  const at = (what: string, buffer: Buffer, dtype: DType, offset: number, size: number) =>
    elements(what, owned(what, buffer, live).data, dtype, offset, size);
  const release = (buffer: ReferenceBuffer): void => {
    live.delete(buffer);
    bytes -= buffer.bytes;
    buffer.data = null;
  };
  const copyOut = (buffer: Buffer, dtype: DType, offset: number, size: number): TypedArray =>
    at('read', buffer, dtype, offset, size).slice();

  return {
    name,
    kernels: referenceKernels((v) => at('kernel', v.buffer, v.dtype, v.offset, v.size)),
    dtypes: ['f32', 'f64', 'i32', 'bool'],
    fusedDTypes: [],
    syncRead: true,
    info: () => ({ executor: name, threads: 1, simd: 'none', device: null, fallbackReason: null }),
    alloc(size, dtype): Buffer {
      const buffer = new ReferenceBuffer(allocate(size, dtype));
      live.add(buffer);
      bytes += buffer.bytes;
      peakBytes = Math.max(peakBytes, bytes);
      return buffer;
    },
    free(buffer): void {
      release(owned('free', buffer, live));
    },
    write(buffer, offset, data): void {
      at('write', buffer, dtypeOf(data), offset, data.length).set(data);
    },
    read: async (buffer, dtype, offset, size) => copyOut(buffer, dtype, offset, size),
    readSync: copyOut,
    memory: (): MemoryInfo => ({ buffers: live.size, bytes, peakBytes }),
    dispose: async (): Promise<void> => {
      for (const buffer of live) release(owned('dispose', buffer, live));
    },
    [Symbol.asyncDispose](): Promise<void> {
      return this.dispose();
    },
  };
}
