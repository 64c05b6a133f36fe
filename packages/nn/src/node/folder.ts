/** Folders that appear whole or not at all. */
import { mkdir, open, readdir, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CheckpointError } from '../errors';
import { cannotWrite, syncDirectory } from './files';
import { clearLeftovers, newestFinished, temporaryName } from './temporary';

/** How long a reader waits for a writer that is between its two renames: half a second. */
const WAIT_TRIES = 25;
const WAIT_MILLISECONDS = 20;

/** A folder in the making. */
export interface NewFolder {
  /** Writes a file and flushes it. */
  write(name: string, bytes: Uint8Array | string): Promise<void>;
}

/**
 * Writes a folder so that a reader sees all of it or nothing: a temporary folder beside it, every file flushed,
 * renamed. Nothing is left behind on failure. An old folder is set aside first and removed last.
 * @param replaceable whether a file of an old folder may go; null when no old folder may
 * @throws CheckpointError when something is there that may not go, or when the system refuses
 */
export async function writeFolderAtomic(
  directory: string,
  replaceable: ((name: string) => boolean) | null,
  fill: (folder: NewFolder) => Promise<void>,
): Promise<void> {
  const target = resolve(directory);
  await recoverFolder(target);
  await checkFree(target, replaceable);
  const parent = dirname(target);
  const temporary = temporaryName(target);
  await mkdir(parent, { recursive: true });
  try {
    await mkdir(`${temporary}.tmp`);
    await fill({ write: (name, bytes) => writeFlushed(join(`${temporary}.tmp`, name), bytes) });
    await syncDirectory(`${temporary}.tmp`);
    await moveIn(`${temporary}.tmp`, target, `${temporary}.old`);
  } catch (error) {
    // where the old one could not be put back, both stay for the next reader
    if ((await contents(`${temporary}.old`).catch(() => [])) === null) {
      await rm(`${temporary}.tmp`, { recursive: true, force: true }).catch(() => undefined);
    }
    throw cannotWrite(target, error);
  }
  await syncDirectory(parent);
  await rm(`${temporary}.old`, { recursive: true, force: true });
  // last: until the new folder is in place, what a killed process set aside may be the only one
  await clearLeftovers(target, ['tmp', 'old']);
}

/**
 * Where a saved folder is to be read: its path. A process that was killed between setting the old folder aside and
 * moving the new one in left none there: the new one, which was complete, is moved in, or read where it is.
 */
export async function recoverFolder(directory: string): Promise<string> {
  const target = resolve(directory);
  const isThere = async (): Promise<boolean> => (await stat(target).catch(() => null)) !== null;
  for (let tries = WAIT_TRIES; ; tries--) {
    if (await isThere()) return directory;
    const finished = await newestFinished(target);
    if (finished === null) return directory;
    if (finished.abandoned) {
      const moved = await rename(finished.path, target).then(
        () => true,
        () => false,
      );
      if (moved) await syncDirectory(dirname(target));
      // another reader may have been faster
      return moved || (await isThere()) ? directory : finished.path;
    }
    // its writer runs, maybe elsewhere: the next moment it is in its place
    if (tries === 0) return finished.path;
    await new Promise((done) => setTimeout(done, WAIT_MILLISECONDS));
  }
}

async function moveIn(from: string, target: string, aside: string): Promise<void> {
  const old = await contents(target);
  if (old === null) return await rename(from, target);
  if (old.length === 0) await rmdir(target);
  else await rename(target, aside);
  try {
    await rename(from, target);
  } catch (error) {
    if (old.length > 0) await rename(aside, target);
    throw error;
  }
}

async function checkFree(
  target: string,
  replaceable: ((name: string) => boolean) | null,
): Promise<void> {
  const old = (await contents(target)) ?? [];
  if (old.length === 0) return;
  if (replaceable === null) {
    throw new CheckpointError(
      `${target}: is there and not empty: choose another folder, or give overwrite: true`,
    );
  }
  const foreign = old.find((name) => !replaceable(name));
  if (foreign === undefined) return;
  throw new CheckpointError(
    `${target}: holds '${foreign}', which is no file of a saved model: choose another folder`,
  );
}

/** Names in a folder; null where nothing is. */
async function contents(path: string): Promise<string[] | null> {
  try {
    return await readdir(path);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'ENOENT') return null;
    if (code === 'ENOTDIR') throw new CheckpointError(`${path}: is not a folder`);
    throw error;
  }
}

async function writeFlushed(path: string, bytes: Uint8Array | string): Promise<void> {
  const file = await open(path, 'wx');
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
