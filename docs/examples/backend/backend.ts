/** A whole backend on plain JavaScript arrays: memory, a kernel for each core op, and nothing else. */
import {
  type Backend,
  BackendError,
  type Buffer,
  bytesPerElement,
  type DType,
  type Kernels,
  typedArray,
} from '@loretta-ts/core';
import { kernelsOn, type Memory, scattersOn } from './cells';
import { elementwise } from './elementwise';
import { moves } from './moves';
import { sequences } from './sequences';
import { sums } from './sums';

const name = 'plain';

/** Memory of this backend: numbers in an array, null once freed. */
class Numbers implements Buffer {
  readonly bytes: number;
  values: number[] | null;
  constructor(size: number, dtype: DType) {
    this.bytes = size * bytesPerElement[dtype];
    this.values = new Array<number>(size).fill(0);
  }
}

/** The array of a buffer. @throws BackendError for a freed buffer, or one of another backend */
function valuesOf(buffer: Buffer): number[] {
  if (buffer instanceof Numbers && buffer.values !== null) return buffer.values;
  throw new BackendError(name, 'the buffer was freed, or is of another backend');
}

/** What a dtype keeps of a number. */
const rounded: Readonly<Record<DType, (x: number) => number>> = {
  f32: Math.fround,
  f64: (x) => x,
  i32: (x) => x | 0,
  bool: (x) => Number(x !== 0),
};

const memory: Memory = {
  get: (view, i) => valuesOf(view.buffer)[view.offset + i]!,
  set(view, i, value) {
    valuesOf(view.buffer)[view.offset + i] = rounded[view.dtype](value);
  },
};

/** One kernel for each core op: a missing one does not compile. */
function plainKernels(): Kernels {
  const kernel = kernelsOn(memory);
  const scatter = scattersOn(memory);
  return {
    ...elementwise(kernel),
    ...moves(kernel),
    ...sums(kernel, scatter),
    ...sequences(kernel, memory),
  };
}

/** A backend on plain arrays, in f32, f64, i32 and bool. Slow, short, and complete. */
export function plainBackend(): Backend {
  const live = new Set<Buffer>();
  let bytes = 0;
  let peakBytes = 0;
  const read = (buffer: Buffer, dtype: DType, offset: number, size: number) => {
    const copy = typedArray(dtype, size);
    copy.set(valuesOf(buffer).slice(offset, offset + size));
    return copy;
  };
  const free = (buffer: Buffer): void => {
    valuesOf(buffer);
    (buffer as Numbers).values = null;
    live.delete(buffer);
    bytes -= buffer.bytes;
  };
  const dispose = async (): Promise<void> => {
    for (const buffer of live) free(buffer);
  };

  return {
    name,
    kernels: plainKernels(),
    dtypes: ['f32', 'f64', 'i32', 'bool'],
    fusedDTypes: [], // softmax, attention and the others run as the core ops that they are made of
    syncRead: true,
    info: () => ({
      executor: 'plain arrays',
      threads: 1,
      simd: 'none',
      device: null,
      fallbackReason: null,
    }),
    alloc(size, dtype) {
      const buffer = new Numbers(size, dtype);
      live.add(buffer);
      bytes += buffer.bytes;
      peakBytes = Math.max(peakBytes, bytes);
      return buffer;
    },
    free,
    write(buffer, offset, data) {
      const values = valuesOf(buffer);
      for (const [i, value] of data.entries()) values[offset + i] = value;
    },
    read: async (...place) => read(...place),
    readSync: read,
    memory: () => ({ buffers: live.size, bytes, peakBytes }),
    dispose,
    [Symbol.asyncDispose]: dispose,
  };
}
