/** The position-wise half of a block. */
import { gelu, type Key, swiglu, type Tensor } from '@loretta-ts/core';
import { Linear } from '../layers/linear';
import { Module } from '../module';
import type { ResolvedDecoderConfig } from './config';

/** down(silu(gate(x)) ⊙ up(x)) (Shazeer 2020). */
export class SwiGluMlp extends Module {
  /** `[ffDim, dim]`. */
  readonly gate_proj: Linear;
  /** `[ffDim, dim]`. */
  readonly up_proj: Linear;
  /** `[dim, ffDim]`. */
  readonly down_proj: Linear;

  /** @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super();
    const { dim, ffDim, bias, initStd: std, dtype, layers } = config;
    this.gate_proj = new Linear(dim, ffDim, { bias, std, dtype, key: key?.fold(0) ?? null });
    this.up_proj = new Linear(dim, ffDim, { bias, std, dtype, key: key?.fold(1) ?? null });
    const residualStd = std / Math.sqrt(2 * layers);
    this.down_proj = new Linear(ffDim, dim, {
      bias,
      std: residualStd,
      dtype,
      key: key?.fold(2) ?? null,
    });
  }

  /** `[b, t, d] -> [b, t, d]`. */
  forward(x: Tensor): Tensor {
    return this.down_proj.forward(swiglu(this.gate_proj.forward(x), this.up_proj.forward(x)));
  }
}

/** down(gelu(up(x))), gelu by tanh, as GPT-2. */
export class GeluMlp extends Module {
  /** `[ffDim, dim]`. */
  readonly up_proj: Linear;
  /** `[dim, ffDim]`. */
  readonly down_proj: Linear;

  /** @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super();
    const { dim, ffDim, bias, initStd: std, dtype, layers } = config;
    this.up_proj = new Linear(dim, ffDim, { bias, std, dtype, key: key?.fold(1) ?? null });
    const residualStd = std / Math.sqrt(2 * layers);
    this.down_proj = new Linear(ffDim, dim, {
      bias,
      std: residualStd,
      dtype,
      key: key?.fold(2) ?? null,
    });
  }

  /** `[b, t, d] -> [b, t, d]`. */
  forward(x: Tensor): Tensor {
    return this.down_proj.forward(gelu(this.up_proj.forward(x), { approximate: true }));
  }
}
