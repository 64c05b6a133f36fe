/** Random bits, and the order of rows. */
import type { Kernels } from '@loretta-ts/core';
import type { WasmKernels } from './kernels.generated';
import { at, type SomeKernels } from './view';

/** Longest rows that `argsort` sorts in working memory. */
const longestSort = 32768;

/** `scratch` is the address of 640 KiB. */
export function createKernels(wasm: WasmKernels, reference: Kernels, scratch: number): SomeKernels {
  return {
    randomBits([key], [out], { stream }) {
      wasm.threefry(out!.size, at(key!), stream, at(out!));
    },
    argsort(ins, outs, attrs) {
      const x = ins[0]!;
      const n = x.shape[attrs.axis]!;
      const last = attrs.axis === x.shape.length - 1;
      if (x.dtype !== 'f32' || !last || n > longestSort || x.size === 0) {
        reference.argsort(ins, outs, attrs);
      } else wasm.argsortRows(x.size / n, n, attrs.descending, at(x), at(outs[0]!), scratch);
    },
  };
}
