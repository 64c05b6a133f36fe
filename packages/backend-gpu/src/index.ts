/**
 * Backend for `@loretta-ts/core` on gpu.js: all core ops, forward and backward, in modes `webgpu`, `webasm` and `cpu`.
 * Random bits are drawn on the host.
 * @module @loretta-ts/backend-gpu
 */
export {
  gpu,
  type GpuBackend,
  type GpuInfo,
  type GpuMode,
  type GpuOptions,
  supportedOps,
} from './backend';
