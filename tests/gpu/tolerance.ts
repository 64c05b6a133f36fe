/** How far losses on a GPU may be from those of the CPU. */
import { expect } from 'vitest';

/** Relative, in every step of a training run: rounding grows as training goes on. */
const LOSS_TOLERANCE = 1e-3;

export function expectClose(
  got: readonly number[],
  want: readonly number[],
  tolerance: number = LOSS_TOLERANCE,
): void {
  expect(got).toHaveLength(want.length);
  for (const [step, w] of want.entries()) {
    expect(Math.abs(got[step]! - w) / w, `step ${step}: ${got[step]} for ${w}`).toBeLessThan(
      tolerance,
    );
  }
}
