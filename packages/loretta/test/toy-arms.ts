/** Both arms on the toy from one warm-up, for the tests that compare them. */
import type { ToyModality } from '../src/data/toy';
import {
  type ToyDirection,
  type ToyEvaluation,
  ToyRun,
  toySettings,
} from '../src/experiment/toy-run';

/** Commutative and transitive training with the same weights up to the switch, scored on the same `n` sequences. */
export async function compareArms(
  modalities: readonly ToyModality[],
  changes: Parameters<typeof toySettings>[1],
  n: number,
): Promise<{ commutative: ToyEvaluation; transitive: ToyEvaluation }> {
  const commutative = new ToyRun(toySettings(modalities, { ...changes, arm: 'commutative' }));
  const transitive = new ToyRun(toySettings(modalities, { ...changes, arm: 'transitive' }));
  await commutative.train({ to: transitive.settings.switchAt });
  transitive.restore(await commutative.save());
  await commutative.train();
  await transitive.train();
  const found = {
    commutative: await commutative.evaluate(n),
    transitive: await transitive.evaluate(n),
  };
  commutative.dispose();
  transitive.dispose();
  return found;
}

/** One direction in a line, for messages of failed expectations. */
export function describeDirection(name: string, d: ToyDirection): string {
  return `${name} ${d.to}|${d.from}: ${d.bits.value.toFixed(3)} bits, class accuracy ${d.accuracy.value.toFixed(3)}`;
}
