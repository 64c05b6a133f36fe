/** Names of temporary files that tell who writes them, so that what a killed process left can be cleared. */
import { createHash, randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { basename, dirname, join } from 'node:path';

/** `.NAME.HOST-PID-RANDOM` and an ending: the host as 8 digits of a hash, since its name may be long. */
const TAIL = /^([0-9a-f]{8})-(\d+)-[0-9a-f]{16}\.(tmp|old)$/;

function host(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 8);
}

/** A fresh name beside the target, for this process, without its ending `.tmp` or `.old`. */
export function temporaryName(target: string): string {
  const writer = `${host()}-${process.pid}-${randomBytes(8).toString('hex')}`;
  return join(dirname(target), `.${basename(target)}.${writer}`);
}

/**
 * Removes what killed processes left of this target. A file goes only when its name is one of ours for this target,
 * its writer ran on this host, and that process is gone: no such process runs, or it had the id that this one has now
 * and wrote before this one started. Where that cannot be told, and on any error, the file stays.
 */
export async function clearLeftovers(
  target: string,
  endings: readonly ('tmp' | 'old')[],
): Promise<void> {
  for (const { path, here, pid, ending } of await temporariesOf(target)) {
    if (!here || !endings.some((one) => one === ending)) continue;
    if (await writerIsGone(path, pid)) {
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }
}

/** A folder that is complete but not in its place: its writer set the old one aside, and came no further. */
export interface Finished {
  readonly path: string;
  /** Its writer ran on this host and does so no more: nobody else will move it. */
  readonly abandoned: boolean;
}

/** The newest finished folder of a target; null where none is. */
export async function newestFinished(target: string): Promise<Finished | null> {
  const all = await temporariesOf(target);
  const paths = new Set(all.map(({ path }) => path));
  let newest: (Finished & { readonly time: number }) | null = null;
  for (const { path: aside, here, pid, ending } of all) {
    // a writer sets aside when the new one is complete: both are there only between its two renames
    const path = aside.replace(/old$/, 'tmp');
    if (ending !== 'old' || !paths.has(path)) continue;
    const time = (await stat(aside).catch(() => null))?.ctimeMs ?? 0;
    if (newest !== null && newest.time >= time) continue;
    newest = { path, time, abandoned: here && (await writerIsGone(path, pid)) };
  }
  return newest;
}

interface Temporary {
  readonly path: string;
  /** Its writer ran on this host. */
  readonly here: boolean;
  readonly pid: number;
  readonly ending: string;
}

/** What writers of this target have or left beside it. */
async function temporariesOf(target: string): Promise<Temporary[]> {
  const directory = dirname(target);
  const start = `.${basename(target)}.`;
  const names = await readdir(directory).catch(() => []);
  return names.flatMap((name) => {
    const [, of, pid, ending] =
      (name.startsWith(start) && TAIL.exec(name.slice(start.length))) || [];
    if (ending === undefined) return [];
    return [{ path: join(directory, name), here: of === host(), pid: Number(pid), ending }];
  });
}

async function writerIsGone(path: string, pid: number): Promise<boolean> {
  if (pid !== process.pid) return !runs(pid);
  const info = await stat(path).catch(() => null);
  return info !== null && info.mtimeMs < Date.now() - process.uptime() * 1000;
}

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: it runs as somebody else
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH');
  }
}
