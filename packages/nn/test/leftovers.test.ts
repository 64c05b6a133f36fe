/** What killed processes left beside a file: cleared by the next save, and nothing else is. */
import { spawnSync } from 'node:child_process';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { full, key, setBackend } from '@loretta-ts/core';
import { afterAll, describe, expect, it } from 'vitest';
import { CheckpointError, Decoder } from '../src/index';
import {
  loadHfFolder,
  loadHfTensors,
  loadPretrained,
  recoverFolder,
  savePretrained,
  writeFileAtomic,
} from '../src/node';
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

describe('a folder whose writer was killed between its two renames', () => {
  const gone = String(spawnSync(process.execPath, ['-e', '']).pid);
  let folders = 0;

  async function save(path: string, value: number, overwrite = false): Promise<void> {
    const config = { vocab: 4, dim: 4, layers: 1, heads: 2, maxLength: 8 } as const;
    const model = new Decoder(config, key(0));
    for (const p of model.parameters()) p.assign(full(p.value.shape, value));
    await savePretrained(model, path, { overwrite });
    model.dispose();
  }

  /** The folder before, of ones, is set aside; that of twos is complete, and not yet in its place. */
  async function killed(pid = gone): Promise<{ target: string; made: string }> {
    setBackend(referenceBackend());
    const parent = join(root, `folder-${folders++}`);
    mkdirSync(parent);
    const target = join(parent, 'model');
    const made = temporaryName(target).replace(`-${process.pid}-`, `-${pid}-`);
    await save(target, 1);
    renameSync(target, `${made}.old`);
    await save(`${made}.tmp`, 2);
    return { target, made };
  }

  const firstOf = (model: Decoder): number => model.parameters()[0]!.value.dataSync()[0]!;

  it('is found by every reader, as the newest complete one', async () => {
    expect(firstOf((await loadPretrained((await killed()).target)).model)).toBe(2);
    expect(firstOf(await loadHfFolder((await killed()).target))).toBe(2);
    const tensors = await loadHfTensors((await killed()).target);
    expect([...tensors.values()][0]!.data[0]).toBe(2);
    const { target } = await killed();
    expect(await recoverFolder(target)).toBe(target);
    expect(readdirSync(target)).toContain('config.json');
  });

  it('is not overwritten unasked, and leaves nothing after the next save', async () => {
    const { target } = await killed();
    await expect(save(target, 3)).rejects.toThrow(/is there and not empty/);
    await save(target, 3, true);
    expect(readdirSync(join(target, '..'))).toEqual(['model']);
    expect(firstOf((await loadPretrained(target)).model)).toBe(3);
  });

  it('is read where it is while its writer runs', async () => {
    const { target, made } = await killed(String(process.ppid));
    const { model, directory } = await loadPretrained(target);
    expect([firstOf(model), directory]).toEqual([2, `${made}.tmp`]);
    expect(readdirSync(join(target, '..')).sort()).toEqual(
      [`${made}.old`, `${made}.tmp`].map((path) => path.slice(path.lastIndexOf('/') + 1)),
    );
  });

  it('is not taken for there when only one of the two is: that one is not the newest, or not complete', async () => {
    for (const ending of ['old', 'tmp']) {
      const { target, made } = await killed();
      rmSync(`${made}.${ending}`, { recursive: true });
      await expect(loadPretrained(target)).rejects.toThrow(/there is no such folder/);
    }
  });

  it('of several the newest is found', async () => {
    const { target, made } = await killed();
    await new Promise((done) => setTimeout(done, 20));
    const later = made.replace(/.{16}$/, '0123456789abcdef');
    for (const ending of ['old', 'tmp']) await save(`${later}.${ending}`, 4);
    expect(firstOf((await loadPretrained(target)).model)).toBe(4);
    expect(readFileSync(join(target, 'config.json'), 'utf8')).toContain('"vocab_size": 4');
  });
});
