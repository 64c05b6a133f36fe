/** Earlier checkpoints beside the newest. */
import { constants } from 'node:fs';
import { copyFile, open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { ValueError } from '@loretta-ts/core';
import { cannotRead, cannotWrite, placeAtomic } from './files';

/** Options of `keepCheckpoint`. */
export interface KeepOptions {
  /** Steps that the checkpoint has taken: its name. */
  readonly step: number;
  /** How many are kept, this one among them. */
  readonly keep: number;
}

/**
 * Keeps a checkpoint that was just saved, `NAME.EXT`, also as `NAME-STEP.EXT` beside it, and then removes all but the `keep`
 * latest of those names. A save that threw has nothing to keep: what is not finite, or not whole, never takes the place
 * of what is. The latest are those written last, so a training that begins again at 0 loses nothing of its own.
 * @returns the paths that are kept, the latest first
 * @throws ValueError; CheckpointError when the system refuses: none is removed before the new one is whole
 */
export async function keepCheckpoint(
  path: string,
  { step, keep }: KeepOptions,
): Promise<readonly string[]> {
  for (const [what, value, least] of [
    ['step', step, 0],
    ['keep', keep, 1],
  ] as const) {
    if (!Number.isSafeInteger(value) || value < least) {
      throw new ValueError('keepCheckpoint', `${what} ${value} is not an integer from ${least}`);
    }
  }
  await stat(path).catch((error: unknown) => cannotRead(path, error));
  const directory = dirname(path);
  const ending = extname(path);
  const stem = basename(path, ending);
  const kept = join(directory, `${stem}-${step}${ending}`);
  await placeAtomic(kept, async (temporary) => {
    // where the file system can, the copy shares the blocks
    await copyFile(path, temporary, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    const file = await open(temporary, 'r+');
    try {
      await file.sync();
    } finally {
      await file.close();
    }
  });
  const earlier: { readonly path: string; readonly step: number; readonly time: number }[] = [];
  for (const name of await readdir(directory)) {
    const found = /^(.*)-(\d+)$/.exec(basename(name, ending));
    if (found?.[1] !== stem || extname(name) !== ending) continue;
    const other = join(directory, name);
    const info = await stat(other).catch(() => null);
    if (other !== kept && info?.isFile())
      earlier.push({ path: other, step: Number(found[2]), time: info.mtimeMs });
  }
  earlier.sort((a, b) => b.time - a.time || b.step - a.step);
  for (const { path: old } of earlier.splice(keep - 1)) {
    await rm(old).catch((error: unknown) => {
      throw cannotWrite(old, error);
    });
  }
  return [kept, ...earlier.map((e) => e.path)];
}
