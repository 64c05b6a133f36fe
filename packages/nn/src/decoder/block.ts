/** One layer: x += mixer(norm(x)), and where there is an MLP x += mlp(norm(x)). */
import type { Key, Tensor } from '@loretta-ts/core';
import { dropout } from '../layers/dropout';
import { LayerNorm, RMSNorm } from '../layers/norm';
import { Module } from '../module';
import { CausalSelfAttention } from './attention';
import type { ResolvedDecoderConfig } from './config';
import { HyenaMixer } from './hyena';
import { MambaMixer } from './mamba';
import type { MixerContext } from './mixer';
import { GeluMlp, SwiGluMlp } from './mlp';

/** A pre-norm decoder block. */
export abstract class Block extends Module {
  private readonly p: number;

  constructor(config: ResolvedDecoderConfig) {
    super();
    this.p = config.dropout;
  }

  /** `[b, t, d] -> [b, t, d]`. A null key is evaluation. */
  abstract forward(x: Tensor, layer: number, context: MixerContext, key: Key | null): Tensor;

  /** The residual stream with what a branch says, dropped out. */
  protected join(x: Tensor, said: Tensor, key: Key | null, branch: number): Tensor {
    return x.add(key === null || this.p === 0 ? said : dropout(said, this.p, key.fold(branch)));
  }
}

/** Attention and an MLP, under the names of Hugging Face's Llama. */
export class AttentionBlock extends Block {
  /** In front of the attention. */
  readonly input_layernorm: LayerNorm | RMSNorm;
  /** Looks at other tokens. */
  readonly self_attn: CausalSelfAttention;
  /** In front of the MLP. */
  readonly post_attention_layernorm: LayerNorm | RMSNorm;
  /** Works on each token alone. */
  readonly mlp: SwiGluMlp | GeluMlp;

  /** @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super(config);
    this.input_layernorm = makeNorm(config);
    this.self_attn = new CausalSelfAttention(config, key?.fold(0) ?? null);
    this.post_attention_layernorm = makeNorm(config);
    this.mlp = makeMlp(config, key?.fold(1) ?? null);
  }

  /** As `Block`. */
  override forward(x: Tensor, layer: number, context: MixerContext, key: Key | null): Tensor {
    const a = this.self_attn.forward(this.input_layernorm.forward(x), layer, context);
    const h = this.join(x, a, key, 0);
    return this.join(h, this.mlp.forward(this.post_attention_layernorm.forward(h)), key, 1);
  }
}

/** Mamba alone, under the names of Hugging Face's Mamba. */
export class MambaBlock extends Block {
  /** In front of the mixer. */
  readonly norm: LayerNorm | RMSNorm;
  /** Remembers earlier tokens. */
  readonly mixer: MambaMixer;

  /** @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super(config);
    this.norm = makeNorm(config);
    this.mixer = new MambaMixer(config, key?.fold(0) ?? null);
  }

  /** As `Block`. */
  override forward(x: Tensor, layer: number, context: MixerContext, key: Key | null): Tensor {
    return this.join(x, this.mixer.forward(this.norm.forward(x), layer, context), key, 0);
  }
}

/** Hyena and an MLP. */
export class HyenaBlock extends Block {
  /** In front of the mixer. */
  readonly norm: LayerNorm | RMSNorm;
  /** Looks at other tokens. */
  readonly mixer: HyenaMixer;
  /** In front of the MLP. */
  readonly mlp_norm: LayerNorm | RMSNorm;
  /** Works on each token alone. */
  readonly mlp: SwiGluMlp | GeluMlp;

  /** @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super(config);
    this.norm = makeNorm(config);
    this.mixer = new HyenaMixer(config, key?.fold(0) ?? null);
    this.mlp_norm = makeNorm(config);
    this.mlp = makeMlp(config, key?.fold(1) ?? null);
  }

  /** As `Block`. */
  override forward(x: Tensor, layer: number, context: MixerContext, key: Key | null): Tensor {
    const h = this.join(x, this.mixer.forward(this.norm.forward(x), layer, context), key, 0);
    return this.join(h, this.mlp.forward(this.mlp_norm.forward(h)), key, 1);
  }
}

/** The block of the configuration's mixer. @param key null makes zeros */
export function makeBlock(config: ResolvedDecoderConfig, key: Key | null): Block {
  switch (config.mixer) {
    case 'attention':
      return new AttentionBlock(config, key);
    case 'mamba':
      return new MambaBlock(config, key);
    case 'hyena':
      return new HyenaBlock(config, key);
  }
}

function makeMlp(config: ResolvedDecoderConfig, key: Key | null): SwiGluMlp | GeluMlp {
  return config.mlp === 'swiglu' ? new SwiGluMlp(config, key) : new GeluMlp(config, key);
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
