/** The gradient of a function of tensors, by a tape of its own. */
import { backward } from './backward';
import { withFrame } from './runtime';
import { scope } from './scope';
import { Tape } from './tape';
import type { Tensor } from './tensor';
import { reshape } from './ops/linear';

/** A handle with an identity of its own that outer tapes still follow. */
export function fresh(x: Tensor): Tensor {
  return reshape(x, x.shape);
}

/**
 * Cotangents of `xs` for a cotangent of each output of `fn`, null where not needed. This is how fused ops get the
 * gradient of their decomposition.
 */
export function vjpOfMany(
  fn: (xs: readonly Tensor[]) => readonly Tensor[],
  xs: readonly Tensor[],
  cts: readonly (Tensor | null)[],
  needs: readonly boolean[],
): readonly (Tensor | null)[] {
  const tape = new Tape();
  const s = scope();
  try {
    const [own, outs] = s.run(() =>
      withFrame({ recording: true }, () => {
        const inputs = xs.map(fresh);
        inputs.forEach((x, i) => {
          if (needs[i]) tape.watch(x.ref);
        });
        return [inputs, fn(inputs)] as const;
      }),
    );
    const seeds = outs.flatMap((y, i) => {
      const ct = cts[i];
      return ct === null || ct === undefined ? [] : [[y.ref, ct] as const];
    });
    const found = backward(
      tape,
      seeds,
      own.filter((_, i) => needs[i]).map((x) => x.ref),
    );
    return own.map((x) => found.get(x.ref) ?? null);
  } finally {
    tape.release();
    s.dispose();
  }
}
