/** All kernels, by families. Fused ops are absent: they decompose. */
import type { Kernels } from '@loretta-ts/core';
import type { Context } from '../launch';
import { elementwiseKernels } from './elementwise';
import { indexingKernels } from './indexing';
import { matmulKernels } from './matmul';
import { randomKernels, remainderOfWords } from './random';
import { reduceKernels } from './reduce';
import { sequenceKernels } from './sequence';
import { shapeKernels } from './shape';

/** Every core op. */
export function gpuKernels(context: Context): Kernels {
  const elementwise = elementwiseKernels(context);
  return {
    ...elementwise,
    remainder: remainderOfWords(context, elementwise.remainder),
    ...reduceKernels(context),
    ...shapeKernels(context),
    ...indexingKernels(context),
    ...matmulKernels(context),
    ...sequenceKernels(context),
    ...randomKernels(context),
  };
}

/** Names of the core ops with a kernel. */
export function kernelNames(): readonly string[] {
  // Making kernels touches nothing of the context; running them would.
  return Object.keys(gpuKernels({} as Context));
}
