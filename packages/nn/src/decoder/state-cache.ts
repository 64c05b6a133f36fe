/** The tensors that recurrent mixers carry from token to token. */
import { type Shape, type State, type Tensor, updateSlice } from '@loretta-ts/core';
import { DecoderCache } from './cache';
import type { ResolvedDecoderConfig } from './config';

/** Tensors with names, the same in every layer; zeros at the start. */
export class StateCache<N extends string = string> extends DecoderCache {
  private readonly layers: readonly ReadonlyMap<N, State>[];

  /** @param shapes what a layer holds @param maxLength tokens that it takes; default `config.maxLength` */
  constructor(
    config: ResolvedDecoderConfig,
    batch: number,
    maxLength: number,
    shapes: Readonly<Record<N, Shape>>,
  ) {
    super(config, batch, maxLength);
    const names = Object.keys(shapes) as N[];
    this.layers = Array.from(
      { length: config.layers },
      () => new Map(names.map((name) => [name, this.hold(shapes[name])])),
    );
  }

  /** The tensor of a layer. */
  read(layer: number, name: N): Tensor {
    return this.state(layer, name).value;
  }

  /** Replaces it, by one of its shape. */
  replace(layer: number, name: N, next: Tensor): void {
    const state = this.state(layer, name);
    const old = state.value;
    state.value = next.keep();
    old.dispose();
  }

  /** Writes into it along an axis, in place, and gives all of it. */
  write(layer: number, name: N, part: Tensor, start: number | Tensor, axis: number): Tensor {
    const state = this.state(layer, name);
    state.value = updateSlice(state.value, part, start, axis, { donate: true }).keep();
    return state.value;
  }

  private state(layer: number, name: N): State {
    return this.layers[layer]!.get(name)!;
  }

  protected override knows(length: number): boolean {
    return length === this.length;
  }
}
