/**
 * The child of the refused-writes row: saves once for each fault, and prints what came of it as a line of JSON. The
 * system itself refuses what is written to a descriptor of another device or to a closed one; errors of fsync, close
 * and rename are thrown at the boundary of node:fs, since no system fails there on demand.
 */
import { closeSync, existsSync, mkdtempSync, readdirSync } from 'node:fs';
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const [root = '', bytes = ''] = process.argv.slice(2);

/** Happens at the call number `at` of its step. */
interface Fault {
  readonly code: string;
  readonly step: 'open' | 'write' | 'fsync' | 'close' | 'rename';
  readonly at: number;
  /** What is written goes there instead; null throws at the boundary. */
  readonly device: string | null;
}

let armed: Fault | null = null;
let calls = 0;

/** The fault, when this call of the step is the one. */
function due(step: Fault['step']): Fault | null {
  return armed !== null && armed.step === step && calls++ === armed.at ? armed : null;
}

function throwIfDue(step: Fault['step']): void {
  const fault = due(step);
  if (fault === null) return;
  throw Object.assign(new Error(`${fault.code}: injected, ${step}`), {
    code: fault.code,
    syscall: step,
  });
}

const { open, rename } = fs;
fs.rename = async (from, to) => {
  throwIfDue('rename');
  await rename(from, to);
};
fs.open = async (...args: Parameters<typeof open>) => {
  // reading and flushing a folder are no writes
  if (args[1] !== 'wx') return await open(...args);
  throwIfDue('open');
  const file = await open(...args);
  const [write, sync, close] = [file.writeFile, file.sync, file.close].map((f) => f.bind(file)) as [
    typeof file.writeFile,
    typeof file.sync,
    typeof file.close,
  ];
  file.writeFile = async (data, options) => {
    const fault = due('write');
    if (fault === null) return await write(data, options);
    const whole = Buffer.from(data as Uint8Array);
    await file.write(whole.subarray(0, whole.length / 2));
    if (fault.device === 'closed') {
      closeSync(file.fd);
      return await write(whole.subarray(whole.length / 2));
    }
    const other = await open(fault.device!, 'r+');
    try {
      await other.writeFile(whole);
    } finally {
      await other.close();
    }
  };
  file.sync = async () => {
    throwIfDue('fsync');
    await sync();
  };
  file.close = async () => {
    await close();
    throwIfDue('close');
  };
  return file;
};
syncBuiltinESMExports();

const { referenceBackend } = await import('@loretta-ts/backend-cpu');
const { setBackend } = await import('@loretta-ts/core');
const { saved } = await import('../versions');
setBackend(referenceBackend());

/** Devices that the system refuses writes to, by its code. */
const DEVICES = { ENOSPC: '/dev/full', EIO: '/proc/self/mem' } as const;

function faultsOf(kind: keyof typeof saved): Fault[] {
  const writes = kind === 'file' ? [0] : [0, 1, 3];
  const renames = kind === 'file' ? [0] : [0, 1];
  const thrown = (code: string, step: Fault['step'], list: readonly number[]): Fault[] =>
    list.map((at) => ({ code, step, at, device: null }));
  return [
    ...writes.flatMap((at) =>
      Object.entries(DEVICES)
        .filter(([, device]) => existsSync(device))
        .map(([code, device]): Fault => ({ code, step: 'write', at, device })),
    ),
    ...writes.map((at): Fault => ({ code: 'EBADF', step: 'write', at, device: 'closed' })),
    ...thrown('EROFS', 'open', writes),
    ...['EIO', 'EDQUOT'].flatMap((code) => thrown(code, 'fsync', writes)),
    ...thrown('EIO', 'close', writes),
    ...['EIO', 'EXDEV'].flatMap((code) => thrown(code, 'rename', renames)),
  ];
}

for (const kind of ['file', 'folder'] as const) {
  const { name, save, load } = saved[kind];
  for (const fault of faultsOf(kind)) {
    const directory = mkdtempSync(join(root, 'fault-'));
    const path = join(directory, name);
    await save(path, 1, Number(bytes));
    [armed, calls] = [fault, 0];
    let message = 'saved';
    try {
      await save(path, 2, Number(bytes));
    } catch (error) {
      message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
    armed = null;
    const files = readdirSync(directory);
    const version = await load(path).catch((error: unknown) => String(error));
    console.log(JSON.stringify({ kind, ...fault, path, message, files, version }));
  }
}
