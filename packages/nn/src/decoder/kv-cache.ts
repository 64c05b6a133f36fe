/** Keys and values of earlier tokens: all, or those of a window in a ring. */
import {
  concat,
  full,
  gather,
  iota,
  maximum,
  minimum,
  remainder,
  type State,
  type Tensor,
  updateSlice,
} from '@loretta-ts/core';
import { DecoderCache } from './cache';
import type { ResolvedDecoderConfig } from './config';

/** What the queries of a pass attend to. */
export interface Attended {
  /** `[b, s, kvHeads, headDim]`. */
  readonly keys: Tensor;
  /** `[b, s, kvHeads, headDim]`. */
  readonly values: Tensor;
  /** bool `[b, s]`, false at padding; null without. */
  readonly real: Tensor | null;
  /** i32 `[b]`: keys that are there; null where all are. */
  readonly lengths: Tensor | null;
}

/** A cache of keys and values, `slots` of them in every row. */
export abstract class KeyValueCache extends DecoderCache {
  /** Tokens whose keys and values are held. */
  readonly slots: number;
  /** `[b, slots, kvHeads, headDim]` by layer. */
  protected readonly keys: readonly State[];
  /** `[b, slots, kvHeads, headDim]` by layer. */
  protected readonly values: readonly State[];

  constructor(config: ResolvedDecoderConfig, batch: number, maxLength: number, slots: number) {
    super(config, batch, maxLength);
    const shape = [batch, slots, config.kvHeads, config.headDim];
    const make = (): State[] => Array.from({ length: config.layers }, () => this.hold(shape));
    this.slots = slots;
    this.keys = make();
    this.values = make();
  }

  /**
   * Takes `[b, t, kvHeads, headDim]` of the next tokens, in place; the length is unchanged until `advance`.
   * @param real bool `[b, maxLength]`, false at padding
   */
  abstract extend(layer: number, key: Tensor, value: Tensor, real: Tensor | null): Attended;
}

/** Keys and values of all tokens. */
export class KVCache extends KeyValueCache {
  /** @param maxLength tokens that fit; default `config.maxLength` */
  constructor(config: ResolvedDecoderConfig, batch: number, maxLength: number = config.maxLength) {
    super(config, batch, maxLength, maxLength);
  }

  /** As `KeyValueCache`. */
  override extend(layer: number, key: Tensor, value: Tensor, real: Tensor | null): Attended {
    const t = key.shape[1]!;
    const start = this.place?.start ?? this.length;
    const keys = put(this.keys[layer]!, key, start);
    const values = put(this.values[layer]!, value, start);
    if (!this.past)
      return { keys: key, values: value, real: this.realTokens(real, t), lengths: null };
    const lengths = this.place?.lengths ?? full([this.batch], this.length + t, { dtype: 'i32' });
    return { keys, values, real, lengths };
  }

  protected override knows(): boolean {
    return true;
  }
}

/**
 * Keys and values of the last W tokens: that of position p is in slot p mod W, so that memory is constant however long
 * the generation (Jiang et al. 2023, Mistral, §2). Positions are turned in before, so the order of slots does not matter.
 */
export class RollingKVCache extends KeyValueCache {
  /** @param maxLength tokens that it takes; memory is for `config.window` of them. Default `config.maxLength` */
  constructor(config: ResolvedDecoderConfig, batch: number, maxLength: number = config.maxLength) {
    super(config, batch, maxLength, Math.min(config.window, maxLength));
  }

  /** As `KeyValueCache`. */
  override extend(layer: number, key: Tensor, value: Tensor, real: Tensor | null): Attended {
    const start = this.place?.start ?? this.length;
    return typeof start === 'number'
      ? this.extendFrom(start, layer, key, value, real)
      : this.extendByOne(start, layer, key, value, real);
  }

  /** The window before the first new token, in order, and the new tokens. */
  private extendFrom(
    start: number,
    layer: number,
    key: Tensor,
    value: Tensor,
    real: Tensor | null,
  ): Attended {
    const t = key.shape[1]!;
    const before = Math.min(start, this.slots - 1);
    const take = (state: State, x: Tensor): Tensor => {
      const all = concat([...this.read(state.value, start - before, before), x], 1);
      const kept = Math.min(t, this.slots);
      let from = t - kept;
      for (const [slot, n] of this.runs(start + from, kept)) {
        put(state, x.narrow(1, from, n), slot);
        from += n;
      }
      return all;
    };
    return {
      keys: take(this.keys[layer]!, key),
      values: take(this.values[layer]!, value),
      real: real?.narrow(1, start - before, before + t) ?? null,
      lengths: null,
    };
  }

  /** All slots, the oldest overwritten by the new token, in whatever order. */
  private extendByOne(
    start: Tensor,
    layer: number,
    key: Tensor,
    value: Tensor,
    real: Tensor | null,
  ): Attended {
    const { slots, batch } = this;
    const slot = remainder(start, slots);
    return {
      keys: put(this.keys[layer]!, key, slot),
      values: put(this.values[layer]!, value, slot),
      real:
        real === null ? null : gather(real, this.positions(start).broadcastTo([batch, slots]), 1),
      lengths: minimum(this.place!.lengths!, slots),
    };
  }

  /** i32 `[1, slots]`: the last position up to `at` of each slot; 0 where there is none. */
  private positions(at: Tensor): Tensor {
    const age = remainder(at.sub(iota(this.slots)), this.slots); // [slots]
    return maximum(at.sub(age), 0).reshape(1, this.slots);
  }

  /** `[b, n', kvHeads, headDim]`, one or two, of the n positions from p on. */
  private read(ring: Tensor, p: number, n: number): Tensor[] {
    return this.runs(p, n).map(([slot, count]) => ring.narrow(1, slot, count));
  }

  /** The slots of n positions from p on: first slot and number of each run. */
  private runs(p: number, n: number): (readonly [slot: number, count: number])[] {
    const slot = p % this.slots;
    const first = Math.min(n, this.slots - slot);
    const runs = [[slot, first] as const, [0, n - first] as const];
    return runs.filter(([, count]) => count > 0);
  }

  protected override knows(length: number): boolean {
    return this.length <= this.slots || length === this.length || length === 0;
  }
}

/** Writes along axis 1 from `start`, in place. */
function put(state: State, x: Tensor, start: number | Tensor): Tensor {
  state.value = updateSlice(state.value, x, start, 1, { donate: true }).keep();
  return state.value;
}
