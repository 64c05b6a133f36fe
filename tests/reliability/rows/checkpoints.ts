/** A process that saves is killed: the newest complete file stays. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadSafetensors, saveSafetensors } from '@loretta-ts/nn/node';
import { commandOf, runChild } from '../child';
import { eachCase, must, pick, type Row } from '../row';
import { WRITE_STEPS } from '../write-faults';

/** The version of a complete file: every number of it is that version. */
async function versionOf(path: string): Promise<number> {
  const { tensors, metadata } = await loadSafetensors(path);
  const version = Number(metadata.get('version'));
  must(
    tensors.get('weights')!.data.every((x) => x === version),
    () => `a file of version ${version} holds numbers of another`,
  );
  return version;
}

export const checkpoints: Row = {
  name: 'checkpoints',
  holds: 'after SIGKILL the newest complete file loads, and the next save clears what was left',
  ci: 40,
  release: 500,
  async check(runs, seed, report) {
    const root = mkdtempSync(join(tmpdir(), 'loretta-kill-'));
    let [leftovers, inside] = [0, 0];
    try {
      await eachCase(runs, seed, report, async (random, index) => {
        const directory = mkdtempSync(join(root, 'case-'));
        const path = join(directory, 'model.safetensors');
        const size = 4 * (1 + random.int(2 ** 18));
        const first = new Float32Array(4).fill(0);
        await saveSafetensors(
          path,
          new Map([['weights', { dtype: 'F32', shape: [4], data: first }]]),
          { version: '0' },
        );
        const within = index % 3 !== 2;
        const moment = within ? pick(random, WRITE_STEPS) : 'none';
        const delay = random.int(40);
        const args = [path, moment, String(random.int(4)), '1', String(size)];
        let saved = false;
        const ended = await runChild(commandOf('saver.ts', args), (child) => {
          // at no chosen step: at any moment after the first save
          if (!within && !saved) setTimeout(() => child.kill('SIGKILL'), delay);
          saved = true;
        });
        must(ended.signal === 'SIGKILL', () => `the child ended by itself: ${ended.err}`);
        if (within) inside++;
        const done = Number(ended.out.trim().split('\n').at(-1));
        const version = await versionOf(path);
        must(
          version === done || version === done + 1,
          () => `version ${version} is there after ${done} was saved (killed in ${moment})`,
        );
        must(
          moment !== 'renamed' || version === done + 1,
          () => 'a rename that was done is undone',
        );
        const left = readdirSync(directory).filter((name) => name !== 'model.safetensors');
        must(left.length <= 1, () => `${left} are left`);
        leftovers += left.length;
        await saveSafetensors(path, new Map(), { version: 'next' });
        const files = readdirSync(directory);
        must(files.join() === 'model.safetensors', () => `${files} after the next save`);
        rmSync(directory, { recursive: true });
      });
    } finally {
      rmSync(root, { recursive: true });
    }
    report.note('killed inside a step', inside);
    report.note('leftovers cleared', leftovers);
  },
};
