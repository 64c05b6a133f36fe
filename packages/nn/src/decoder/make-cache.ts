/** The cache that a configuration wants. */
import { construct } from '@loretta-ts/core';
import type { DecoderCache } from './cache';
import type { ResolvedDecoderConfig } from './config';
import { makeHyenaCache } from './hyena';
import { KVCache, RollingKVCache } from './kv-cache';
import { makeMambaCache } from './mamba';

/**
 * Empty memory for a generation. Attention keeps all keys and values, with a `window` a ring of so many; Mamba a state of
 * one size; Hyena `[b, maxLength, dim]` of gated inputs and its filters.
 * @param maxLength tokens that it takes, at most; default `config.maxLength`
 * @throws ValueError when a size does not fit
 */
export function makeCache(
  config: ResolvedDecoderConfig,
  batch: number,
  maxLength: number = config.maxLength,
): DecoderCache {
  return construct(() => {
    switch (config.mixer) {
      case 'attention':
        return config.window > 0 && config.window < maxLength
          ? new RollingKVCache(config, batch, maxLength)
          : new KVCache(config, batch, maxLength);
      case 'mamba':
        return makeMambaCache(config, batch, maxLength);
      case 'hyena':
        return makeHyenaCache(config, batch, maxLength);
    }
  });
}
