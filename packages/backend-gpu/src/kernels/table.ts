/** All kernels: the ones above, and ones that throw for what is missing. */
import { BackendError, type CoreName, type Kernel, type Kernels } from '@loretta-ts/core';
import type { Context } from '../launch';
import { elementwiseKernels } from './elementwise';
import { indexingKernels } from './indexing';
import { matmulKernels } from './matmul';
import { reduceKernels } from './reduce';
import { sequenceKernels } from './sequence';
import { shapeKernels } from './shape';

/** Core ops without a kernel here, with the way out. */
const missing = {
  randomBits:
    'its 32-bit integers do not fit f32 memory: draw on a CPU backend or with hostRandom and upload the floats',
} as const satisfies Partial<Record<CoreName, string>>;

type MissingName = keyof typeof missing;

function missingKernels(): Pick<Kernels, MissingName> {
  const throwing =
    (op: MissingName): Kernel<MissingName> =>
    () => {
      throw new BackendError('gpu', `${op}: no kernel for it here: ${missing[op]}`);
    };
  return { randomBits: throwing('randomBits') };
}

function presentKernels(context: Context): Omit<Kernels, MissingName> {
  return {
    ...elementwiseKernels(context),
    ...reduceKernels(context),
    ...shapeKernels(context),
    ...indexingKernels(context),
    ...matmulKernels(context),
    ...sequenceKernels(context),
  };
}

/** Every core op; those that are missing throw. Fused ops are absent: they decompose. */
export function gpuKernels(context: Context): Kernels {
  return { ...presentKernels(context), ...missingKernels() };
}

/** Names of the core ops with a kernel that runs. */
export function presentNames(): readonly string[] {
  // Making kernels touches nothing of the context; running them would.
  return Object.keys(presentKernels({} as Context));
}
