/** An experiment that is stopped, as often as one likes, ends as one that never was. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { afterAll, expect, it } from 'vitest';
import { type ExperimentResult, runExperiment } from '../src/experiment/run';
import { FolderJobs } from '../src/node/job-store';
import { workerRunner } from '../src/node/worker-runner';
import { smallConfig, smallData } from './trainer-setup';

const root = mkdtempSync(join(tmpdir(), 'loretta-jobs-'));
afterAll(() => rmSync(root, { recursive: true }));

setBackend(cpu({ threads: 1 }));
const data = smallData();
const base = smallConfig({ train: { steps: 40 } });
const config = { ...base, arms: ['causal', 'commutative', 'transitive'] as const };
const reason = new Error('enough');

/** Without clocks. */
function plain({ warmUp, arms }: ExperimentResult): object {
  return {
    warmUp: { ...warmUp, seconds: 0 },
    arms: arms.map((arm) => ({ ...arm, trainSeconds: 0, checkpoint: [...arm.checkpoint].length })),
  };
}

it('goes on to the same weights, curves and measurements', async () => {
  const whole = await runExperiment(data, config);
  const folder = join(root, 'stopped');
  const jobs = new FolderJobs(folder, config);
  await jobs.begin();
  let stops = 0;
  for (let after = 7; ; after += 12) {
    const controller = new AbortController();
    let events = 0;
    const run = runExperiment(data, config, {
      jobs,
      signal: controller.signal,
      onEvent: (event) => {
        if (event.type === 'step' && ++events === after) controller.abort(reason);
      },
    });
    const ended = await run.catch((error: unknown) => error);
    if (ended === reason) {
      stops++;
      await jobs.resume();
      continue;
    }
    const found = ended as ExperimentResult;
    expect(plain(found)).toEqual(plain(whole));
    found.arms.forEach((arm, i) => {
      expect(Buffer.from(arm.checkpoint).equals(Buffer.from(whole.arms[i]!.checkpoint))).toBe(true);
    });
    break;
  }
  expect(stops).toBeGreaterThan(2);
  await jobs.remove();
  expect(readdirSync(root)).toEqual([]);
}, 120_000);

it('keeps the state that a worker hands over when it is told to stop', async () => {
  const runner = workerRunner(new URL('./arm-worker-stub.mjs', import.meta.url), 1, 'cpu');
  const controller = new AbortController();
  const kept: number[][] = [];
  const job = { name: 'cm3', data, config, checkpoint: null } as const;
  const run = runner.run(job, {
    signal: controller.signal,
    onEvent: () => controller.abort(reason),
    keep: (state) => {
      kept.push([...state]);
    },
  });
  await expect(run).rejects.toBe(reason);
  expect(kept).toEqual([[7, 8, 9]]);
});

it('does not go on with what was never stopped, or with other options', async () => {
  const jobs = new FolderJobs(join(root, 'other'), { seed: 1 });
  await expect(jobs.resume()).rejects.toThrow(/no run was stopped/);
  await jobs.begin();
  await jobs.resume();
  await expect(new FolderJobs(join(root, 'other'), { seed: 2 }).resume()).rejects.toThrow(
    /other options/,
  );
  expect(await jobs.stopped('warm-up')).toBeNull();
  writeFileSync(join(root, 'other/causal.done.safetensors'), 'weights without their result');
  expect(await jobs.finished('causal')).toBeNull();
});
