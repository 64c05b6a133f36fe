/** Arms in worker threads: what they report, how they fail, and that a signal ends them. */
import { expect, it } from 'vitest';
import type { ArmEvent } from '../src/experiment/run-arm';
import { runExperiment } from '../src/experiment/run';
import { workerRunner } from '../src/node/worker-runner';
import type { ArmName } from '../src/train/arms';
import { smallConfig, smallData } from './trainer-setup';

const data = smallData();
const config = smallConfig();
const entry = new URL('./arm-worker-stub.mjs', import.meta.url);
const runner = workerRunner(entry, 2, 'cpu');
const job = (name: ArmName) => ({ name, data, config, checkpoint: null });
const reason = new Error('enough');

it('hands events and the result on', async () => {
  const events: ArmEvent[] = [];
  const result = await runner.run(job('mmgpt'), { onEvent: (event) => events.push(event) });
  expect(result).toEqual({ arm: 'mmgpt', backend: 'cpu' });
  expect(events).toEqual([{ type: 'step', step: 0, steps: 1, loss: 2 }]);
});

it('fails by the name of the error, with the arm in front', async () => {
  const failed = await runner.run(job('causal')).catch((error: unknown) => error);
  expect(failed).toMatchObject({ name: 'NonFiniteError', message: 'causal: loss NaN' });
  const died = await runner.run(job('oracle')).catch((error: unknown) => error);
  expect(died).toMatchObject({ message: 'oracle: its worker ended with code 3' });
});

it('ends the thread for a signal, before and while it works', async () => {
  const controller = new AbortController();
  const work = runner.run(job('cm3'), {
    signal: controller.signal,
    onEvent: () => controller.abort(reason),
  });
  await expect(work).rejects.toBe(reason);
  await expect(runner.run(job('mmgpt'), { signal: controller.signal })).rejects.toBe(reason);
});

it('ends with what a listener throws', async () => {
  const listener = (): never => {
    throw reason;
  };
  await expect(runner.run(job('cm3'), { onEvent: listener })).rejects.toBe(reason);
});

it('stops the other arms when one fails: an experiment ends as a whole', async () => {
  const both = { ...config, arms: ['cm3', 'causal'] as const };
  const wide = workerRunner(entry, 3, 'cpu'); // one slot is for a warm-up, which these do not have
  await expect(runExperiment(data, both, { runner: wide })).rejects.toThrow('causal: loss NaN');
});
