/** Adam and RMSprop, composed from ops: for comparison; `AdamW` is the one that is fused. */
import { maximum, sqrt, square, tidy } from '@loretta-ts/core';
import {
  checkAdam,
  checkShare,
  checkSize,
  type GradSource,
  type NamedParams,
  Optimizer,
  type StepOptions,
  scaled,
} from './optimizer';

/** Options of `Adam`. */
export interface AdamOptions {
  /** Default 1e-3. */
  readonly lr?: number;
  /** Default [0.9, 0.999]. */
  readonly betas?: readonly [number, number];
  /** Default 1e-8. */
  readonly eps?: number;
  /** L2, added to the gradient; default 0. */
  readonly weightDecay?: number;
  /** Divides by the largest second moment so far (Reddi et al. 2018); default false. */
  readonly amsgrad?: boolean;
}

/** p ← p − lr · m̂ / (√v̂ + eps) (Kingma and Ba 2015). State: `exp_avg`, `exp_avg_sq`, `max_exp_avg_sq`. */
export class Adam extends Optimizer {
  private readonly options: Required<Omit<AdamOptions, 'lr'>>;

  /** @throws ValueError for a rate, beta, eps or decay out of range, or a name given twice */
  constructor(params: NamedParams, options: AdamOptions = {}) {
    const {
      lr = 1e-3,
      betas = [0.9, 0.999],
      eps = 1e-8,
      weightDecay = 0,
      amsgrad = false,
    } = options;
    checkAdam('Adam', { betas, eps, weightDecay });
    super(params, lr, ['exp_avg', 'exp_avg_sq', ...(amsgrad ? ['max_exp_avg_sq'] : [])]);
    this.options = { betas, eps, weightDecay, amsgrad };
  }

  step(grads: GradSource, { lr = this.lr, gradScale = 1 }: StepOptions = {}): void {
    const { betas, eps, weightDecay, amsgrad } = this.options;
    const [beta1, beta2] = betas;
    const t = this.advance();
    const meanCorrection = 1 - beta1 ** t;
    const rootCorrection = Math.sqrt(1 - beta2 ** t);
    for (const [name, param] of this.params) {
      tidy(() => {
        const raw = scaled(grads.get(param), gradScale);
        const g = weightDecay === 0 ? raw : raw.add(param.value.mul(weightDecay));
        const mean = this.slot('exp_avg', name);
        const second = this.slot('exp_avg_sq', name);
        mean.assign(mean.value.mul(beta1).add(g.mul(1 - beta1)));
        second.assign(second.value.mul(beta2).add(square(g).mul(1 - beta2)));
        let largest = second.value;
        if (amsgrad) {
          const slot = this.slot('max_exp_avg_sq', name);
          slot.assign(maximum(slot.value, second.value));
          largest = slot.value;
        }
        const root = sqrt(largest).div(rootCorrection).add(eps);
        param.assign(param.value.sub(mean.value.div(root).mul(lr / meanCorrection)));
      });
    }
  }
}

/** Options of `RMSprop`. */
export interface RmsPropOptions {
  /** Default 1e-2. */
  readonly lr?: number;
  /** Share of the past in the second moment; default 0.99. */
  readonly alpha?: number;
  /** Default 1e-8. */
  readonly eps?: number;
}

/** p ← p − lr · g / (√v + eps), not centred, no momentum (Tieleman and Hinton 2012). State: `square_avg`. */
export class RMSprop extends Optimizer {
  private readonly alpha: number;
  private readonly eps: number;

  /** @throws ValueError for a rate, alpha or eps out of range, or a name given twice */
  constructor(params: NamedParams, { lr = 1e-2, alpha = 0.99, eps = 1e-8 }: RmsPropOptions = {}) {
    checkShare('RMSprop', 'alpha', alpha);
    checkSize('RMSprop', 'eps', eps);
    super(params, lr, ['square_avg']);
    this.alpha = alpha;
    this.eps = eps;
  }

  step(grads: GradSource, { lr = this.lr, gradScale = 1 }: StepOptions = {}): void {
    this.advance();
    for (const [name, param] of this.params) {
      tidy(() => {
        const g = scaled(grads.get(param), gradScale);
        const slot = this.slot('square_avg', name);
        slot.assign(slot.value.mul(this.alpha).add(square(g).mul(1 - this.alpha)));
        param.assign(param.value.sub(g.div(sqrt(slot.value).add(this.eps)).mul(lr)));
      });
    }
  }
}
