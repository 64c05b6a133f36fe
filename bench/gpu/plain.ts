/** The plain way to use gpu.js: every op uploads its inputs, runs its kernel and downloads what it gave. */
import type { GpuBackend } from '@loretta-ts/backend-gpu';
import type { Backend, Buffer, Kernels, TypedArray, View } from '@loretta-ts/core';

type AnyKernel = (ins: readonly View[], outs: readonly View[], attrs: object) => void;

/** The same kernels, but nothing stays on the device; ops are not fused. Needs `readSync`. */
export function plain(gpu: GpuBackend): Backend {
  const host = new Map<Buffer, TypedArray>();
  const kernels = Object.entries(gpu.kernels).map(([name, kernel]) => {
    const run: AnyKernel = (ins, outs, attrs) => {
      for (const { buffer } of ins) {
        const data = host.get(buffer);
        if (data !== undefined) gpu.write(buffer, 0, data);
      }
      (kernel as unknown as AnyKernel)(ins, outs, attrs);
      for (const { buffer, dtype, size, offset } of outs) {
        const whole = host.get(buffer);
        const part = gpu.readSync!(buffer, dtype, offset, size);
        if (whole !== undefined && whole.length > size) whole.set(part as never, offset);
        else host.set(buffer, part);
      }
    };
    return [name, run];
  });
  const { prepare: _, wholeArrays: __, ...rest } = gpu;
  return {
    ...rest,
    name: 'gpu',
    kernels: Object.fromEntries(kernels) as unknown as Kernels,
    fusedDTypes: [],
    free(buffer) {
      host.delete(buffer);
      gpu.free(buffer);
    },
  };
}
