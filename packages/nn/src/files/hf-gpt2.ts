/** GPT-2: LayerNorm, learned positions, tanh GELU; dense weights are [in, out], and q, k, v are one tensor. */
import type { ResolvedDecoderConfig } from '../decoder/config';
import { CheckpointError } from '../errors';
import { type HfEntry, type HfFormat, requireField } from './hf-format';

/** `GPT2LMHeadModel`. */
export const gpt2: HfFormat = {
  architecture: 'GPT2LMHeadModel',
  suits: ({ mixer, mlp }) => mixer === 'attention' && mlp === 'gelu',
  configFromHf(c) {
    c.want('activation_function', 'gelu_new', ['gelu_new', 'gelu_pytorch_tanh']);
    for (const name of ['scale_attn_by_inverse_layer_idx', 'add_cross_attention']) {
      if (c.flag(name, false)) c.fail(name, 'is true, which is not supported');
    }
    if (!c.flag('scale_attn_weights', true))
      c.fail('scale_attn_weights', 'is false, which is not supported');
    const dim = c.count('n_embd');
    const heads = c.count('n_head');
    if (dim % heads !== 0) c.fail('n_head', `is ${heads}, which does not divide n_embd ${dim}`);
    return {
      vocab: c.count('vocab_size'),
      dim,
      layers: c.count('n_layer', undefined, 0),
      heads,
      ffDim: c.count('n_inner', 4 * dim),
      norm: 'layer',
      normEps: c.positive('layer_norm_epsilon', 1e-5),
      mlp: 'gelu',
      positions: ['learned'],
      maxLength: c.count('n_positions', 1024),
      tieEmbeddings: c.flag('tie_word_embeddings', true),
      bias: true,
    };
  },
  configToHf(config) {
    requireField(this, config, 'positions', ['learned']);
    requireField(this, config, 'norm', 'layer');
    requireField(this, config, 'bias', true);
    requireField(this, config, 'kvHeads', config.heads);
    requireField(this, config, 'window', 0);
    if (config.heads * config.headDim !== config.dim) {
      throw new CheckpointError(
        `headDim is ${config.headDim}, and ${this.architecture} has dim / heads only: keep this model with saveCheckpoint`,
      );
    }
    return {
      vocab_size: config.vocab,
      n_embd: config.dim,
      n_layer: config.layers,
      n_head: config.heads,
      n_inner: config.ffDim,
      n_positions: config.maxLength,
      activation_function: 'gelu_new',
      // ours is on the embeddings and on both branches
      attn_pdrop: 0,
      embd_pdrop: config.dropout,
      resid_pdrop: config.dropout,
      initializer_range: config.initStd,
      layer_norm_epsilon: config.normEps,
      tie_word_embeddings: config.tieEmbeddings,
    };
  },
  layout,
  canonical(name) {
    // the first files have no prefix, and hold the causal masks
    if (/(^|\.)attn\.(masked_)?bias$/.test(name)) return null;
    return /^(wte|wpe|ln_f|h\.\d+)\./.test(name) ? `transformer.${name}` : name;
  },
};

function layout({
  vocab,
  dim,
  layers,
  ffDim,
  maxLength,
  ...config
}: ResolvedDecoderConfig): HfEntry[] {
  const block = (_: unknown, i: number): HfEntry[] => {
    const [at, ours] = [`transformer.h.${i}`, `model.layers.${i}`];
    const norm = (name: string, own: string): HfEntry[] =>
      ['weight', 'bias'].map((kind) => ({
        name: `${at}.${name}.${kind}`,
        shape: [dim],
        own: [`${ours}.${own}.${kind}`],
      }));
    const dense = (name: string, from: number, out: number, ...own: string[]): HfEntry[] => [
      {
        name: `${at}.${name}.weight`,
        shape: [from, out],
        own: own.map((part) => `${ours}.${part}.weight`),
        transposed: true,
      },
      {
        name: `${at}.${name}.bias`,
        shape: [out],
        own: own.map((part) => `${ours}.${part}.bias`),
      },
    ];
    const qkv = ['q_proj', 'k_proj', 'v_proj'].map((part) => `self_attn.${part}`);
    return [
      ...norm('ln_1', 'input_layernorm'),
      ...dense('attn.c_attn', dim, 3 * dim, ...qkv),
      ...dense('attn.c_proj', dim, dim, 'self_attn.o_proj'),
      ...norm('ln_2', 'post_attention_layernorm'),
      ...dense('mlp.c_fc', dim, ffDim, 'mlp.up_proj'),
      ...dense('mlp.c_proj', ffDim, dim, 'mlp.down_proj'),
    ];
  };
  const entry = (name: string, shape: readonly number[], own: string): HfEntry => ({
    name,
    shape,
    own: [own],
  });
  return [
    entry('transformer.wte.weight', [vocab, dim], 'model.embed_tokens.weight'),
    entry('transformer.wpe.weight', [maxLength, dim], 'model.embed_positions.weight'),
    ...Array.from({ length: layers }, block).flat(),
    entry('transformer.ln_f.weight', [dim], 'model.norm.weight'),
    entry('transformer.ln_f.bias', [dim], 'model.norm.bias'),
    ...(config.tieEmbeddings ? [] : [entry('lm_head.weight', [vocab, dim], 'lm_head.weight')]),
  ];
}
