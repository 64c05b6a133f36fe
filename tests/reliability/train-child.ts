/** Trainings in processes of their own. */
import { commandOf, runChild } from './child';
import type { Trained } from './rows/train';
import type { Plan } from './trainings';

/** Seconds that a training may take where other processes have the cores. */
const PATIENCE = 250;

/** Trains for some steps in a new process, from the checkpoint where one is given. @throws what the process died of */
export async function trainInChild(
  plan: Plan,
  threads: number,
  steps: number,
  checkpoint = '',
): Promise<Trained> {
  const args = [JSON.stringify(plan), String(threads), String(steps), checkpoint];
  const { code, signal, out, err } = await runChild(
    commandOf('train.ts', args),
    undefined,
    PATIENCE,
  );
  if (code !== 0) throw new Error(`the training ended with ${code ?? signal}: ${err}`);
  return JSON.parse(out) as Trained;
}
