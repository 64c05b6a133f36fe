/** Llama and Mistral: RMSNorm, rotary halves, grouped heads, SwiGLU. Our names are theirs. */
import type { DecoderConfig, ResolvedDecoderConfig } from '../decoder/config';
import { type HfEntry, type HfFormat, requireField } from './hf-format';
import type { Fields } from './json-fields';

/** `LlamaForCausalLM`. */
export const llama: HfFormat = {
  architecture: 'LlamaForCausalLM',
  suits: ({ mixer, mlp, window }) => mixer === 'attention' && mlp === 'swiglu' && window === 0,
  configFromHf(c) {
    const bias = c.flag('attention_bias', false);
    if (bias !== c.flag('mlp_bias', false)) {
      c.fail(bias ? 'attention_bias' : 'mlp_bias', 'is true alone, which is not supported');
    }
    const heads = c.count('num_attention_heads');
    return {
      ...commonConfig(c, heads),
      kvHeads: c.count('num_key_value_heads', heads),
      maxLength: c.count('max_position_embeddings', 2048),
      bias,
    };
  },
  configToHf(config) {
    return {
      ...commonKeys(this, config),
      mlp_bias: config.bias,
    };
  },
  layout: (config) => layout(config),
  canonical,
};

/** `MistralForCausalLM`: a window, and no biases. */
export const mistral: HfFormat = {
  architecture: 'MistralForCausalLM',
  suits: ({ mixer, mlp, window }) => mixer === 'attention' && mlp === 'swiglu' && window > 0,
  configFromHf(c) {
    for (const name of ['attention_bias', 'mlp_bias']) {
      if (c.flag(name, false)) c.fail(name, 'is true, which is not supported');
    }
    const heads = c.count('num_attention_heads');
    return {
      ...commonConfig(c, heads),
      kvHeads: c.count('num_key_value_heads', c.has('num_key_value_heads') ? heads : 8),
      maxLength: c.count('max_position_embeddings', 131072),
      // null is no window, and nothing is the window of the first Mistral
      window: c.count('sliding_window', c.has('sliding_window') ? 0 : 4096, 0),
    };
  },
  configToHf(config) {
    requireField(this, config, 'bias', false);
    return {
      ...commonKeys(this, config),
      sliding_window: config.window === 0 ? null : config.window,
    };
  },
  layout: (config) => layout(config),
  canonical,
};

function commonConfig(c: Fields, heads: number): Omit<DecoderConfig, 'maxLength'> {
  c.want('hidden_act', 'silu', ['silu', 'swish']);
  const scaling = c.nested('rope_scaling') ?? c.nested('rope_parameters');
  const kind = scaling?.string('rope_type', scaling.string('type', 'default')) ?? 'default';
  if (kind !== 'default') c.fail('rope_scaling', `is of type '${kind}', which is not supported`);
  const dim = c.count('hidden_size');
  return {
    vocab: c.count('vocab_size'),
    dim,
    layers: c.count('num_hidden_layers', undefined, 0),
    heads,
    headDim: c.count('head_dim', dim / heads),
    ffDim: c.count('intermediate_size'),
    norm: 'rms',
    normEps: c.positive('rms_norm_eps', 1e-6),
    mlp: 'swiglu',
    positions: ['rope'],
    tieEmbeddings: c.flag('tie_word_embeddings', false),
    ropeTheta: c.positive('rope_theta', scaling?.positive('rope_theta', 10000) ?? 10000),
  };
}

function commonKeys(format: HfFormat, config: ResolvedDecoderConfig): Record<string, unknown> {
  requireField(format, config, 'positions', ['rope']);
  requireField(format, config, 'norm', 'rms');
  return {
    vocab_size: config.vocab,
    hidden_size: config.dim,
    intermediate_size: config.ffDim,
    num_hidden_layers: config.layers,
    num_attention_heads: config.heads,
    num_key_value_heads: config.kvHeads,
    head_dim: config.headDim,
    hidden_act: 'silu',
    attention_bias: config.bias,
    attention_dropout: 0,
    max_position_embeddings: config.maxLength,
    initializer_range: config.initStd,
    rms_norm_eps: config.normEps,
    rope_theta: config.ropeTheta,
    tie_word_embeddings: config.tieEmbeddings,
  };
}

function layout(config: ResolvedDecoderConfig): HfEntry[] {
  const { vocab, dim, layers, heads, kvHeads, headDim, ffDim, tieEmbeddings } = config;
  const entry = (name: string, ...shape: number[]): HfEntry => ({ name, shape, own: [name] });
  const dense = (name: string, out: number, from: number): HfEntry[] => [
    entry(`${name}.weight`, out, from),
    ...(config.bias ? [entry(`${name}.bias`, out)] : []),
  ];
  const block = (_: unknown, i: number): HfEntry[] => {
    const at = `model.layers.${i}`;
    return [
      ...dense(`${at}.self_attn.q_proj`, heads * headDim, dim),
      ...dense(`${at}.self_attn.k_proj`, kvHeads * headDim, dim),
      ...dense(`${at}.self_attn.v_proj`, kvHeads * headDim, dim),
      ...dense(`${at}.self_attn.o_proj`, dim, heads * headDim),
      ...dense(`${at}.mlp.gate_proj`, ffDim, dim),
      ...dense(`${at}.mlp.up_proj`, ffDim, dim),
      ...dense(`${at}.mlp.down_proj`, dim, ffDim),
      entry(`${at}.input_layernorm.weight`, dim),
      entry(`${at}.post_attention_layernorm.weight`, dim),
    ];
  };
  return [
    entry('model.embed_tokens.weight', vocab, dim),
    ...Array.from({ length: layers }, block).flat(),
    entry('model.norm.weight', dim),
    ...(tieEmbeddings ? [] : [entry('lm_head.weight', vocab, dim)]),
  ];
}

/** Old files hold the rotary frequencies. */
function canonical(name: string): string | null {
  return name.endsWith('rotary_emb.inv_freq') ? null : name;
}
