/** Groups with wrong answers in them, to prove that the runner notices. */
import { type Case, type Entry, type Group, type Precision, valuesOf } from './format';
import type { Vector } from './safetensors';

/** Every value beyond what the entry's tolerance allows. */
function spoilt(v: Vector, entry: Entry, precision: Precision): Vector {
  const [rtol, atol] = entry.tol?.[precision] ?? [0, 0];
  const beyond = (x: number): number => x + (3 * (atol + rtol * Math.abs(x)) || 1);
  const data = v.data.map((x) => {
    if (entry.dtype === 'bool') return 1 - x;
    return Number.isFinite(x) ? beyond(x) : 0.25;
  });
  return { ...v, data };
}

/** The group with all wanted outputs and gradients changed by more than the tolerance. */
export function perturbed(group: Group, precision: Precision): Group {
  const vectors = new Map(group.vectors);
  for (const c of group.cases) {
    for (const entry of [...c.outputs, ...c.grads]) {
      if (entry.tensor !== undefined) {
        vectors.set(entry.tensor, spoilt(valuesOf(group, entry), entry, precision));
      }
    }
  }
  return { ...group, vectors };
}

/** Cases that have at least one value to compare in this precision. */
export function comparable(group: Group, precision: Precision): Case[] {
  const counts = (e: Entry): boolean => e.tol?.[precision] !== null && e.shape.every((d) => d > 0);
  return group.cases.filter((c) => [...c.outputs, ...c.grads].some(counts));
}
