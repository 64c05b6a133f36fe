/** A static key-value cache: memory for all steps is there from the start, and every step writes into it. */
import { type Tensor, updateSlice, ValueError, zeros } from '@loretta-ts/core';
import type { ResolvedDecoderConfig } from './config';

/** Keys and values of every layer, `[b, maxLength, kvHeads, headDim]`, of which the first `length` are there. */
export class KVCache {
  /** Rows b. */
  readonly batch: number;
  /** Tokens that fit. */
  readonly maxLength: number;
  private readonly keys: Tensor[] = [];
  private readonly values: Tensor[] = [];
  private filled = 0;

  /** @param maxLength tokens that fit; default `config.maxLength` */
  constructor(config: ResolvedDecoderConfig, batch: number, maxLength: number = config.maxLength) {
    const shape = [batch, maxLength, config.kvHeads, config.headDim];
    this.batch = batch;
    this.maxLength = maxLength;
    for (let i = 0; i < config.layers; i++) {
      this.keys.push(zeros(shape, { dtype: config.dtype }).keep());
      this.values.push(zeros(shape, { dtype: config.dtype }).keep());
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
    if (this.filled + tokens > this.maxLength) {
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
    const keys = updateSlice(this.keys[layer]!, key, this.filled, 1, { donate: true }).keep();
    this.keys[layer] = keys;
    const values = updateSlice(this.values[layer]!, value, this.filled, 1, { donate: true }).keep();
    this.values[layer] = values;
    return { keys, values };
  }

  /** Counts `tokens` as written, once every layer has. */
  advance(tokens: number): void {
    this.filled += tokens;
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
    for (const t of [...this.keys, ...this.values]) t.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }
}
