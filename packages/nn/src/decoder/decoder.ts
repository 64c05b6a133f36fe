/** The decoder-only language model: GPT-2, Llama, Mistral and Mamba are configurations of it. */
import {
  construct,
  cumsum,
  DTypeError,
  full,
  iota,
  type Key,
  maximum,
  ShapeError,
  sameShape,
  type Tensor,
  ValueError,
} from '@loretta-ts/core';
import { dropout } from '../layers/dropout';
import { Embedding } from '../layers/embedding';
import { Linear, linear } from '../layers/linear';
import type { LayerNorm, RMSNorm } from '../layers/norm';
import { mixtureSize } from '../latent/mixture';
import { Module } from '../module';
import { type Block, makeBlock, makeNorm } from './block';
import type { DecoderCache } from './cache';
import { type DecoderConfig, type ResolvedDecoderConfig, resolveDecoderConfig } from './config';
import { checkHyenaLength } from './hyena';
import { RollingKVCache } from './kv-cache';
import { type MixerContext, wrongCache } from './mixer';
import { Recent } from './recent';

/** Options of a forward pass. */
export interface ForwardOptions {
  /** i32 [t] or [b, t]: absolute positions for rope and the learned table; default 0, 1, … (from the cache's length on). */
  readonly positions?: Tensor;
  /** i32 [b, t]: rows of the within-block table; needed with positions `within-block`. */
  readonly within?: Tensor;
  /** `[b, t, z]`: vectors of latent tokens, zeros at the others; added, projected, to the embeddings. Needs `latent`. */
  readonly latents?: Tensor;
  /** i32 [b, t]: tokens see only tokens of the same number (packed sequences). Not with a cache, and not with Hyena. */
  readonly segments?: Tensor;
  /** bool [b, t], false at padding; with a cache [b, cache.maxLength]. Default positions then count real tokens only. */
  readonly attentionMask?: Tensor;
  /** bool, broadcastable to [b, h, t, s]: true may be seen, under the causal mask. For attention, not with a rolling cache. */
  readonly mask?: Tensor;
  /** Dropout's key; without one the pass is evaluation. */
  readonly key?: Key | null;
  /** Goes on behind the tokens that it has taken, and adds these (`makeCache`). */
  readonly cache?: DecoderCache;
}

/** Embeddings, blocks and the final norm, under the names of Hugging Face's Llama; Mamba's blocks under its own. */
export class DecoderStack extends Module {
  /** Token embeddings `[v, d]`. */
  readonly embed_tokens: Embedding;
  /** Table by absolute position `[maxLength, d]`; null without `learned` positions. */
  readonly embed_positions: Embedding | null;
  /** Table by place in the block `[withinLength, d]`; null without `within-block` positions. */
  readonly within_positions: Embedding | null;
  /** Blocks, first to last. */
  readonly layers: readonly Block[];
  /** Final norm. */
  readonly norm: LayerNorm | RMSNorm;

  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super();
    const { vocab, dim, maxLength, withinLength, positions, embeddingStd: std, dtype } = config;
    const table = (rows: number, stream: number): Embedding =>
      new Embedding(rows, dim, { key: key?.fold(stream) ?? null, std, dtype });
    this.embed_tokens = table(vocab, 0);
    this.embed_positions = positions.includes('learned') ? table(maxLength, 1) : null;
    this.within_positions = positions.includes('within-block') ? table(withinLength, 2) : null;
    this.layers = Array.from({ length: config.layers }, (_, i) =>
      makeBlock(config, key?.fold(16 + i) ?? null),
    );
    this.norm = makeNorm(config);
  }
}

/** A causal language model over one vocabulary of token ids. */
export class Decoder extends Module {
  /** The configuration with its defaults. */
  readonly config: ResolvedDecoderConfig;
  /** Everything up to the final norm. */
  readonly model: DecoderStack;
  /** Output layer `[v, d]`; null where the embeddings are it. */
  readonly lm_head: Linear | null;
  /** Vectors to the residual stream, `[d, z]`, without bias, so zeros add nothing; null without `latent`. */
  readonly latent_in: Linear | null;
  /** Hidden states to the parameters of mixtures, `[k (1 + 2 z), d]`; null without `latent`. */
  readonly latent_head: Linear | null;
  /** @internal Programs that earlier generations recorded. Here they hold no device memory but constants. */
  readonly decodings: Recent<Disposable> = new Recent(16);

  /**
   * @param key draws the weights; null makes zeros, to be loaded
   * @throws ValueError that names the wrong field
   */
  constructor(config: DecoderConfig, key: Key | null) {
    super();
    this.config = resolveDecoderConfig(config);
    const { dim, vocab, latent, tieEmbeddings, initStd: std, dtype } = this.config;
    const dense = (from: number, to: number, stream: number, deviation: number): Linear =>
      new Linear(from, to, { key: key?.fold(stream) ?? null, std: deviation, dtype });
    const parts = construct(() => ({
      model: new DecoderStack(this.config, key),
      head: tieEmbeddings ? null : dense(dim, vocab, 3, std),
      // a latent token has the deviation of an embedding beside its placeholder's
      latentIn:
        latent === null
          ? null
          : dense(latent.dim, dim, 4, this.config.embeddingStd / Math.sqrt(latent.dim)),
      latentHead:
        latent === null ? null : dense(dim, mixtureSize(latent.dim, latent.components), 5, std),
    }));
    this.model = parts.model;
    this.lm_head = parts.head;
    this.latent_in = parts.latentIn;
    this.latent_head = parts.latentHead;
  }

  /** Frees every parameter. */
  override dispose(): void {
    super.dispose();
    this.decodings.dispose();
  }

  /**
   * `i32[b, t] -> [b, t, d]`: hidden states after the final norm.
   * @throws ShapeError, DTypeError, ValueError when an option does not fit
   */
  forward(ids: Tensor, options: ForwardOptions = {}): Tensor {
    return this.run(ids, options, null);
  }

  /**
   * `[..., d] -> [..., v]`. Apart from `forward` so that a loss can be computed at chosen positions only.
   * @param range ids from the first to before the second only: `[..., to - from]`, and less work
   */
  logits(hidden: Tensor, range: readonly [from: number, to: number] | null = null): Tensor {
    const table = (this.lm_head ?? this.model.embed_tokens).weight.value; // [v, d]
    return linear(hidden, range === null ? table : table.narrow(0, range[0], range[1] - range[0]));
  }

  /**
   * `[..., d] -> [..., k (1 + 2 z)]`: the mixture of the next vector, for `mixtureNll` and `sampleMixture`.
   * @throws ValueError without `latent`
   */
  latentParams(hidden: Tensor): Tensor {
    if (this.latent_head === null) throw withoutLatents('latentParams');
    return this.latent_head.forward(hidden);
  }

  /** `[b, t, d]` each: the embeddings, the residual stream after every layer, and that after the final norm. */
  hiddenStates(ids: Tensor, options: ForwardOptions = {}): Tensor[] {
    const states: Tensor[] = [];
    states.push(this.run(ids, options, states));
    return states;
  }

  private run(ids: Tensor, options: ForwardOptions, states: Tensor[] | null): Tensor {
    const context = this.context(ids, options);
    const t = ids.shape[1]!;
    const key = options.key ?? null;
    let x = this.embed(ids, options, context); // [b, t, d]
    if (key !== null && this.config.dropout > 0) x = dropout(x, this.config.dropout, key.fold(0));
    states?.push(x);
    this.model.layers.forEach((block, i) => {
      x = block.forward(x, i, context, key?.fold(i + 1) ?? null);
      states?.push(x);
    });
    options.cache?.advance(t);
    return this.model.norm.forward(x);
  }

  private embed(ids: Tensor, { within, latents }: ForwardOptions, { absolute }: Context): Tensor {
    const { embed_tokens, embed_positions, within_positions } = this.model;
    let x = embed_tokens.forward(ids); // [b, t, d]
    if (embed_positions !== null) x = x.add(embed_positions.forward(absolute!));
    if (within_positions !== null) x = x.add(within_positions.forward(within!));
    if (latents !== undefined) x = x.add(this.latent_in!.forward(latents));
    return x;
  }

  private context(ids: Tensor, options: ForwardOptions): Context {
    const { cache = null, segments = null, attentionMask = null } = options;
    const [b, t] = ids.shape as [number, number];
    const { positions } = this.config;
    const start = cache?.length ?? 0;
    this.check(ids, options, start);
    cache?.check(b, t);
    const needed = positions.includes('rope') || positions.includes('learned');
    const absolute = needed
      ? (options.positions ?? defaultPositions(attentionMask, start, t))
      : null;
    return {
      absolute,
      positions: positions.includes('rope') ? absolute : null,
      real: cache === null ? attentionMask : cache.realTokens(attentionMask, t),
      allReal: attentionMask,
      mask: options.mask ?? null,
      segments,
      cache,
    };
  }

  private check(ids: Tensor, options: ForwardOptions, start: number): void {
    const { cache, segments, attentionMask, within, positions } = options;
    if (ids.rank !== 2) {
      throw new ShapeError(
        'Decoder',
        `ids [${ids.shape.join(',')}] are not [b, t]: reshape(1, -1) for one row`,
        [ids.shape],
      );
    }
    if (ids.dtype !== 'i32')
      throw new DTypeError('Decoder', `ids are ${ids.dtype}: .cast('i32')`, [ids.dtype]);
    const [b, t] = ids.shape as [number, number];
    const kinds = this.config.positions;
    if (kinds.includes('within-block') !== (within !== undefined)) {
      throw new ValueError(
        'Decoder',
        within === undefined
          ? "positions 'within-block' need the option within: i32 [b, t]"
          : "the option within is given, but positions do not include 'within-block'",
      );
    }
    this.checkLatents(options.latents, b, t);
    expectShape('within', within, [b, t]);
    expectShape('segments', segments, [b, t]);
    expectShape('attentionMask', attentionMask, [b, cache?.maxLength ?? t]);
    if (positions !== undefined && positions.rank !== 1)
      expectShape('positions', positions, [b, t]);
    else expectShape('positions', positions, [t]);
    if (cache !== undefined && !this.config.causal) {
      throw new ValueError(
        'Decoder',
        'a cache is for causal models: without `causal` earlier tokens see later ones, so run the whole sequence',
      );
    }
    if (cache !== undefined && segments !== undefined) {
      throw new ValueError(
        'Decoder',
        'segments do not go with a cache: decode packed sequences one by one',
      );
    }
    this.checkMixer(options, start + t);
    if (kinds.includes('learned') && positions === undefined && start + t > this.config.maxLength) {
      throw new ValueError(
        'Decoder',
        `${start + t} tokens, but the learned table has ${this.config.maxLength} positions (maxLength)`,
      );
    }
  }

  private checkLatents(latents: Tensor | undefined, b: number, t: number): void {
    if (latents === undefined) return;
    const { latent, dtype } = this.config;
    if (latent === null) throw withoutLatents('the option latents');
    expectShape('latents', latents, [b, t, latent.dim]);
    if (latents.dtype === dtype) return;
    throw new DTypeError('Decoder', `latents are ${latents.dtype}: .cast('${dtype}')`, [
      latents.dtype,
    ]);
  }

  /** What is not for every mixer. */
  private checkMixer({ cache, segments, mask }: ForwardOptions, tokens: number): void {
    const { mixer } = this.config;
    if (cache !== undefined && cache.mixer !== mixer) throw wrongCache(cache.mixer, mixer);
    if (mask !== undefined && (mixer !== 'attention' || cache instanceof RollingKVCache)) {
      throw new ValueError(
        'Decoder',
        `the option mask chooses keys, and ${mixer === 'attention' ? 'a rolling cache' : `mixer '${mixer}'`} has no place for each: use attentionMask for padding`,
      );
    }
    if (mixer !== 'hyena') return;
    if (segments !== undefined) {
      throw new ValueError(
        'Decoder',
        "segments do not go with mixer 'hyena', whose filters reach over them: give each sequence a row",
      );
    }
    checkHyenaLength(this.config, tokens);
  }
}

function withoutLatents(what: string): ValueError {
  return new ValueError(
    'Decoder',
    `${what} needs the configuration's field latent: { dim, components }`,
  );
}

interface Context extends MixerContext {
  /** i32 [t] or [b, t]; null when nothing needs it. */
  readonly absolute: Tensor | null;
}

/** i32 [t], or [b, t] that count real tokens only. */
function defaultPositions(attentionMask: Tensor | null, start: number, t: number): Tensor {
  if (attentionMask === null) return iota(t, { start });
  const counted = cumsum(attentionMask.cast('i32'), 1).sub(1); // [b, s]
  return maximum(counted.narrow(1, start, t), full([], 0, { dtype: 'i32' })); // [b, t]
}

function expectShape(name: string, t: Tensor | undefined, shape: readonly number[]): void {
  if (t === undefined || sameShape(t.shape, shape)) return;
  throw new ShapeError('Decoder', `${name} is [${t.shape.join(',')}], not [${shape.join(',')}]`, [
    t.shape,
  ]);
}
