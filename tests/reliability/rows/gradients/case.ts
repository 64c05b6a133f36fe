/** What a gradient is checked of. */
import type { HostRandom, Tensor } from '@loretta-ts/core';
import type { Module } from '@loretta-ts/nn';

/** How many rows of values a case has: none, one, or some; `one` has one value where the subject allows it. */
export type Size = 'none' | 'one' | 'some';

/** A function, and where its gradient is checked. */
export interface GradientCase {
  readonly fn: (...xs: Tensor[]) => Tensor | readonly Tensor[];
  readonly inputs: readonly Tensor[];
  /** Freed afterwards. */
  readonly owned?: Disposable;
}

/** Draws a case. */
export type Draw = (random: HostRandom, size: Size) => GradientCase;

/** Rows of a batch. */
export function batchOf(random: HostRandom, size: Size): number {
  return { none: 0, one: 1, some: 1 + random.int(3) }[size];
}

/** Sizes of axes. */
export function axisOf(random: HostRandom, size: Size, most = 4): number {
  return size === 'one' ? 1 : 1 + random.int(most);
}

/** A module as a function of its inputs and weights; weights are moved off where they start, biases off zero. */
export function withWeights<M extends Module>(
  module: M,
  inputs: readonly Tensor[],
  noise: (like: Tensor) => Tensor,
  call: (module: M, ...xs: Tensor[]) => Tensor | readonly Tensor[],
): GradientCase {
  const params = module.parameters();
  const own = params.map((p) => p.value);
  return {
    inputs: [...inputs, ...own.map((w) => w.add(noise(w)))],
    owned: module,
    fn(...xs) {
      params.forEach((p, i) => {
        p.value = xs[inputs.length + i]!;
      });
      try {
        return call(module, ...xs.slice(0, inputs.length));
      } finally {
        params.forEach((p, i) => {
          p.value = own[i]!;
        });
      }
    },
  };
}
