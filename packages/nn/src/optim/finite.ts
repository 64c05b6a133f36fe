/** A step whose numbers are not finite is not taken, and its error names the op. */
import { NonFiniteError, type Tensor } from '@loretta-ts/core';
import { detectAnomaly } from '@loretta-ts/core/debug';
import type { Param } from '../module';
import type { NamedParams } from './optimizer';

/** What a training does with a step whose loss or gradient norm is not finite: neither changes a weight or moment. */
export type OnNonFinite = 'refuse' | 'skip';

/** A step as it ran, and its numbers. */
export interface TakenStep {
  /** Who trains, for the message. */
  readonly where: string;
  /** Number of the step, from 0. */
  readonly step: number;
  /** The loss. */
  readonly loss: number;
  /** Global gradient norm. */
  readonly norm: number;
  /** Parameters by name. */
  readonly params: NamedParams;
  /** What `valueAndGrad` was given: runs again, and must give the same. */
  readonly fn: () => Tensor | readonly [loss: Tensor, aux: unknown];
}

/**
 * Null where loss and norm are finite. Otherwise the step is run once more by `detectAnomaly`, and the error says which op
 * first gave what is not finite. With `skip` it is returned, for a step that is left out.
 * @throws NonFiniteError with `refuse`; always when a weight is not finite, since no later step could be
 */
export async function checkFinite(
  taken: TakenStep,
  onNonFinite: OnNonFinite = 'refuse',
): Promise<NonFiniteError | null> {
  const { where, step, loss, norm, params, fn } = taken;
  if (Number.isFinite(loss) && Number.isFinite(norm)) return null;
  const names = new Map<Param, string>([...params].map(([name, param]) => [param, name]));
  const found = await detectAnomaly(names.keys(), fn);
  const leaf = found?.leaf ?? null;
  const cause = found?.message ?? 'each op alone is finite: the norm overflows';
  const weight = leaf === null ? '' : ` (${names.get(leaf)})`;
  const wayOut =
    leaf !== null
      ? 'go on from the last checkpoint'
      : found?.origin === 'read'
        ? 'look at the data'
        : 'lower the learning rate';
  const error = new NonFiniteError(
    where,
    `step ${step}: loss ${loss}, gradient norm ${norm}: ${cause}${weight}: ${wayOut}`,
    found?.op ?? null,
  );
  if (onNonFinite === 'refuse' || leaf !== null) throw error;
  return error;
}
