/** A disk beneath `node:fs/promises` that refuses a step of a write, and processes that die in one. */
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** What a write that lasts is made of: `renamed` is the moment behind `rename`. */
export type WriteStep = 'write' | 'fsync' | 'rename' | 'renamed';

export const WRITE_STEPS: readonly WriteStep[] = ['write', 'fsync', 'rename', 'renamed'];

/** Ends this process as the system would: nothing of it runs any more. */
export function die(): void {
  process.kill(process.pid, 'SIGKILL');
}

/**
 * From here on `decide` is asked at each step of a write in this process: `die` ends the process there, in the middle of
 * what is written; `refuse` is a full disk, and no longer possible when the file is `renamed`.
 */
export function onWriteSteps(decide: (step: WriteStep) => 'die' | 'refuse' | null): void {
  const { open, rename } = fs;
  const take = (step: WriteStep, what = decide(step)): void => {
    if (what === 'die') die();
    if (what === 'refuse') {
      const error = new Error(`ENOSPC: no space left on device, ${step}`);
      throw Object.assign(error, { code: 'ENOSPC', syscall: step });
    }
  };
  fs.rename = async (from, to) => {
    take('rename');
    await rename(from, to);
    take('renamed');
  };
  fs.open = async (...args: Parameters<typeof open>) => {
    const file = await open(...args);
    const write = file.writeFile.bind(file);
    const sync = file.sync.bind(file);
    file.writeFile = async (data, options) => {
      const what = decide('write');
      if (what !== null) {
        const whole = Buffer.from(data as Uint8Array);
        await file.write(whole.subarray(0, whole.length / 2));
      }
      take('write', what);
      await write(data, options);
    };
    file.sync = async () => {
      take('fsync');
      await sync();
    };
    return file;
  };
  syncBuiltinESMExports();
}
