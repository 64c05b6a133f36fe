/** Hugging Face folders: `config.json` to a decoder's configuration, and weights to its names and back. */
import type { FloatDType } from '@loretta-ts/core';
import type { DecoderConfig } from '../decoder/config';
import { CheckpointError } from '../errors';
import type { HostData, HostTensor } from '../host';
import { fromMambaName, mambaConfig, renamed, toMambaName } from './hf-mamba';

/** Families of `config.json` that a `Decoder` can be. */
export type HfFamily = 'llama' | 'mistral' | 'gpt2' | 'mamba';

const FAMILIES: readonly string[] = ['llama', 'mistral', 'gpt2', 'mamba'];

/**
 * The decoder's configuration for a parsed `config.json` of Llama, Mistral, GPT-2 or Mamba.
 * @throws CheckpointError that names the key that is missing or not supported
 */
export function decoderConfigFromHf(
  json: unknown,
  options: { readonly dtype?: FloatDType } = {},
): DecoderConfig {
  const c = new Fields(json);
  const dtype = options.dtype ?? 'f32';
  if (familyOf(c) === 'mamba') return { ...mambaConfig(c), dtype };
  return familyOf(c) === 'gpt2' ? { ...gpt2Config(c), dtype } : { ...llamaConfig(c), dtype };
}

/** Weights under Hugging Face's names, as a `Decoder` of that configuration has them. Buffers are dropped. */
export function fromHfTensors(
  json: unknown,
  tensors: ReadonlyMap<string, HostTensor>,
): Map<string, HostTensor> {
  const c = new Fields(json);
  const family = familyOf(c);
  const tied = c.flag('tie_word_embeddings', family === 'gpt2' || family === 'mamba');
  const out = new Map<string, HostTensor>();
  for (const [name, t] of tensors) {
    if (tied && name === 'lm_head.weight') continue;
    if (family === 'mamba') out.set(fromMambaName(name), t);
    else if (family === 'gpt2') for (const [own, value] of fromGpt2(name, t)) out.set(own, value);
    else if (!name.endsWith('rotary_emb.inv_freq')) out.set(name, t);
  }
  return out;
}

/** The inverse of `fromHfTensors`: a decoder's weights, or their gradients, under Hugging Face's names. */
export function toHfTensors(
  json: unknown,
  tensors: ReadonlyMap<string, HostTensor>,
): Map<string, HostTensor> {
  const family = familyOf(new Fields(json));
  if (family === 'mamba') return renamed(tensors, toMambaName);
  if (family !== 'gpt2') return new Map(tensors);
  const out = new Map<string, HostTensor>();
  for (const [name, t] of tensors) {
    const part = /^(.*)\.self_attn\.q_proj\.(weight|bias)$/.exec(name);
    if (part !== null) {
      const all = ['q_proj', 'k_proj', 'v_proj'].map(
        (p) => tensors.get(`${part[1]}.self_attn.${p}.${part[2]}`)!,
      );
      const joined = joinRows(all);
      const own = `${gpt2Layer(part[1]!)}.attn.c_attn.${part[2]}`;
      out.set(own, part[2] === 'weight' ? transposed(joined) : joined);
    } else if (!/\.self_attn\.[kv]_proj\./.test(name)) {
      const own = gpt2Name(name);
      out.set(own, isConv1d(own) ? transposed(t) : t);
    }
  }
  return out;
}

function familyOf(c: Fields): HfFamily {
  const family = c.string('model_type', '');
  if (!FAMILIES.includes(family)) {
    throw new CheckpointError(
      `config.json: model_type '${family}' is not supported: it must be ${FAMILIES.join(', ')}`,
    );
  }
  return family as HfFamily;
}

function llamaConfig(c: Fields): DecoderConfig {
  c.want('hidden_act', 'silu', ['silu', 'swish']);
  for (const name of ['attention_bias', 'mlp_bias']) {
    if (c.flag(name, false)) c.fail(name, 'is true, which is not supported');
  }
  const scaling = c.nested('rope_scaling') ?? c.nested('rope_parameters');
  const kind = scaling?.string('rope_type', scaling.string('type', 'default')) ?? 'default';
  if (kind !== 'default') c.fail('rope_scaling', `is of type '${kind}', which is not supported`);
  const heads = c.number('num_attention_heads');
  const window = c.number('sliding_window', 0);
  return {
    vocab: c.number('vocab_size'),
    dim: c.number('hidden_size'),
    layers: c.number('num_hidden_layers'),
    heads,
    kvHeads: c.number('num_key_value_heads', heads),
    headDim: c.number('head_dim', c.number('hidden_size') / heads),
    ffDim: c.number('intermediate_size'),
    norm: 'rms',
    normEps: c.number('rms_norm_eps', 1e-6),
    mlp: 'swiglu',
    positions: ['rope'],
    maxLength: c.number('max_position_embeddings', 2048),
    window: c.string('model_type', '') === 'mistral' ? window : 0,
    tieEmbeddings: c.flag('tie_word_embeddings', false),
    ropeTheta: c.number('rope_theta', scaling?.number('rope_theta', 10000) ?? 10000),
  };
}

function gpt2Config(c: Fields): DecoderConfig {
  c.want('activation_function', 'gelu_new', ['gelu_new', 'gelu_pytorch_tanh']);
  for (const name of ['scale_attn_by_inverse_layer_idx', 'add_cross_attention']) {
    if (c.flag(name, false)) c.fail(name, 'is true, which is not supported');
  }
  if (!c.flag('scale_attn_weights', true))
    c.fail('scale_attn_weights', 'is false, which is not supported');
  const dim = c.number('n_embd');
  return {
    vocab: c.number('vocab_size'),
    dim,
    layers: c.number('n_layer'),
    heads: c.number('n_head'),
    ffDim: c.number('n_inner', 4 * dim),
    norm: 'layer',
    normEps: c.number('layer_norm_epsilon', 1e-5),
    mlp: 'gelu',
    positions: ['learned'],
    maxLength: c.number('n_positions', 1024),
    tieEmbeddings: c.flag('tie_word_embeddings', true),
    bias: true,
  };
}

/** One GPT-2 weight under our names; `c_attn` becomes three. Dense weights are stored [in, out]. */
function fromGpt2(name: string, t: HostTensor): [string, HostTensor][] {
  const short = name.replace(/^transformer\./, '');
  if (/\.attn\.(masked_)?bias$/.test(short)) return [];
  const fixed = new Map([
    ['wte.weight', 'model.embed_tokens.weight'],
    ['wpe.weight', 'model.embed_positions.weight'],
    ['ln_f.weight', 'model.norm.weight'],
    ['ln_f.bias', 'model.norm.bias'],
  ]).get(short);
  if (fixed !== undefined) return [[fixed, t]];
  const [, layer, part, kind] = /^h\.(\d+)\.(.+)\.(weight|bias)$/.exec(short) ?? [];
  const own = GPT2_PARTS.get(part ?? '');
  if (part === undefined || (own === undefined && part !== 'attn.c_attn')) return [[name, t]];
  const value = isConv1d(name) ? transposed(t) : t;
  const at = `model.layers.${layer}`;
  if (own !== undefined) return [[`${at}.${own}.${kind}`, value]];
  return splitRows(value, 3).map((rows, i) => [`${at}.self_attn.${'qkv'[i]}_proj.${kind}`, rows]);
}

const GPT2_PARTS: ReadonlyMap<string, string> = new Map([
  ['ln_1', 'input_layernorm'],
  ['ln_2', 'post_attention_layernorm'],
  ['attn.c_proj', 'self_attn.o_proj'],
  ['mlp.c_fc', 'mlp.up_proj'],
  ['mlp.c_proj', 'mlp.down_proj'],
]);

function gpt2Name(own: string): string {
  const fixed = new Map([
    ['model.embed_tokens.weight', 'transformer.wte.weight'],
    ['model.embed_positions.weight', 'transformer.wpe.weight'],
    ['model.norm.weight', 'transformer.ln_f.weight'],
    ['model.norm.bias', 'transformer.ln_f.bias'],
  ]).get(own);
  if (fixed !== undefined) return fixed;
  const [, layer, part, kind] = /^(model\.layers\.\d+)\.(.+)\.(weight|bias)$/.exec(own) ?? [];
  const found = [...GPT2_PARTS].find(([, p]) => p === part);
  return layer === undefined || found === undefined
    ? own
    : `${gpt2Layer(layer)}.${found[0]}.${kind}`;
}

function gpt2Layer(own: string): string {
  return own.replace(/^model\.layers\./, 'transformer.h.');
}

function isConv1d(name: string): boolean {
  return /\.c_(attn|proj|fc)\.weight$/.test(name);
}

function transposed({ dtype, shape, data }: HostTensor): HostTensor {
  const [rows, cols] = shape;
  if (shape.length !== 2 || rows === undefined || cols === undefined) {
    throw new CheckpointError(`a dense weight is [${shape.join(',')}], not [in, out]`);
  }
  const out = data.slice();
  for (let i = 0; i < rows; i++)
    for (let j = 0; j < cols; j++) out[j * rows + i] = data[i * cols + j]!;
  return { dtype, shape: [cols, rows], data: out };
}

function splitRows({ dtype, shape, data }: HostTensor, parts: number): HostTensor[] {
  const [rows = 0, ...rest] = shape;
  if (rows % parts !== 0)
    throw new CheckpointError(`[${shape.join(',')}] does not split into ${parts}`);
  const n = data.length / parts;
  return Array.from({ length: parts }, (_, i) => ({
    dtype,
    shape: [rows / parts, ...rest],
    data: data.slice(i * n, (i + 1) * n),
  }));
}

function joinRows(parts: readonly HostTensor[]): HostTensor {
  const { dtype, shape, data } = parts[0]!;
  const total = parts.reduce((n, p) => n + p.data.length, 0);
  const Kind = data.constructor as new (n: number) => HostData;
  const out = new Kind(total);
  let at = 0;
  for (const p of parts) {
    for (let i = 0; i < p.data.length; i++) out[at++] = p.data[i]!;
  }
  return {
    dtype,
    shape: [parts.reduce((n, p) => n + p.shape[0]!, 0), ...shape.slice(1)],
    data: out,
  };
}

/** Fields of a JSON object with their types; null counts as absent. */
export class Fields {
  private readonly map: ReadonlyMap<string, unknown>;

  constructor(json: unknown) {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new CheckpointError('config.json is not an object');
    }
    this.map = new Map(Object.entries(json));
  }

  number(name: string, fallback?: number): number {
    const value = this.map.get(name) ?? fallback;
    return typeof value === 'number'
      ? value
      : this.fail(name, value === undefined ? 'is missing' : 'is not a number');
  }

  string(name: string, fallback: string): string {
    const value = this.map.get(name) ?? fallback;
    return typeof value === 'string' ? value : this.fail(name, 'is not a string');
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.map.get(name) ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(name, 'is not true or false');
  }

  is(name: string, value: unknown): boolean {
    return this.map.get(name) === value;
  }

  nested(name: string): Fields | null {
    const value = this.map.get(name) ?? null;
    return value === null ? null : new Fields(value);
  }

  want(name: string, fallback: string, allowed: readonly string[]): void {
    const value = this.string(name, fallback);
    if (!allowed.includes(value))
      this.fail(name, `is '${value}', supported are ${allowed.join(', ')}`);
  }

  fail(name: string, message: string): never {
    throw new CheckpointError(`config.json: ${name} ${message}`);
  }
}
