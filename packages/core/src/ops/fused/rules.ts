/** What fused ops share: the gradient of the decomposition. */
import type { FusedName, OpAttrs } from '../../attrs';
import type { Op, Vjp } from '../../op';
import type { Tensor } from '../../tensor';
import { vjpOfMany } from '../../vjp-of';

type Decompose<N extends FusedName> = NonNullable<Op<N>['decompose']>;

/** Differentiates the decomposition: what a gradient op has for its own gradient. Needs all inputs saved. */
/* @__NO_SIDE_EFFECTS__ */
export function byDecomposition<N extends FusedName>(decompose: Decompose<N>): Vjp<OpAttrs[N]> {
  return ({ ins, cts, needs, attrs }) => vjpOfMany((xs) => decompose(xs, attrs), ins, cts, needs);
}

/**
 * `fast` where only the first output has a cotangent, which is all that first-order training meets; the decomposition
 * where saved statistics have one too (second order).
 */
/* @__NO_SIDE_EFFECTS__ */
export function fastOrDecomposed<N extends FusedName>(
  fast: Vjp<OpAttrs[N]>,
  decompose: Decompose<N>,
): Vjp<OpAttrs[N]> {
  const slow = byDecomposition(decompose);
  return (a) => (a.cts.slice(1).every((ct: Tensor | null) => ct === null) ? fast(a) : slow(a));
}
