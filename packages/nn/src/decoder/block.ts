/** One layer: x += attention(norm(x)); x += mlp(norm(x)). */
import type { Key, Tensor } from '@loretta-ts/core';
import { dropout } from '../layers/dropout';
import { LayerNorm, RMSNorm } from '../layers/norm';
import { Module } from '../module';
import { type AttentionContext, CausalSelfAttention } from './attention';
import type { ResolvedDecoderConfig } from './config';
import { GeluMlp, SwiGluMlp } from './mlp';

/** A pre-norm decoder block. */
export class Block extends Module {
  /** In front of the attention. */
  readonly input_layernorm: LayerNorm | RMSNorm;
  /** Looks at other tokens. */
  readonly self_attn: CausalSelfAttention;
  /** In front of the MLP. */
  readonly post_attention_layernorm: LayerNorm | RMSNorm;
  /** Works on each token alone. */
  readonly mlp: SwiGluMlp | GeluMlp;
  private readonly p: number;

  /** @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super();
    this.input_layernorm = makeNorm(config);
    this.self_attn = new CausalSelfAttention(config, key?.fold(0) ?? null);
    this.post_attention_layernorm = makeNorm(config);
    const mlpKey = key?.fold(1) ?? null;
    this.mlp =
      config.mlp === 'swiglu' ? new SwiGluMlp(config, mlpKey) : new GeluMlp(config, mlpKey);
    this.p = config.dropout;
  }

  /** `[b, t, d] -> [b, t, d]`. A null key is evaluation. */
  forward(x: Tensor, layer: number, context: AttentionContext, key: Key | null): Tensor {
    const a = this.self_attn.forward(this.input_layernorm.forward(x), layer, context);
    const h = x.add(this.drop(a, key, 0));
    const m = this.mlp.forward(this.post_attention_layernorm.forward(h));
    return h.add(this.drop(m, key, 1));
  }

  private drop(x: Tensor, key: Key | null, branch: number): Tensor {
    return key === null || this.p === 0 ? x : dropout(x, this.p, key.fold(branch));
  }
}

/** The norm that the configuration names. */
export function makeNorm({
  norm,
  dim,
  normEps: eps,
  dtype,
}: ResolvedDecoderConfig): LayerNorm | RMSNorm {
  return norm === 'rms' ? new RMSNorm(dim, { eps, dtype }) : new LayerNorm(dim, { eps, dtype });
}
