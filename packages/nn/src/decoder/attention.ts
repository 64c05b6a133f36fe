/** Causal self-attention with grouped heads over the fused op. */
import { attention, type Key, rope, type Tensor } from '@loretta-ts/core';
import { Linear } from '../layers/linear';
import { Module } from '../module';
import type { KVCache } from './cache';
import type { ResolvedDecoderConfig } from './config';

/** What all layers of one forward pass share. */
export interface AttentionContext {
  /** i32 [t] or [b, t]; null without rope. */
  readonly positions: Tensor | null;
  /** bool, broadcastable to [b, h, t, s]: true may be seen. */
  readonly mask: Tensor | null;
  /** i32 [b, t]: only the same number is seen. */
  readonly segments: Tensor | null;
  /** Keys and values of earlier tokens; null without one. */
  readonly cache: KVCache | null;
  /** i32 [b]: keys that are there, with a cache that was not empty. */
  readonly lengths: Tensor | null;
}

/** softmax(QKᵀ / √d, causal) V, with `heads / kvHeads` queries to each key (Ainslie et al. 2023). */
export class CausalSelfAttention extends Module {
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
  forward(x: Tensor, layer: number, context: AttentionContext): Tensor {
    const { heads, kvHeads, headDim, window, causal } = this.config;
    const [b, t] = x.shape as [number, number, number];
    const q = this.rotate(this.q_proj.forward(x).reshape(b, t, heads, headDim), context); // [b, t, h, d]
    const k = this.rotate(this.k_proj.forward(x).reshape(b, t, kvHeads, headDim), context); // [b, t, hkv, d]
    const v = this.v_proj.forward(x).reshape(b, t, kvHeads, headDim); // [b, t, hkv, d]
    const { mask, segments, cache, lengths } = context;
    const stored = cache?.write(layer, k, v);
    const past = stored !== undefined && lengths !== null;
    const o = attention(q, past ? stored.keys : k, past ? stored.values : v, {
      causal,
      window,
      scale: 1 / Math.sqrt(headDim),
      ...(mask === null ? {} : { mask }),
      ...(segments === null ? {} : { segments }),
      ...(past ? { lengths } : {}),
    }); // [b, t, h, d]
    return this.o_proj.forward(o.reshape(b, t, heads * headDim));
  }

  private rotate(x: Tensor, { positions }: AttentionContext): Tensor {
    if (positions === null) return x;
    const { ropeTheta: theta, ropeInterleaved: interleaved } = this.config;
    return rope(x, positions, { theta, interleaved });
  }
}
