/** Hugging Face's Mamba (`MambaForCausalLM`): its configuration, and its names. */
import type { DecoderConfig } from '../decoder/config';
import type { HostTensor } from '../host';
import type { Fields } from './hf';

/** Mamba has no longest sequence of its own: this is more than anybody decodes. */
const LONGEST = 2 ** 20;

/** The decoder's configuration. @throws CheckpointError that names the key that is missing or not supported */
export function mambaConfig(c: Fields): DecoderConfig {
  c.want('hidden_act', 'silu', ['silu', 'swish']);
  for (const name of ['use_conv_bias', 'rms_norm']) {
    if (!c.flag(name, true)) c.fail(name, 'is false, which is not supported');
  }
  const dim = c.number('hidden_size');
  const expand = c.number('expand', 2);
  if (c.number('intermediate_size', expand * dim) !== expand * dim) {
    c.fail('intermediate_size', `is not expand · hidden_size, ${expand * dim}`);
  }
  return {
    vocab: c.number('vocab_size'),
    dim,
    layers: c.number('num_hidden_layers'),
    norm: 'rms',
    normEps: c.number('layer_norm_epsilon', 1e-5),
    positions: [],
    maxLength: LONGEST,
    mixer: 'mamba',
    expand,
    stateDim: c.number('state_size', 16),
    convKernel: c.number('conv_kernel', 4),
    dtRank: timeStepRank(c, dim),
    tieEmbeddings: c.flag('tie_word_embeddings', true),
    bias: c.flag('use_bias', false),
  };
}

/** A number, or `"auto"` for dim / 16. */
function timeStepRank(c: Fields, dim: number): number {
  const auto = Math.ceil(dim / 16);
  return c.is('time_step_rank', 'auto') ? auto : c.number('time_step_rank', auto);
}

/** Weights under the decoder's names. */
export function fromMambaName(name: string): string {
  const inside = name.replace(/^backbone\./, 'model.');
  return inside
    .replace(/^model\.embeddings\./, 'model.embed_tokens.')
    .replace(/^model\.norm_f\./, 'model.norm.');
}

/** The inverse of `fromMambaName`. */
export function toMambaName(own: string): string {
  const inside = own
    .replace(/^model\.embed_tokens\./, 'model.embeddings.')
    .replace(/^model\.norm\./, 'model.norm_f.');
  return inside.replace(/^model\./, 'backbone.');
}

/** All of them, renamed. */
export function renamed(
  tensors: ReadonlyMap<string, HostTensor>,
  rename: (name: string) => string,
): Map<string, HostTensor> {
  return new Map([...tensors].map(([name, t]) => [rename(name), t]));
}
