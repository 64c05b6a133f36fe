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
   * Where the next token goes, on the device, while a step is recorded whose place is not known yet: its start i32 [] and
   * the keys there are with it, i32 [b]. Otherwise null: it goes to `length`.
   * @internal
   */
  place: {
    /** i32 []. */
    readonly start: Tensor;
    /** i32 [b]. */
    readonly lengths: Tensor;
  } | null = null;
  private readonly keys: State[] = [];
  private readonly values: State[] = [];
  private filled = 0;

  /** @param maxLength tokens that fit; default `config.maxLength` */
  constructor(config: ResolvedDecoderConfig, batch: number, maxLength: number = config.maxLength) {
    const shape = [batch, maxLength, config.kvHeads, config.headDim];
    this.batch = batch;
    this.maxLength = maxLength;
    for (let i = 0; i < config.layers; i++) {
      this.keys.push({ value: zeros(shape, { dtype: config.dtype }).keep() });
      this.values.push({ value: zeros(shape, { dtype: config.dtype }).keep() });
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

  /** Counts `tokens` as written, once every layer has; not where the place is on the device. */
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

  /** Frees the memory. */
  dispose(): void {
    for (const { value } of this.states()) value.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
