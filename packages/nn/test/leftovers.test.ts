/** What killed processes left beside a file: cleared by the next save, and nothing else is. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { CheckpointError } from '../src/index';
import { writeFileAtomic } from '../src/node';
import { temporaryName } from '../src/node/temporary';

const root = mkdtempSync(join(tmpdir(), 'nn-leftovers-'));
afterAll(() => rmSync(root, { recursive: true }));

it('clears those of processes that are gone, of this target alone', async () => {
  const target = join(root, 'model.safetensors');
  const gone = spawnSync(process.execPath, ['-e', '']).pid;
  const own = `${temporaryName(target)}.tmp`;
  const by = (pid: number | string): string => own.replace(`-${process.pid}-`, `-${pid}-`);
  const stay = [
    by(process.ppid), // it runs
    own, // written by this process, just now
    by(gone).replace('.model.', '.other.'),
    by(gone).replace('.tmp', '.old'),
    by(gone).replace('.tmp', '.txt'),
    by(gone).replace(/[0-9a-f]{8}-/, 'ffffffff-'), // of another host
    join(root, '.model.safetensors.tmp'),
  ];
  const before = by(process.pid).replace(/.{16}\.tmp$/, '0123456789abcdef.tmp');
  for (const path of [...stay, by(gone), before]) writeFileSync(path, 'part');
  // by a process that had this one's id before it
  utimesSync(before, 0, 0);
  await writeFileAtomic(target, Uint8Array.of(1));
  const expected = [...stay, target].map((path) => path.slice(root.length + 1));
  expect(readdirSync(root).sort()).toEqual(expected.sort());
});

it('an error of the system is typed, and names the file, the code and the way out', async () => {
  const nowhere = join(root, 'no-folder', 'x');
  const error: unknown = await writeFileAtomic(nowhere, new Uint8Array(1)).catch((e) => e);
  expect(error).toBeInstanceOf(CheckpointError);
  expect((error as Error).message).toBe(
    `checkpoint: ${nowhere}: cannot be written (ENOENT): there is no such folder: make it`,
  );
});
