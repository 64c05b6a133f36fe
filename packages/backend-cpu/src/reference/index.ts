export { referenceBackend } from './backend';
export { referenceKernels } from './kernels';
export type { Read } from './strided';
export { threefry2x32 } from './threefry';
