/** What mixers keep of earlier tokens: memory for all steps is there from the start, and every step writes into it. */
import { type Shape, type State, type Tensor, ValueError, zeros } from '@loretta-ts/core';
import type { MixerKind, ResolvedDecoderConfig } from './config';

/**
 * The memory of one generation, of every layer. `makeCache` chooses the kind that a configuration wants: all keys and
 * values (`KVCache`), those of a window (`RollingKVCache`), or the tensors of a recurrence (`StateCache`).
 */
export abstract class DecoderCache implements Disposable {
  /** The mixer that it belongs to. */
  readonly mixer: MixerKind;
  /** Rows b. */
  readonly batch: number;
  /** Tokens that it takes, at most; what it holds of them is of the kind. */
  readonly maxLength: number;
  /**
   * Where the next tokens go while a pass is recorded, which is replayed with other lengths of the cache: then nothing is
   * counted by `advance`. Otherwise null: they go to `length`.
   * @internal
   */
  place: {
    /** The first of them; on the device i32 [], and then there is one. */
    readonly start: number | Tensor;
    /** i32 [b]: tokens that are there with the new ones; null where those are all. */
    readonly lengths: Tensor | null;
  } | null = null;
  private readonly held: { readonly state: State; readonly make: () => Tensor }[] = [];
  private readonly dtype: ResolvedDecoderConfig['dtype'];
  private filled = 0;

  /** @param maxLength default `config.maxLength` */
  constructor(config: ResolvedDecoderConfig, batch: number, maxLength: number = config.maxLength) {
    for (const [name, n] of [
      ['batch', batch],
      ['maxLength', maxLength],
    ] as const) {
      if (!Number.isSafeInteger(n) || n < 1) fail(`${name} is ${n}, not a positive integer`);
    }
    this.mixer = config.mixer;
    this.batch = batch;
    this.maxLength = maxLength;
    this.dtype = config.dtype;
  }

  /** Tokens that it has taken. */
  get length(): number {
    return this.filled;
  }

  /** Whether there are earlier tokens. */
  get past(): boolean {
    return this.place === null ? this.filled > 0 : this.place.lengths !== null;
  }

  /** @throws ValueError when `tokens` more do not fit, or the batch is another */
  check(batch: number, tokens: number): void {
    if (batch !== this.batch) {
      fail(`a batch of ${batch} for a cache of ${this.batch} rows: make one for this batch`);
    }
    if (this.place === null && this.filled + tokens > this.maxLength) {
      fail(`${this.filled} + ${tokens} tokens do not fit ${this.maxLength}: make the cache longer`);
    }
  }

  /**
   * `bool [b, t]` of the next t tokens, from that of all `[b, maxLength]`; null where all are real, as those of a
   * recorded step are.
   */
  realTokens(real: Tensor | null, t: number): Tensor | null {
    const start = this.place?.start ?? this.filled;
    return real === null || typeof start !== 'number' ? null : real.narrow(1, start, t);
  }

  /** Counts `tokens` as taken, once every layer has; nothing while `place` is set. */
  advance(tokens: number): void {
    if (this.place === null) this.filled += tokens;
  }

  /** Tensors of all layers: state of a captured step. */
  states(): readonly State[] {
    return this.held.map(({ state }) => state);
  }

  /** Forgets everything from `length` on; memory stays. @throws ValueError where that is not known any more */
  truncate(length: number): void {
    if (!Number.isInteger(length) || length < 0 || length > this.filled || !this.knows(length)) {
      fail(`cannot truncate ${this.filled} tokens to ${length}: reset, and take the tokens again`);
    }
    this.filled = length;
  }

  /** As new, with memory of its own again after `dispose`. */
  reset(): void {
    this.dispose();
    for (const { state, make } of this.held) state.value = make();
    this.filled = 0;
  }

  /** Frees the memory. */
  dispose(): void {
    for (const { state } of this.held) state.value.dispose();
  }

  /** As `dispose`, for `using`. */
  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Whether it still has what it had at this length. */
  protected abstract knows(length: number): boolean;

  /** A tensor of zeros that belongs to the cache. */
  protected hold(shape: Shape): State {
    const make = (): Tensor => zeros(shape, { dtype: this.dtype }).keep();
    const state = { value: make() };
    this.held.push({ state, make });
    return state;
  }
}

function fail(message: string): never {
  throw new ValueError('DecoderCache', message);
}
