/** Causal self-attention with grouped heads over the fused op. */
import { attention, type Key, rope, type Tensor } from '@loretta-ts/core';
import { Linear } from '../layers/linear';
import { Module } from '../module';
import type { ResolvedDecoderConfig } from './config';
import { type Attended, KeyValueCache } from './kv-cache';
import { type Mixer, type MixerContext, wrongCache } from './mixer';

/** softmax(QKᵀ / √d, causal) V, with `heads / kvHeads` queries to each key (Ainslie et al. 2023). */
export class CausalSelfAttention extends Module implements Mixer {
  /** Queries: `[heads · headDim, dim]`. */
  readonly q_proj: Linear;
  /** Keys: `[kvHeads · headDim, dim]`. */
  readonly k_proj: Linear;
  /** Values: `[kvHeads · headDim, dim]`. */
  readonly v_proj: Linear;
  /** Back to the residual stream: `[dim, heads · headDim]`. */
  readonly o_proj: Linear;
  private readonly config: ResolvedDecoderConfig;

  /** @param config a resolved configuration @param key null makes zeros */
  constructor(config: ResolvedDecoderConfig, key: Key | null) {
    super();
    const { dim, heads, kvHeads, headDim, bias, initStd: std, dtype, layers } = config;
    const sub = (i: number): Key | null => key?.fold(i) ?? null;
    this.q_proj = new Linear(dim, heads * headDim, { bias, std, dtype, key: sub(0) });
    this.k_proj = new Linear(dim, kvHeads * headDim, { bias, std, dtype, key: sub(1) });
    this.v_proj = new Linear(dim, kvHeads * headDim, { bias, std, dtype, key: sub(2) });
    const residualStd = std / Math.sqrt(2 * layers);
    this.o_proj = new Linear(heads * headDim, dim, { bias, std: residualStd, dtype, key: sub(3) });
    this.config = config;
  }

  /** `[b, t, d] -> [b, t, d]`. */
  forward(x: Tensor, layer: number, context: MixerContext): Tensor {
    const { heads, kvHeads, headDim, window, causal } = this.config;
    const [b, t] = x.shape as [number, number, number];
    const q = this.rotate(this.q_proj.forward(x).reshape(b, t, heads, headDim), context); // [b, t, h, d]
    const k = this.rotate(this.k_proj.forward(x).reshape(b, t, kvHeads, headDim), context); // [b, t, hkv, d]
    const v = this.v_proj.forward(x).reshape(b, t, kvHeads, headDim); // [b, t, hkv, d]
    const { segments } = context;
    const { keys, values, real, lengths } = attended(k, v, layer, context);
    const mask = visible(real, context.mask);
    const o = attention(q, keys, values, {
      causal,
      window,
      scale: 1 / Math.sqrt(headDim),
      ...(mask === null ? {} : { mask }),
      ...(segments === null ? {} : { segments }),
      ...(lengths === null ? {} : { lengths }),
    }); // [b, t, h, d]
    return this.o_proj.forward(o.reshape(b, t, heads * headDim));
  }

  private rotate(x: Tensor, { positions }: MixerContext): Tensor {
    if (positions === null) return x;
    const { ropeTheta: theta, ropeInterleaved: interleaved } = this.config;
    return rope(x, positions, { theta, interleaved });
  }
}

/** The new keys and values, with those of the cache. */
function attended(
  keys: Tensor,
  values: Tensor,
  layer: number,
  { cache, real, allReal }: MixerContext,
): Attended {
  if (cache === null) return { keys, values, real, lengths: null };
  if (cache instanceof KeyValueCache) return cache.extend(layer, keys, values, allReal);
  throw wrongCache(cache.mixer, 'attention');
}

/** bool, broadcastable to [b, h, t, s]. */
function visible(real: Tensor | null, mask: Tensor | null): Tensor | null {
  if (real === null) return mask;
  const keys = real.unsqueeze(1).unsqueeze(1); // [b, 1, 1, s]
  return mask === null ? keys : keys.and(mask);
}
