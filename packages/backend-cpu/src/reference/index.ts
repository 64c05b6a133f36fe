export { referenceBackend } from './backend';
export { referenceKernels } from './kernels';
