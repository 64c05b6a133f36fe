/** Classifier-free guidance by one or several conditions: which blocks each branch sees, and how much it weighs. */
import { ValueError } from '@loretta-ts/core';
import type { Rows } from './rows';

/** One of several conditions that guide together. */
export interface GuidanceBranch {
  /** Modalities of the condition that this branch sees. */
  readonly given: readonly string[];
  /** s of logits = u + Σ s (c − u). */
  readonly scale: number;
}

/**
 * A scale for the whole condition (1 and null are none), or branches that see parts of it: logits = u + Σ sᵢ (cᵢ − u),
 * where u sees the modality token of the target alone (Ho and Salimans 2022; Liu et al. 2022, composed conditions).
 */
export type GuidanceSetting = number | readonly GuidanceBranch[] | null;

/** A part of the condition with its scale. */
export interface Branch<T extends Rows = Rows> {
  /** The blocks seen, in the order of the condition. */
  readonly blocks: readonly T[];
  /** Its scale. */
  readonly scale: number;
}

/**
 * The branches that a setting stands for; one of scale 1 is no guidance.
 * @throws ValueError for a scale that is no number, no branch, or one that sees nothing of the condition
 */
export function branchesOf<T extends Rows>(
  condition: readonly T[],
  guidance: GuidanceSetting,
): readonly Branch<T>[] {
  if (guidance === null || typeof guidance === 'number') {
    const scale = guidance ?? 1;
    if (!Number.isFinite(scale)) fail(`the scale is ${scale}, not a number`);
    return [{ blocks: condition, scale: condition.length === 0 ? 1 : scale }];
  }
  if (guidance.length === 0) fail('there is no branch: give null for none');
  const has = condition.map((block) => block.modality);
  return guidance.map(({ given, scale }) => {
    const missing = given.find((name) => !has.includes(name));
    if (missing !== undefined || given.length === 0) {
      fail(
        `a branch sees ${missing ?? 'nothing'}, the condition has ${has.join(', ') || 'nothing'}: name some of it`,
      );
    }
    if (!Number.isFinite(scale)) fail(`the scale of ${given.join(', ')} is ${scale}, not a number`);
    return { blocks: condition.filter((block) => given.includes(block.modality)), scale };
  });
}

function fail(message: string): never {
  throw new ValueError('guidance', message);
}
