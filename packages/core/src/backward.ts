/** Runs a tape backward: gradient rules call ops, so higher orders need nothing else. */
import { sameShape, showAval } from './dtype';
import { add } from './ops/arithmetic';
import { frame } from './runtime';
import { scope } from './scope';
import { type Entry, releaseEntry, type Tape } from './tape';
import type { Tensor, ValueRef } from './tensor';

/**
 * Pulls cotangents of outputs back to `targets`. Saved tensors are freed as their record is passed, so a tape runs
 * once. Targets that nothing flows to are absent from the result.
 */
export function backward(
  tape: Tape,
  seeds: readonly (readonly [ValueRef, Tensor])[],
  targets: Iterable<ValueRef>,
): Map<ValueRef, Tensor> {
  tape.close();
  const kept = new Set(targets);
  const flowing = new Map<ValueRef, Tensor>();
  const result = new Map<ValueRef, Tensor>();
  const s = scope();
  try {
    s.run(() => {
      for (const [ref, ct] of seeds) accumulate(flowing, ref, ct.alias());
      for (let e = tape.pop(); e !== undefined; e = tape.pop()) {
        try {
          const { watch } = frame();
          if (watch === null) step(e, flowing, kept);
          else watch.gradientOf(e.name, () => step(e, flowing, kept));
        } finally {
          releaseEntry(e);
        }
      }
    });
    for (const ref of kept) {
      const ct = flowing.get(ref);
      if (ct === undefined) continue;
      flowing.delete(ref);
      ct.keep();
      frame().scope?.adopt(ct);
      result.set(ref, ct);
    }
    return result;
  } finally {
    for (const ct of flowing.values()) ct.dispose();
    tape.release();
    s.dispose();
  }
}

function step(e: Entry, flowing: Map<ValueRef, Tensor>, kept: Set<ValueRef>): void {
  const cts = e.outRefs.map((ref) => flowing.get(ref) ?? null);
  if (cts.every((ct) => ct === null)) return;
  const inner = scope();
  try {
    const back = inner.run(() => e.run(cts, e.wanted));
    frame().watch?.gave(e.name, back);
    back.forEach((ct, i) => {
      if (ct === null || e.wanted[i] !== true) return;
      const target = e.ins[i]!;
      if (!sameShape(ct.shape, target.shape) || ct.dtype !== target.dtype) {
        throw new Error(
          `${e.name}: the gradient rule gave ${showAval(ct)} for input ${i}, which is ${showAval(target)}`,
        );
      }
      // a handle of its own, since a rule may pass one cotangent to several inputs
      accumulate(flowing, e.inRefs[i]!, ct.alias());
    });
    e.outRefs.forEach((ref, i) => {
      if (kept.has(ref)) return;
      cts[i]?.dispose();
      flowing.delete(ref);
    });
  } finally {
    inner.dispose();
  }
}

function accumulate(flowing: Map<ValueRef, Tensor>, ref: ValueRef, ct: Tensor): void {
  const before = flowing.get(ref);
  if (before === undefined) {
    flowing.set(ref, ct);
    return;
  }
  try {
    flowing.set(ref, add(before, ct));
    before.dispose();
  } finally {
    ct.dispose();
  }
}
