/** The same values seen through a movement of elements: a gradient has to find the way back. */
import {
  flip,
  type HostRandom,
  narrow,
  pad,
  permute,
  repeatInterleave,
  reshape,
  type Tensor,
} from '@loretta-ts/core';

/** A tensor, and the one that it is seen as. */
export interface Seen {
  readonly base: Tensor;
  readonly view: (base: Tensor) => Tensor;
}

const KINDS = ['plain', 'line', 'turned', 'part', 'reversed', 'stepped'] as const;

/** `x` as a view of another tensor. */
export function seen(random: HostRandom, x: Tensor): Seen {
  const kind = KINDS[random.int(KINDS.length)]!;
  if (kind === 'plain') return { base: x, view: (b) => b };
  if (kind === 'line' || x.rank === 0) {
    return { base: reshape(x, [x.size]), view: (b) => reshape(b, x.shape) };
  }
  const axis = random.int(x.rank);
  const n = x.shape[axis]!;
  if (kind === 'turned') {
    const axes = x.shape.map((_, i) => (i + axis) % x.rank);
    const back = axes.map((_, i) => axes.indexOf(i));
    return { base: permute(x, back), view: (b) => permute(b, axes) };
  }
  if (kind === 'reversed') return { base: flip(x, axis), view: (b) => flip(b, axis) };
  if (kind === 'stepped') {
    return {
      base: repeatInterleave(x, 2, axis),
      view: (b) => narrow(b, axis, 0, n, 2),
    };
  }
  const before = random.int(3);
  const pads = x.shape.map((_, i) => (i === axis ? ([before, 1] as const) : ([0, 0] as const)));
  return { base: pad(x, pads, 0.5), view: (b) => narrow(b, axis, before, n) };
}
