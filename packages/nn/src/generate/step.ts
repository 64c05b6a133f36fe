/** One decoding step, recorded once and replayed for every token: no dispatch, no allocation of intermediates. */
import {
  broadcastTo,
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

/** What a step does around the cache. */
export interface StepParts {
  /** `(tokens: i32[batch], within: i32[rows, 1]?, positions: i32[1] or [rows, 1]) -> [batch, n]`. */
  readonly forward: (tokens: Tensor, within: Tensor | undefined, positions: Tensor) => Tensor;
  /** `[b, n] -> i32[b]`, with the key of the step's random numbers; null where the host chooses. */
  readonly choose: ((logits: Tensor, key: Tensor | null) => Tensor) | null;
  /** i32 [rows, 1]: what positions are behind the place in the cache; null without padding. */
  readonly behind: Tensor | null;
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

/** A captured step on a model and its cache. The place in the cache is counted on the device. */
export class DecodeStep {
  private readonly captured: Captured<StepResult>;
  private readonly cache: KVCache;
  private readonly parts: StepParts;
  /** i32 []: where the next token goes. */
  private readonly start: State;

  /** @param cache holds the prompt */
  constructor(model: Decoder, cache: KVCache, parts: StepParts) {
    const start: State = { value: tensor(cache.length, { dtype: 'i32' }).keep() };
    parts.behind?.keep();
    this.cache = cache;
    this.parts = parts;
    this.start = start;
    const step = (tokens: Tensor, ...rest: Tensor[]): StepResult => {
      const within = parts.within ? rest.shift() : undefined;
      const key = parts.sampled ? rest.shift()! : null;
      const place = start.value;
      start.value = place.add(1);
      cache.place = {
        start: place,
        lengths: broadcastTo(start.value.reshape(1), [cache.batch]),
      };
      try {
        const positions = place.reshape(1);
        const logits = parts.forward(
          tokens,
          within,
          parts.behind === null ? positions : positions.sub(parts.behind),
        );
        return { logits, tokens: parts.choose?.(logits, key) ?? null };
      } finally {
        cache.place = null;
      }
    };
    this.captured = capture(step, {
      state: [...model.parameters(), ...cache.states(), start],
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

  /** Frees the program and what it counts with; the cache stays. */
  dispose(): void {
    this.captured.dispose();
    this.start.value.dispose();
    this.parts.behind?.dispose();
  }
}
