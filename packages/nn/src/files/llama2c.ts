/** Checkpoints of karpathy/llama2.c: the legacy binary, and the same weights under Meta's names. Rotary pairs are interleaved. */
import { type FloatDType, ValueError } from '@loretta-ts/core';
import {
  type DecoderConfig,
  type ResolvedDecoderConfig,
  resolveDecoderConfig,
} from '../decoder/config';
import { Decoder } from '../decoder/decoder';
import { CheckpointError } from '../errors';
import type { HostTensor } from '../host';
import { fitted } from './hf-format';
import { llama } from './hf-llama';
import { plainBytes } from './elements';
import { looksLikePickle, pickleHint } from './pickle';
import type { Safetensors } from './safetensors';

/** Options of the loaders. */
export interface LoadOptions {
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/**
 * A decoder from a legacy llama2.c file: 7 int32 (dim, hidden, layers, heads, kv heads, vocabulary, length; a
 * negative vocabulary has an output layer of its own), then float32.
 * @throws CheckpointError when header and size do not go together
 */
export function decoderFromLlama2c(file: Uint8Array, options: LoadOptions = {}): Decoder {
  const bytes = plainBytes(file);
  // no model is as wide as these bytes would have it
  if (looksLikePickle(bytes)) {
    throw new CheckpointError(`llama2.c: not a legacy llama2.c file${pickleHint(bytes)}`);
  }
  if (bytes.length < 28)
    throw new CheckpointError(`llama2.c: ${bytes.length} bytes are too few for a header`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [dim, ffDim, layers, heads, kvHeads, signed, maxLength] = Array.from(
    { length: 7 },
    (_, i) => view.getInt32(4 * i, true),
  ) as [number, number, number, number, number, number, number];
  const sizes = { dim, ffDim, layers, heads, kvHeads, vocab: Math.abs(signed), maxLength };
  for (const [name, n] of Object.entries(sizes)) {
    if (n < 1) throw new CheckpointError(`llama2.c: ${name} is ${n}: not a legacy llama2.c file`);
  }
  const config = llamaConfig(sizes, signed > 0, options);
  resolved(config);
  const plan = layout(config);
  const rope = (maxLength * dim) / heads;
  const floats = plan.reduce((n, part) => n + part.count * part.size, 0) + rope;
  if (bytes.length !== 28 + 4 * floats) {
    throw new CheckpointError(
      `llama2.c: the header needs ${28 + 4 * floats} bytes, the file has ${bytes.length}: cut off or another format`,
    );
  }
  const tensors = new Map<string, HostTensor>();
  let at = 28;
  for (const { name, shape, count, size, skipBefore } of plan) {
    at += 4 * (skipBefore ? rope : 0);
    for (let i = 0; i < count; i++, at += 4 * size) {
      const data = new Float32Array(bytes.slice(at, at + 4 * size).buffer);
      tensors.set(name.replace('#', String(i)), { dtype: 'F32', shape, data });
    }
  }
  return loaded(config, tensors);
}

/**
 * A decoder from a safetensors file with Meta's names (`layers.N.attention.wq.weight`) and the sizes as metadata
 * (`n_heads`, `n_kv_heads`, …).
 * @throws CheckpointError for a missing size, or when tensors do not fit
 */
export function decoderFromMetaNames(file: Safetensors, options: LoadOptions = {}): Decoder {
  const { tensors, metadata } = file;
  const size = (name: string): number => {
    const text = metadata.get(name) ?? '';
    if (!/^\d{1,9}$/.test(text))
      throw new CheckpointError(`metadata '${name}' is '${text}', not a size`);
    return Number(text);
  };
  const sizes = {
    dim: size('dim'),
    ffDim: size('hidden_dim'),
    layers: size('n_layers'),
    heads: size('n_heads'),
    kvHeads: size('n_kv_heads'),
    vocab: size('vocab_size'),
    maxLength: size('seq_len'),
  };
  const config = llamaConfig(sizes, !tensors.has('output.weight'), options);
  const named = new Map([...tensors].map(([name, t]) => [ownName(name), t]));
  return loaded(config, fitted(llama, resolved(config), named));
}

function llamaConfig(
  sizes: Pick<DecoderConfig, 'dim' | 'layers' | 'heads' | 'vocab' | 'maxLength'> & {
    readonly ffDim: number;
    readonly kvHeads: number;
  },
  tieEmbeddings: boolean,
  { dtype = 'f32' }: LoadOptions,
): DecoderConfig {
  return {
    ...sizes,
    tieEmbeddings,
    dtype,
    normEps: 1e-5,
    positions: ['rope'],
    ropeInterleaved: true,
  };
}

interface Part {
  /** Our name, `#` for the layer. */
  readonly name: string;
  readonly shape: readonly number[];
  readonly count: number;
  readonly size: number;
  /** The rotary tables stand before it. */
  readonly skipBefore: boolean;
}

function layout(config: DecoderConfig): Part[] {
  const { dim, layers, vocab } = config;
  const ffDim = config.ffDim!;
  const kvDim = (dim / config.heads!) * config.kvHeads!;
  const part = (
    name: string,
    shape: readonly number[],
    count = layers,
    skipBefore = false,
  ): Part => {
    const size = shape.reduce((n, d) => n * d, 1);
    return { name, shape, count, size, skipBefore };
  };
  const layer = (name: string, shape: readonly number[]): Part =>
    part(`model.layers.#.${name}.weight`, shape);
  return [
    part('model.embed_tokens.weight', [vocab, dim], 1),
    layer('input_layernorm', [dim]),
    layer('self_attn.q_proj', [dim, dim]),
    layer('self_attn.k_proj', [kvDim, dim]),
    layer('self_attn.v_proj', [kvDim, dim]),
    layer('self_attn.o_proj', [dim, dim]),
    layer('post_attention_layernorm', [dim]),
    layer('mlp.gate_proj', [ffDim, dim]),
    layer('mlp.down_proj', [dim, ffDim]),
    layer('mlp.up_proj', [ffDim, dim]),
    part('model.norm.weight', [dim], 1),
    ...(config.tieEmbeddings === true ? [] : [part('lm_head.weight', [vocab, dim], 1, true)]),
  ];
}

const META_PARTS: ReadonlyMap<string, string> = new Map([
  ['attention_norm', 'input_layernorm'],
  ['attention.wq', 'self_attn.q_proj'],
  ['attention.wk', 'self_attn.k_proj'],
  ['attention.wv', 'self_attn.v_proj'],
  ['attention.wo', 'self_attn.o_proj'],
  ['ffn_norm', 'post_attention_layernorm'],
  ['feed_forward.w1', 'mlp.gate_proj'],
  ['feed_forward.w2', 'mlp.down_proj'],
  ['feed_forward.w3', 'mlp.up_proj'],
]);

function ownName(meta: string): string {
  if (meta === 'tok_embeddings.weight') return 'model.embed_tokens.weight';
  if (meta === 'norm.weight') return 'model.norm.weight';
  if (meta === 'output.weight') return 'lm_head.weight';
  const [, layer, part] = /^layers\.(\d+)\.(.+)\.weight$/.exec(meta) ?? [];
  const own = META_PARTS.get(part ?? '');
  return own === undefined ? meta : `model.layers.${layer}.${own}.weight`;
}

function resolved(config: DecoderConfig): ResolvedDecoderConfig {
  try {
    return resolveDecoderConfig(config);
  } catch (error) {
    if (!(error instanceof ValueError)) throw error;
    throw new CheckpointError(`llama2.c: ${error.message.replace(/^Decoder: /, '')}`);
  }
}

function loaded(config: DecoderConfig, tensors: ReadonlyMap<string, HostTensor>): Decoder {
  const decoder = new Decoder(config, null);
  try {
    decoder.loadStateDict(tensors);
  } catch (error) {
    decoder.dispose();
    throw error;
  }
  return decoder;
}
