/**
 * CPU backend: a plain reference in TypeScript for every op and dtype, SIMD kernels in WebAssembly for f32.
 * @module @loretta-ts/backend-cpu
 */
export { type CpuOptions, cpu, cpuAsync } from './backend';
export { referenceBackend } from './reference';
