/** A static key-value cache: memory for all steps is there from the start, and every step writes into it. */
import { type State, type Tensor, updateSlice, ValueError, zeros } from '@loretta-ts/core';
import type { ResolvedDecoderConfig } from './config';

/** Keys and values of every layer, `[b, maxLength, kvHeads, headDim]`, of which the first `length` are there. */
export class KVCache {
  /** Rows b. */
  readonly batch: number;
  /** Tokens that fit. */
  readonly maxLength: number;
  /**
   * Where the next tokens go while a pass is recorded, which is replayed with other lengths of the cache: then nothing is
   * counted by `advance`. Otherwise null: they go to `length`.
   * @internal
   */
  place: {
    /** The first of them; on the device i32 []. */
    readonly start: number | Tensor;
    /** i32 [b]: keys that are there with the new ones; null where those are all. */
    readonly lengths: Tensor | null;
  } | null = null;
  private readonly keys: State[] = [];
  private readonly values: State[] = [];
  private readonly empty: () => Tensor;
  private filled = 0;

  /** @param maxLength tokens that fit; default `config.maxLength` */
  constructor(config: ResolvedDecoderConfig, batch: number, maxLength: number = config.maxLength) {
    const shape = [batch, maxLength, config.kvHeads, config.headDim];
    this.batch = batch;
    this.maxLength = maxLength;
    this.empty = () => zeros(shape, { dtype: config.dtype }).keep();
    for (let i = 0; i < config.layers; i++) {
      this.keys.push({ value: this.empty() });
      this.values.push({ value: this.empty() });
    }
  }

  /** Tokens that are there. */
  get length(): number {
    return this.filled;
  }

  /** @throws ValueError when `tokens` more do not fit, or the batch is another */
  check(batch: number, tokens: number): void {
    if (batch !== this.batch) {
      throw new ValueError(
        'KVCache',
        `a batch of ${batch} for a cache of ${this.batch} rows: make one for this batch`,
      );
    }
    if (this.place === null && this.filled + tokens > this.maxLength) {
      throw new ValueError(
        'KVCache',
        `${this.filled} + ${tokens} tokens do not fit ${this.maxLength}: make the cache longer`,
      );
    }
  }

  /** Writes `[b, t, kvHeads, headDim]` behind what is there, in place; the length is unchanged until `advance`. */
  write(
    layer: number,
    key: Tensor,
    value: Tensor,
  ): {
    /** `[b, maxLength, kvHeads, headDim]`. */
    readonly keys: Tensor;
    /** `[b, maxLength, kvHeads, headDim]`. */
    readonly values: Tensor;
  } {
    const put = (state: State, x: Tensor): Tensor => {
      const start = this.place?.start ?? this.filled;
      state.value = updateSlice(state.value, x, start, 1, { donate: true }).keep();
      return state.value;
    };
    return { keys: put(this.keys[layer]!, key), values: put(this.values[layer]!, value) };
  }

  /** Counts `tokens` as written, once every layer has; nothing while `place` is set. */
  advance(tokens: number): void {
    if (this.place === null) this.filled += tokens;
  }

  /** Keys and values of all layers: state of a captured step. */
  states(): readonly State[] {
    return [...this.keys, ...this.values];
  }

  /** Forgets everything from `length` on; memory stays. */
  truncate(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.filled) {
      throw new ValueError('KVCache', `cannot truncate ${this.filled} tokens to ${length}`);
    }
    this.filled = length;
  }

  /** As new, with memory of its own again after `dispose`. */
  reset(): void {
    this.dispose();
    for (const state of this.states()) state.value = this.empty();
    this.filled = 0;
  }

  /** Frees the memory. */
  dispose(): void {
    for (const { value } of this.states()) value.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
