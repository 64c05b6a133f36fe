/** One step of AdamW (Loshchilov & Hutter 2019). */
import { apply } from '../../apply';
import type { Op } from '../../op';
import { sameDType, wantFloat, wantShape } from '../../shape-rules';
import type { Tensor } from '../../tensor';
import { add, div, mul, sub } from '../arithmetic';
import { select } from '../shape';
import { sqrt } from '../unary';

export const adamwOp: Op<'adamw'> = {
  name: 'adamw',
  infer([p, g, m, v, hyper]) {
    wantFloat('adamw', p!);
    sameDType('adamw', [p!, g!, m!, v!, hyper!]);
    wantShape('adamw', 'the gradient', g!, p!.shape);
    wantShape('adamw', 'the first moment', m!, p!.shape);
    wantShape('adamw', 'the second moment', v!, p!.shape);
    wantShape('adamw', 'hyper', hyper!, [5]);
    return [p!, m!, v!].map((x) => ({ shape: x.shape, dtype: x.dtype }));
  },
  vjp: null,
  donates: [0, 2, 3],
  decompose: ([p, grad, m, v, hyper], { beta1, beta2, eps }) => {
    const at = (i: number): Tensor => select(hyper!, 0, i);
    const [lr, correction1, correction2] = [at(0), at(1), at(2)];
    const g = mul(grad!, at(3));
    const m2 = add(mul(m!, beta1), mul(g, 1 - beta1));
    const v2 = add(mul(v!, beta2), mul(mul(g, g), 1 - beta2));
    const decayed = mul(p!, sub(1, mul(lr, at(4))));
    const step = div(m2, add(sqrt(div(v2, correction2)), eps));
    return [sub(decayed, mul(step, div(lr, correction1))), m2, v2];
  },
};

/** Options of `adamw`. */
export interface AdamwOptions {
  /** Decay of the first moment. */
  readonly beta1: number;
  /** Decay of the second moment. */
  readonly beta2: number;
  /** Added to the root of the second moment. */
  readonly eps: number;
  /** Give p, m and v away: they are updated in place. */
  readonly donate?: boolean;
}

/**
 * p, m and v after a step along the gradient g (all of one shape): m' = β₁ m + (1 − β₁) g, v' = β₂ v + (1 − β₂) g²,
 * p' = p (1 − lr · decay) − lr · m'/c₁ / (√(v'/c₂) + ε). `hyper` is `[lr, c₁ = 1 − β₁ᵗ, c₂ = 1 − β₂ᵗ, factor on g, decay]`.
 * @throws ShapeError, DTypeError
 */
export function adamw(
  p: Tensor,
  g: Tensor,
  m: Tensor,
  v: Tensor,
  hyper: Tensor,
  options: AdamwOptions,
): readonly [p: Tensor, m: Tensor, v: Tensor] {
  const { beta1, beta2, eps, donate = false } = options;
  const [p2, m2, v2] = apply(adamwOp, [p, g, m, v, hyper], { beta1, beta2, eps }, donate);
  return [p2!, m2!, v2!];
}
