/** Gradient clipping. */
import {
  clamp,
  concat,
  minimum,
  NonFiniteError,
  sqrt,
  square,
  sum,
  type Tensor,
  tidy,
  ValueError,
} from '@loretta-ts/core';

/** Gradients of anything, as core's `Grads.entries` gives them. */
export interface GradEntries {
  /** Gradients with what they belong to. */
  entries(): Iterable<readonly [unknown, Tensor]>;
}

/** √(sum of all squares): a scalar on the device. @throws ValueError when there are no gradients */
export function gradNorm(grads: GradEntries): Tensor {
  return tidy(() => {
    const all = [...grads.entries()].map(([, g]) => g);
    if (all[0]?.backend.wholeArrays === true) {
      // one array: each launch counts
      return sqrt(sum(square(concat(all.map((g) => g.reshape(g.size))))));
    }
    let total: Tensor | null = null;
    for (const g of all) {
      const squares = sum(g.mul(g));
      total = total === null ? squares : total.add(squares);
    }
    if (total === null) throw new ValueError('gradNorm', 'there are no gradients');
    return sqrt(total);
  });
}

/** min(1, maxNorm / (norm + 1e-6)), as PyTorch: a scalar on the device. A norm that is NaN stays NaN. */
export function clipScale(norm: Tensor, maxNorm: number): Tensor {
  if (!(maxNorm > 0)) throw new ValueError('clipScale', `maxNorm is ${maxNorm}, not positive`);
  return tidy(() => minimum(norm.add(1e-6).reciprocal().mul(maxNorm), 1));
}

/**
 * The global norm, and the factor that clips it: pass it to the optimiser as `gradScale`. Reads one number back.
 * @throws NonFiniteError when the norm is not finite: the step must not be taken
 */
export async function clipGradNorm(
  grads: GradEntries,
  maxNorm: number,
): Promise<{
  /** Global norm before clipping. */
  readonly norm: number;
  /** Factor that clips, 1 at most. */
  readonly scale: number;
}> {
  if (!(maxNorm > 0)) throw new ValueError('clipGradNorm', `maxNorm is ${maxNorm}, not positive`);
  using total = gradNorm(grads).keep();
  const norm = await total.item();
  if (!Number.isFinite(norm)) {
    throw new NonFiniteError(
      'clipGradNorm',
      `the gradient norm is ${norm}: lower the rate; detectAnomaly of the step names the op that made it`,
    );
  }
  return { norm, scale: Math.min(1, maxNorm / (norm + 1e-6)) };
}

/** Every entry to [-limit, limit]: a gradient of the same shape. */
export function clipGradValue(grad: Tensor, limit: number): Tensor {
  if (!(limit > 0)) throw new ValueError('clipGradValue', `limit is ${limit}, not positive`);
  return clamp(grad, { min: -limit, max: limit });
}
