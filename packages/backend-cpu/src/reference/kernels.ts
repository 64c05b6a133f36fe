/** Every core op in plain loops. */
import type { Kernels } from '@loretta-ts/core';
import { convKernels } from './conv';
import { createKernels } from './create';
import { elementwiseKernels } from './elementwise';
import { indexingKernels } from './indexing';
import { matmulKernels } from './matmul';
import { reduceKernels } from './reduce';
import { sequenceKernels } from './sequence';
import { shapeKernels } from './shape';
import type { Read } from './strided';

/**
 * The oracle: all core ops in f32, f64, i32 and bool, computed in double and rounded when stored.
 * Fused ops are absent: they decompose.
 *
 * @param read gives the elements of a view without a copy, exactly `view.size` of them
 */
export function referenceKernels(read: Read): Kernels {
  return {
    ...elementwiseKernels(read),
    ...reduceKernels(read),
    ...shapeKernels(read),
    ...indexingKernels(read),
    ...createKernels(read),
    ...matmulKernels(read),
    ...convKernels(read),
    ...sequenceKernels(read),
  };
}
