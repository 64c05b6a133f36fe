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
  const directory = dirname(target);
  const start = `.${basename(target)}.`;
  const names = await readdir(directory).catch(() => []);
  const here = host();
  for (const name of names) {
    if (!name.startsWith(start)) continue;
    const [, of, pid, ending] = TAIL.exec(name.slice(start.length)) ?? [];
    if (of !== here || !endings.some((one) => one === ending)) continue;
    const path = join(directory, name);
    if (await writerIsGone(path, Number(pid))) {
      await rm(path, { recursive: true, force: true }).catch(() => undefined);
    }
  }
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
