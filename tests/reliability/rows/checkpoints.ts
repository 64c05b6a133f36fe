/** A process that saves is killed: the newest complete file or folder stays. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { commandOf, runChild } from '../child';
import { eachCase, must, pick, type Row } from '../row';
import { saved } from '../versions';
import { WRITE_STEPS } from '../write-faults';

export const checkpoints: Row = {
  name: 'checkpoints',
  holds: 'after SIGKILL the newest complete file loads, and the next save clears what was left',
  ci: 40,
  release: 500,
  async check(runs, seed, report) {
    const root = mkdtempSync(join(tmpdir(), 'loretta-kill-'));
    setBackend(referenceBackend());
    let [leftovers, inside, between] = [0, 0, 0];
    try {
      await eachCase(runs, seed, report, async (random, index) => {
        const directory = mkdtempSync(join(root, 'case-'));
        const kind = index % 2 === 0 ? 'file' : 'folder';
        const { name, save, load, leftovers: most } = saved[kind];
        const path = join(directory, name);
        const size = 4 * (1 + random.int(kind === 'file' ? 2 ** 18 : 2 ** 12));
        await save(path, 0, 16);
        const within = index % 3 !== 2;
        const moment = within ? pick(random, WRITE_STEPS) : 'none';
        const delay = random.int(40);
        const args = [kind, path, moment, String(random.int(4)), '1', String(size)];
        let begun = false;
        const ended = await runChild(commandOf('saver.ts', args), (child) => {
          // at no chosen step: at any moment after the first save
          if (!within && !begun) setTimeout(() => child.kill('SIGKILL'), delay);
          begun = true;
        });
        must(ended.signal === 'SIGKILL', () => `the child ended by itself: ${ended.err}`);
        if (within) inside++;
        if (!readdirSync(directory).includes(name)) between++;
        const done = Number(ended.out.trim().split('\n').at(-1));
        const version = await load(path);
        must(
          version === done || version === done + 1,
          () => `version ${version} is there after ${done} was saved (killed in ${moment})`,
        );
        must(
          moment !== 'renamed' || version === done + 1,
          () => 'a rename that was done is undone',
        );
        const left = readdirSync(directory).filter((other) => other !== name);
        must(left.length <= most, () => `${left} are left`);
        leftovers += left.length;
        await save(path, version + 1, 16);
        const files = readdirSync(directory);
        must(files.join() === name, () => `${files} after the next save`);
        must((await load(path)) === version + 1, () => 'the next save is not what loads');
        rmSync(directory, { recursive: true });
      });
    } finally {
      rmSync(root, { recursive: true });
    }
    report.note('killed inside a step', inside);
    report.note('between two renames', between);
    report.note('leftovers cleared', leftovers);
  },
};
