/**
 * Backend for `@loretta-ts/core` on gpu.js: all core ops, forward and backward, in in every mode that gpu.js has.
 * Random bits are drawn on the host.
 * @module @loretta-ts/backend-gpu
 */
export {
  gpu,
  type GpuBackend,
  type GpuInfo,
  type GpuOptions,
  supportedOps,
} from './backend';
export type { DeviceCounts } from './device';
export { type GpuMode, gpuModes } from './gpu-js';
