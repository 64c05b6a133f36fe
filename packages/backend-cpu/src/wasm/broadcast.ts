/** Broadcast operands as few axes: merged where all run on, walked from the third axis outwards. */
import type { Shape } from '@loretta-ts/core';

/** One axis of the output, and the stride of each operand along it in elements; 0 repeats. */
export interface BroadcastAxis {
  size: number;
  readonly steps: readonly number[];
}

/** Axes innermost first without those of size 1; one axis of size 1 for a single element. */
export function broadcastAxes(operands: readonly Shape[], out: Shape): BroadcastAxis[] {
  const axes: BroadcastAxis[] = [];
  const strides = operands.map(() => 1);
  for (let i = 1; i <= out.length; i++) {
    const size = out[out.length - i]!;
    if (size === 1) continue;
    const steps = operands.map((shape, o) => {
      const own = shape[shape.length - i] ?? 1;
      const step = own === 1 ? 0 : strides[o]!;
      strides[o]! *= own;
      return step;
    });
    const last = axes[axes.length - 1];
    if (last && steps.every((step, o) => step === last.steps[o]! * last.size)) last.size *= size;
    else axes.push({ size, steps });
  }
  if (axes.length === 0) axes.push({ size: 1, steps: operands.map(() => 0) });
  return axes;
}

/**
 * Calls `block` for each position of the axes from `first` on, with the offset of each operand (`at` is reused) and of
 * the output, in elements.
 */
export function eachBlock(
  axes: readonly BroadcastAxis[],
  first: number,
  block: (at: readonly number[], out: number) => void,
): void {
  const at = axes[0]!.steps.map(() => 0);
  const index = axes.map(() => 0);
  let size = 1;
  for (let d = 0; d < first && d < axes.length; d++) size *= axes[d]!.size;
  for (let out = 0; ; out += size) {
    block(at, out);
    let d = first;
    for (; d < axes.length; d++) {
      const axis = axes[d]!;
      index[d]!++;
      const wrapped = index[d] === axis.size;
      for (let o = 0; o < at.length; o++) {
        at[o]! += wrapped ? axis.steps[o]! * (1 - axis.size) : axis.steps[o]!;
      }
      if (!wrapped) break;
      index[d] = 0;
    }
    if (d >= axes.length) return;
  }
}
