/** Ops that make tensors from attributes or a key. */
import type { Kernels } from '@loretta-ts/core';
import type { Read } from './strided';
import { threefry2x32 } from './threefry';

/** Kernels of `fill`, `iota` and `randomBits`. */
export function createKernels(read: Read): Pick<Kernels, 'fill' | 'iota' | 'randomBits'> {
  return {
    fill: (_, [out], { value }) => {
      read(out!).fill(out!.dtype === 'bool' ? Number(value !== 0) : value);
    },
    iota: (_, [out], { start, step }) => {
      const to = read(out!);
      for (let i = 0; i < to.length; i++) to[i] = start + i * step;
    },
    randomBits: ([key], [out], { stream }) => {
      const words = new Int32Array(2);
      const k = read(key!);
      const to = read(out!);
      for (let i = 0; i < to.length; i += 2) {
        threefry2x32(k[0]!, k[1]!, i / 2, stream, words, 0);
        to[i] = words[0]!;
        // The last word of an odd length is dropped.
        if (i + 1 < to.length) to[i + 1] = words[1]!;
      }
    },
  };
}
