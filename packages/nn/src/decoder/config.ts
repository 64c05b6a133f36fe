/** The decoder's configuration: a few fields, checked before anything is allocated. */
import { type FloatDType, ValueError } from '@loretta-ts/core';

/**
 * How a token knows where it is: `rope` turns queries and keys by the absolute position, `learned` adds a row of a
 * table by absolute position, `within-block` adds a row of a table by ids that the caller gives (for LoReTTa: the
 * index inside the modality's block, one range of rows per modality).
 */
export type PositionKind = 'rope' | 'learned' | 'within-block';

/**
 * What mixes tokens: softmax attention; a selective state space (Gu and Dao 2023, Mamba), whose blocks have no MLP; or
 * the Hyena operator of order 2, a gated long convolution (Poli et al. 2023).
 */
export type MixerKind = 'attention' | 'mamba' | 'hyena';

/** What `Decoder` is built from. Plain JSON. Fields of other mixers are checked, and have no effect. */
export interface DecoderConfig {
  /** Number of token ids. */
  readonly vocab: number;
  /** Width of the residual stream. */
  readonly dim: number;
  /** Number of blocks. */
  readonly layers: number;
  /** Heads of queries; needed with attention. */
  readonly heads?: number;
  /** Heads of keys and values, a divisor of `heads`; default `heads`. */
  readonly kvHeads?: number;
  /** Width of a head; default dim / heads. */
  readonly headDim?: number;
  /** Inner width of the MLP; default 8/3 · dim rounded up to a multiple of 8 (swiglu) or 4 · dim (gelu). */
  readonly ffDim?: number;
  /** Default `rms`. */
  readonly norm?: 'rms' | 'layer';
  /** Default 1e-5. */
  readonly normEps?: number;
  /** Default `swiglu`; `gelu` is the tanh approximation. */
  readonly mlp?: 'swiglu' | 'gelu';
  /** Default `rope` with attention, else none (`[]`); kinds may be combined. `rope` is for attention alone. */
  readonly positions?: PositionKind | readonly PositionKind[];
  /** Longest sequence: rows of the learned table, length of Hyena's filters, and the default length of a cache. */
  readonly maxLength: number;
  /** Rows of the within-block table; needed with `within-block`. */
  readonly withinLength?: number;
  /** A token sees those before it only; default true. Without it the model is an encoder, as BERT, and generates nothing. */
  readonly causal?: boolean;
  /** A query of attention sees this many last keys, its own included; 0 (default) is all. */
  readonly window?: number;
  /** Default `attention`. */
  readonly mixer?: MixerKind;
  /** Mamba: width of its inner stream, as a multiple of `dim`; default 2. */
  readonly expand?: number;
  /** Mamba: numbers of state to each inner channel, N; default 16. */
  readonly stateDim?: number;
  /** Mamba: rank of the projection that step sizes come from; default dim / 16, rounded up. */
  readonly dtRank?: number;
  /** Mamba and Hyena: taps of the short convolution; default 4 and 3. */
  readonly convKernel?: number;
  /** Hyena: width of the network that its filters come from; default 64. */
  readonly filterDim?: number;
  /** The output layer is the embedding table; default false. */
  readonly tieEmbeddings?: boolean;
  /** Biases in the dense layers; default false. */
  readonly bias?: boolean;
  /** On embeddings and on both branches of a block, where a key is given; default 0. */
  readonly dropout?: number;
  /** Default 10000. */
  readonly ropeTheta?: number;
  /** Pairs (2k, 2k + 1), as Meta's and llama2.c's weights want; default false: halves, as Hugging Face's. */
  readonly ropeInterleaved?: boolean;
  /** Deviation of dense weights; those that write to the residual stream have it divided by √n, n their number. Default 0.02. */
  readonly initStd?: number;
  /** Deviation of embeddings and position tables; default 0.1. */
  readonly embeddingStd?: number;
  /** Takes and gives real vectors beside ids (GIVT, Tschannen et al. 2023); null (default) is none. */
  readonly latent?: LatentConfig | null;
  /** Default `f32`; `f64` on backends that have it. */
  readonly dtype?: FloatDType;
}

/** Tokens that are real vectors: a projection in, the parameters of a mixture of Gaussians out. */
export interface LatentConfig {
  /** Numbers z of a vector. */
  readonly dim: number;
  /** Gaussians k of the mixture. */
  readonly components: number;
}

/** A configuration with every default filled in. */
export interface ResolvedDecoderConfig extends Required<DecoderConfig> {
  readonly positions: readonly PositionKind[];
}

const KINDS: readonly PositionKind[] = ['rope', 'learned', 'within-block'];
const FIELDS = [
  ...[
    'vocab',
    'dim',
    'layers',
    'heads',
    'kvHeads',
    'headDim',
    'ffDim',
    'norm',
    'normEps',
    'mlp',
    'positions',
  ],
  ...[
    'maxLength',
    'withinLength',
    'causal',
    'window',
    'mixer',
    'expand',
    'stateDim',
    'dtRank',
    'convKernel',
    'filterDim',
    'tieEmbeddings',
    'bias',
    'dropout',
    'ropeTheta',
  ],
  ...['ropeInterleaved', 'initStd', 'embeddingStd', 'latent', 'dtype'],
];

/**
 * Fills in defaults and checks every field.
 * @throws ValueError that names the field
 */
export function resolveDecoderConfig(config: DecoderConfig): ResolvedDecoderConfig {
  for (const name of Object.keys(config)) {
    if (!FIELDS.includes(name)) fail(name, `is not a field: it is one of ${FIELDS.join(', ')}`);
  }
  const mixer = oneOf('mixer', config.mixer ?? 'attention', ['attention', 'mamba', 'hyena']);
  const attends = mixer === 'attention';
  const kinds = config.positions ?? (attends ? ['rope'] : []);
  const positions: readonly PositionKind[] = typeof kinds === 'string' ? [kinds] : kinds;
  if (attends && config.heads === undefined) fail('heads', "is needed with mixer 'attention'");
  const heads = count('heads', config.heads ?? 1, 1);
  const dim = count('dim', config.dim, 1);
  const mlp = oneOf('mlp', config.mlp ?? 'swiglu', ['swiglu', 'gelu']);
  if (attends && config.headDim === undefined && dim % heads !== 0) {
    fail('dim', `is ${dim}, which ${heads} heads do not divide: change one, or give headDim`);
  }
  const c: ResolvedDecoderConfig = {
    vocab: count('vocab', config.vocab, 1),
    dim,
    layers: count('layers', config.layers, 0),
    heads,
    kvHeads: count('kvHeads', config.kvHeads ?? heads, 1),
    headDim: count('headDim', config.headDim ?? Math.ceil(dim / heads), 1),
    ffDim: count('ffDim', config.ffDim ?? (mlp === 'gelu' ? 4 * dim : 8 * Math.ceil(dim / 3)), 1),
    norm: oneOf('norm', config.norm ?? 'rms', ['rms', 'layer']),
    normEps: positive('normEps', config.normEps ?? 1e-5),
    mlp,
    positions: positions.map((p) => oneOf('positions', p, KINDS)),
    maxLength: count('maxLength', config.maxLength, 1),
    withinLength: count('withinLength', config.withinLength ?? 0, 0),
    causal: flag('causal', config.causal ?? true),
    window: count('window', config.window ?? 0, 0),
    mixer,
    expand: count('expand', config.expand ?? 2, 1),
    stateDim: count('stateDim', config.stateDim ?? 16, 1),
    dtRank: count('dtRank', config.dtRank ?? Math.ceil(dim / 16), 1),
    convKernel: count('convKernel', config.convKernel ?? (mixer === 'hyena' ? 3 : 4), 1),
    filterDim: count('filterDim', config.filterDim ?? 64, 1),
    tieEmbeddings: flag('tieEmbeddings', config.tieEmbeddings ?? false),
    bias: flag('bias', config.bias ?? false),
    dropout: config.dropout ?? 0,
    ropeTheta: positive('ropeTheta', config.ropeTheta ?? 10000),
    ropeInterleaved: flag('ropeInterleaved', config.ropeInterleaved ?? false),
    initStd: positive('initStd', config.initStd ?? 0.02),
    embeddingStd: positive('embeddingStd', config.embeddingStd ?? 0.1),
    latent: latent(config.latent ?? null),
    dtype: oneOf('dtype', config.dtype ?? 'f32', ['f32', 'f64']),
  };
  if (c.heads % c.kvHeads !== 0)
    fail('kvHeads', `is ${c.kvHeads}, which does not divide ${c.heads} heads`);
  if (!(c.dropout >= 0 && c.dropout < 1)) fail('dropout', `is ${c.dropout}, not in [0, 1)`);
  if (!c.causal && c.window > 0) {
    fail('window', `is ${c.window}, but a window is of causal attention: leave it out`);
  }
  if (!c.causal && !attends) {
    fail('causal', `is false, but mixer '${mixer}' only looks back: use 'attention'`);
  }
  if (!attends) checkWithoutAttention(c);
  else if (c.positions.includes('rope') && c.headDim % 2 !== 0) {
    fail('headDim', `is ${c.headDim}, which rope cannot pair: make it even`);
  }
  if (c.positions.includes('within-block') && c.withinLength === 0) {
    fail(
      'withinLength',
      "is needed with positions 'within-block': the number of rows of its table",
    );
  }
  return c;
}

function checkWithoutAttention({ mixer, positions, window }: ResolvedDecoderConfig): void {
  if (positions.includes('rope')) {
    fail(
      'positions',
      `include 'rope', which turns queries and keys, and mixer '${mixer}' has none: it knows the order, or use 'learned'`,
    );
  }
  if (window > 0) fail('window', `is ${window}, but is for mixer 'attention' alone: leave it out`);
}

function fail(field: string, message: string): never {
  throw new ValueError('Decoder', `${field} ${message}`);
}

function count(field: string, value: number, least: number): number {
  if (!Number.isSafeInteger(value) || value < least)
    fail(field, `is ${value}, not an integer from ${least} up`);
  return value;
}

function latent(value: LatentConfig | null): LatentConfig | null {
  if (value === null) return null;
  if (typeof value !== 'object') fail('latent', `is ${String(value)}, not { dim, components }`);
  const { dim, components, ...rest } = value;
  const [unknown] = Object.keys(rest);
  if (unknown !== undefined) fail('latent', `has ${unknown}: it is { dim, components }`);
  return {
    dim: count('latent.dim', dim, 1),
    components: count('latent.components', components, 1),
  };
}

function positive(field: string, value: number): number {
  if (!(value > 0 && Number.isFinite(value))) fail(field, `is ${value}, not a positive number`);
  return value;
}

function flag(field: string, value: boolean): boolean {
  if (typeof value !== 'boolean') fail(field, `is ${String(value)}, not true or false`);
  return value;
}

function oneOf<T extends string>(field: string, value: T, allowed: readonly T[]): T {
  if (!allowed.includes(value)) fail(field, `is '${value}', not one of ${allowed.join(', ')}`);
  return value;
}
