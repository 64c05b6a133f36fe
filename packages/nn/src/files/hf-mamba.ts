/** Mamba: selective state spaces, a norm and a mixer to each layer (`MambaForCausalLM`). */
import type { ResolvedDecoderConfig } from '../decoder/config';
import { type HfEntry, type HfFormat, requireField } from './hf-format';
import type { Fields } from './json-fields';

/** Mamba has no longest sequence of its own: this is more than anybody decodes. */
const LONGEST = 2 ** 20;

/** `MambaForCausalLM`. */
export const mamba: HfFormat = {
  architecture: 'MambaForCausalLM',
  suits: ({ mixer }) => mixer === 'mamba',
  configFromHf(c) {
    c.want('hidden_act', 'silu', ['silu', 'swish']);
    for (const name of ['use_conv_bias', 'rms_norm']) {
      if (!c.flag(name, true)) c.fail(name, 'is false, which is not supported');
    }
    const dim = c.count('hidden_size');
    const expand = c.count('expand', 2);
    if (c.count('intermediate_size', expand * dim) !== expand * dim) {
      c.fail('intermediate_size', `is not expand · hidden_size, ${expand * dim}`);
    }
    return {
      vocab: c.count('vocab_size'),
      dim,
      layers: c.count('num_hidden_layers', undefined, 0),
      norm: 'rms',
      normEps: c.positive('layer_norm_epsilon', 1e-5),
      positions: [],
      maxLength: LONGEST,
      mixer: 'mamba',
      expand,
      stateDim: c.count('state_size', 16),
      convKernel: c.count('conv_kernel', 4),
      dtRank: timeStepRank(c, dim),
      tieEmbeddings: c.flag('tie_word_embeddings', true),
      bias: c.flag('use_bias', false),
    };
  },
  configToHf(config) {
    requireField(this, config, 'positions', []);
    requireField(this, config, 'norm', 'rms');
    return {
      vocab_size: config.vocab,
      hidden_size: config.dim,
      intermediate_size: config.expand * config.dim,
      num_hidden_layers: config.layers,
      state_size: config.stateDim,
      conv_kernel: config.convKernel,
      expand: config.expand,
      time_step_rank: config.dtRank,
      hidden_act: 'silu',
      initializer_range: config.initStd,
      layer_norm_epsilon: config.normEps,
      use_bias: config.bias,
      use_conv_bias: true,
      tie_word_embeddings: config.tieEmbeddings,
    };
  },
  layout,
  canonical: (name) => name,
};

/** A number, or `"auto"` for dim / 16. */
function timeStepRank(c: Fields, dim: number): number {
  const auto = Math.ceil(dim / 16);
  return c.is('time_step_rank', 'auto') ? auto : c.count('time_step_rank', auto);
}

function layout({
  vocab,
  dim,
  layers,
  expand,
  stateDim,
  convKernel,
  dtRank,
  bias,
  tieEmbeddings,
}: ResolvedDecoderConfig): HfEntry[] {
  const inner = expand * dim;
  const entry = (name: string, own: string, ...shape: number[]): HfEntry => ({
    ...{ name, shape },
    own: [own],
  });
  const block = (_: unknown, i: number): HfEntry[] => {
    const part = (name: string, ...shape: number[]): HfEntry =>
      entry(`backbone.layers.${i}.${name}`, `model.layers.${i}.${name}`, ...shape);
    return [
      part('norm.weight', dim),
      part('mixer.A_log', inner, stateDim),
      part('mixer.D', inner),
      part('mixer.conv1d.weight', inner, 1, convKernel),
      part('mixer.conv1d.bias', inner),
      part('mixer.in_proj.weight', 2 * inner, dim),
      ...(bias ? [part('mixer.in_proj.bias', 2 * inner)] : []),
      part('mixer.x_proj.weight', dtRank + 2 * stateDim, inner),
      part('mixer.dt_proj.weight', inner, dtRank),
      part('mixer.dt_proj.bias', inner),
      part('mixer.out_proj.weight', dim, inner),
      ...(bias ? [part('mixer.out_proj.bias', dim)] : []),
    ];
  };
  return [
    entry('backbone.embeddings.weight', 'model.embed_tokens.weight', vocab, dim),
    ...Array.from({ length: layers }, block).flat(),
    entry('backbone.norm_f.weight', 'model.norm.weight', dim),
    ...(tieEmbeddings ? [] : [entry('lm_head.weight', 'lm_head.weight', vocab, dim)]),
  ];
}
