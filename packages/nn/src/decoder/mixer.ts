/** What blocks and mixers agree on. */
import { type FloatDType, type Tensor, ValueError } from '@loretta-ts/core';
import type { Module } from '../module';
import type { DecoderCache } from './cache';
import type { MixerKind } from './config';
import { StateCache } from './state-cache';

/** What all layers of one forward pass share. */
export interface MixerContext {
  /** i32 [t] or [b, t]; null without rope. */
  readonly positions: Tensor | null;
  /** bool [b, t], false at padding; null where all are real. */
  readonly real: Tensor | null;
  /** bool, as `real`, of all tokens that the cache takes: [b, cache.maxLength]. Without a cache `real`. */
  readonly allReal: Tensor | null;
  /** bool, broadcastable to [b, h, t, s]: true may be seen. For attention alone. */
  readonly mask: Tensor | null;
  /** i32 [b, t]: only the same number is seen. Not with a cache. */
  readonly segments: Tensor | null;
  /** What is kept of earlier tokens; null without. */
  readonly cache: DecoderCache | null;
}

/** Lets tokens see those before them. */
export interface Mixer extends Module {
  /** `[b, t, d] -> [b, t, d]`. */
  forward(x: Tensor, layer: number, context: MixerContext): Tensor;
}

/** The cache of a recurrent mixer. @throws ValueError for one of another mixer */
export function stateOf(cache: DecoderCache | null, mixer: MixerKind): StateCache | null {
  if (cache === null) return null;
  if (cache instanceof StateCache && cache.mixer === mixer) return cache;
  throw wrongCache(cache.mixer, mixer);
}

/** The error for a cache of another mixer. */
export function wrongCache(of: MixerKind, wanted: MixerKind): ValueError {
  return new ValueError(
    'Decoder',
    `the cache is one of mixer '${of}', not of '${wanted}': use makeCache(model.config, batch)`,
  );
}

/** 1 where true, else 0: `bool [b, t] -> [b, t, 1]`. */
export function asNumbers(real: Tensor, dtype: FloatDType): Tensor {
  return real.cast(dtype).unsqueeze(2);
}
