/** Normalisation over the last axis. */
import { type FloatDType, layerNorm, ones, rmsNorm, type Tensor, zeros } from '@loretta-ts/core';
import { Module, Param } from '../module';

/** Options of `LayerNorm` and `RMSNorm`. */
export interface NormOptions {
  /** Added to the variance; default 1e-5. */
  readonly eps?: number;
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** (x − mean) / √(var + eps) · weight + bias (Ba et al. 2016). */
export class LayerNorm extends Module {
  /** `[dim]`, ones at the start. */
  readonly weight: Param;
  /** `[dim]`, zeros at the start. */
  readonly bias: Param;
  /** Added to the variance. */
  readonly eps: number;

  constructor(dim: number, options: NormOptions = {}) {
    super();
    const { eps = 1e-5, dtype = 'f32' } = options;
    this.weight = new Param(ones([dim], { dtype }));
    this.bias = new Param(zeros([dim], { dtype }));
    this.eps = eps;
  }

  /** `[..., dim] -> [..., dim]`. */
  forward(x: Tensor): Tensor {
    return layerNorm(x, this.weight.value, this.bias.value, { eps: this.eps });
  }
}

/** x / √(mean(x²) + eps) · weight (Zhang and Sennrich 2019). */
export class RMSNorm extends Module {
  /** `[dim]`, ones at the start. */
  readonly weight: Param;
  /** Added to the mean square. */
  readonly eps: number;

  constructor(dim: number, options: NormOptions = {}) {
    super();
    const { eps = 1e-5, dtype = 'f32' } = options;
    this.weight = new Param(ones([dim], { dtype }));
    this.eps = eps;
  }

  /** `[..., dim] -> [..., dim]`. */
  forward(x: Tensor): Tensor {
    return rmsNorm(x, this.weight.value, { eps: this.eps });
  }
}
