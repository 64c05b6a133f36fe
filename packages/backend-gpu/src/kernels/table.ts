/** All kernels, by families. `selectiveScan` is absent: it decomposes. */
import type { Kernels } from '@loretta-ts/core';
import type { Context } from '../launch';
import { activationKernels } from './activation';
import { adamwKernel } from './adamw';
import { attentionKernels } from './attention';
import { elementwiseKernels } from './elementwise';
import { indexingKernels } from './indexing';
import { matmulKernels } from './matmul';
import { normKernels } from './norm';
import { randomKernels, remainderOfWords } from './random';
import { reduceKernels } from './reduce';
import { ropeKernel } from './rope';
import { sequenceKernels } from './sequence';
import { shapeKernels } from './shape';
import { softmaxKernels } from './softmax';

/** Every core op, and the fused ones. */
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
    ...activationKernels(context),
    ...softmaxKernels(context),
    ...normKernels(context),
    ...attentionKernels(context),
    rope: ropeKernel(context),
    adamw: adamwKernel(context),
  };
}

/** Names of the ops with a kernel. */
export function kernelNames(): readonly string[] {
  // Making kernels touches nothing of the context; running them would.
  return Object.keys(gpuKernels({} as Context));
}
