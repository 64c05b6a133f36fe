/** Stochastic gradient descent. */
import { tidy, ValueError } from '@loretta-ts/core';
import {
  checkSize,
  type GradSource,
  type NamedParams,
  Optimizer,
  type StepOptions,
  scaled,
} from './optimizer';

/** Options of `SGD`. */
export interface SgdOptions {
  /** Default 1e-3. */
  readonly lr?: number;
  /** Default 0. */
  readonly momentum?: number;
  /** Of the gradient's share in the momentum; default 0. */
  readonly dampening?: number;
  /** Looks one momentum step ahead; default false. */
  readonly nesterov?: boolean;
  /** L2, added to the gradient; default 0. */
  readonly weightDecay?: number;
}

/**
 * b ← μ b + (1 − dampening) g, p ← p − lr · b, with PyTorch's conventions: the first b is g itself, and Nesterov
 * steps along g + μ b. State: `momentum_buffer` where there is momentum.
 */
export class SGD extends Optimizer {
  private readonly options: Required<Omit<SgdOptions, 'lr'>>;

  /** @throws ValueError for a rate, momentum, dampening or decay below 0, and for Nesterov without momentum or with dampening */
  constructor(params: NamedParams, options: SgdOptions = {}) {
    const { lr = 1e-3, momentum = 0, dampening = 0, nesterov = false, weightDecay = 0 } = options;
    for (const [name, x] of Object.entries({ momentum, dampening, weightDecay }))
      checkSize('SGD', name, x);
    if (nesterov && (momentum <= 0 || dampening !== 0)) {
      throw new ValueError('SGD', 'nesterov needs a momentum and no dampening');
    }
    super(params, lr, momentum === 0 ? [] : ['momentum_buffer']);
    this.options = { momentum, dampening, nesterov, weightDecay };
  }

  step(grads: GradSource, { lr = this.lr, gradScale = 1 }: StepOptions = {}): void {
    const { momentum, dampening, nesterov, weightDecay } = this.options;
    const first = this.advance() === 1;
    for (const [name, param] of this.params) {
      tidy(() => {
        const raw = scaled(grads.get(param), gradScale);
        const g = weightDecay === 0 ? raw : raw.add(param.value.mul(weightDecay));
        if (momentum === 0) {
          param.assign(param.value.sub(g.mul(lr)));
          return;
        }
        const slot = this.slot('momentum_buffer', name);
        const buffer = first ? g.mul(1) : slot.value.mul(momentum).add(g.mul(1 - dampening));
        slot.assign(buffer);
        const direction = nesterov ? g.add(buffer.mul(momentum)) : buffer;
        param.assign(param.value.sub(direction.mul(lr)));
      });
    }
  }
}
