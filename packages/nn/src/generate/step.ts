/** One decoding step, recorded once and replayed for every token: no dispatch, no allocation of intermediates. */
import {
  type Captured,
  capture,
  full,
  type Key,
  type State,
  type Tensor,
  tensor,
  tidy,
} from '@loretta-ts/core';
import type { KVCache } from '../decoder/cache';
import type { Decoder } from '../decoder/decoder';

/** What a step does around the decoder. */
export interface StepParts {
  /** `[batch] -> [rows, 1]`: the tokens of all rows of the cache. */
  readonly rows: (tokens: Tensor) => Tensor;
  /** `[rows, d] -> [b, n]`. */
  readonly logits: (hidden: Tensor) => Tensor;
  /** `[b, n] -> i32[b]`, with the key of the step's random numbers; null where the host chooses. */
  readonly choose: ((logits: Tensor, key: Tensor | null) => Tensor) | null;
  /** bool [rows, cache.maxLength], false at padding; null without. */
  readonly seenKeys: Tensor | null;
  /** i32 [rows, 1]: real tokens of the prompt, where padding makes them differ. */
  readonly realTokens: Tensor | null;
  /** The choice is random. */
  readonly sampled: boolean;
  /** The decoder has within-block positions. */
  readonly within: boolean;
}

/** What a step gives; both belong to the caller. */
export interface StepResult {
  /** `[b, n]`. */
  readonly logits: Tensor;
  /** i32 [b]: the choice from these logits; null where the host chooses. */
  readonly tokens: Tensor | null;
}

/** A captured step on a model and its cache. Position and lengths are counted on the device. */
export class DecodeStep {
  private readonly captured: Captured<StepResult>;
  private readonly cache: KVCache;
  private readonly parts: StepParts;
  private readonly counters: readonly State[];

  /** @param cache holds the prompt */
  constructor(model: Decoder, cache: KVCache, parts: StepParts) {
    const { length, batch } = cache;
    const counter = (t: Tensor): State => ({ value: t.keep() });
    const counters = tidy(() => ({
      start: counter(tensor(length, { dtype: 'i32' })),
      lengths: counter(full([batch], length + 1, { dtype: 'i32' })),
      position: counter(
        parts.realTokens === null
          ? full([1], length, { dtype: 'i32' })
          : parts.realTokens.reshape(...parts.realTokens.shape).add(0),
      ),
    }));
    this.cache = cache;
    this.parts = parts;
    this.counters = Object.values(counters);
    const { start, lengths, position } = counters;
    const step = (tokens: Tensor, ...rest: Tensor[]): StepResult => {
      const within = parts.within ? rest.shift() : undefined;
      const key = parts.sampled ? rest.shift()! : null;
      cache.place = { start: start.value, lengths: lengths.value };
      try {
        const hidden = model.forward(parts.rows(tokens), {
          cache,
          positions: position.value,
          ...(within === undefined ? {} : { within }),
          ...(parts.seenKeys === null ? {} : { attentionMask: parts.seenKeys }),
        }); // [rows, 1, d]
        for (const c of [start, lengths, position]) c.value = c.value.add(1);
        const logits = parts.logits(hidden.reshape(batch, model.config.dim));
        return { logits, tokens: parts.choose?.(logits, key) ?? null };
      } finally {
        cache.place = null;
      }
    };
    this.captured = capture(step, {
      state: [...model.parameters(), ...cache.states(), ...this.counters],
    });
  }

  /** Feeds `tokens` i32 [batch]. `key` is that of the choice from the new logits. */
  run(tokens: Tensor, within: number | undefined, key: Key | null): StepResult {
    const result = tidy(() => {
      const rest: Tensor[] = [];
      if (this.parts.within) rest.push(full([this.cache.batch, 1], within!, { dtype: 'i32' }));
      if (this.parts.sampled) rest.push(key!.tensor());
      const { logits, tokens: chosen } = this.captured.call(tokens, ...rest);
      return { logits: logits.keep(), tokens: chosen?.keep() ?? null };
    });
    this.cache.advance(1);
    return result;
  }

  /** Frees the program and the counters; the cache stays. */
  dispose(): void {
    this.captured.dispose();
    for (const { value } of this.counters) value.dispose();
  }
}
