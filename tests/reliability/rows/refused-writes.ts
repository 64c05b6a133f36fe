/** Writes that the system refuses, for real, and faults at any step of a save: the file before stays, the error is typed, nothing is left. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CheckpointError } from '@loretta-ts/nn';
import { saveSafetensors } from '@loretta-ts/nn/node';
import { commandOf, type Ended, runChild } from '../child';
import { eachCase, must, type Report, type Row } from '../row';

const NOBODY = '65534';
const MEBIBYTE = 2 ** 20;
const root = process.getuid?.() === 0;
const quote = (word: string): string => `'${word.replaceAll("'", "'\\''")}'`;

/** A way in which a system refuses. */
interface Refusal {
  readonly code: string;
  /** Saves so many bytes, about 2 MiB, in a child. */
  readonly save: (path: string, bytes: number) => Promise<Ended>;
}

const saveOnce = (path: string, bytes: number, user = ''): readonly string[] =>
  commandOf('save-once.ts', [path, String(bytes), user]);

const tooLarge: Refusal = {
  code: 'EFBIG',
  save: (path, bytes) =>
    runChild([
      '/bin/sh',
      '-c',
      `ulimit -f 1024; exec ${saveOnce(path, bytes).map(quote).join(' ')}`,
    ]),
};

const noPermission: Refusal = {
  code: 'EACCES',
  save: async (path, bytes) => {
    const directory = join(path, '..');
    chmodSync(directory, 0o555);
    try {
      return await runChild(saveOnce(path, bytes, root ? NOBODY : ''));
    } finally {
      chmodSync(directory, 0o755);
    }
  },
};

const fullDisk: Refusal = {
  code: 'ENOSPC',
  save: (path, bytes) => runChild(saveOnce(path, bytes)),
};

/** What to do, by the system's code. */
const WAYS_OUT: Readonly<Record<string, string>> = {
  ENOSPC: 'make room',
  EDQUOT: 'make room',
  EFBIG: 'larger than this system lets a file be',
  EIO: 'save elsewhere',
  EROFS: 'save elsewhere',
  EACCES: 'permissions',
  EXDEV: 'check the place',
  EBADF: 'check the place',
};

function checkMessage(said: string, path: string, code: string): void {
  const want = `CheckpointError: checkpoint: ${path}: cannot be written (${code}): `;
  const wayOut = WAYS_OUT[code];
  must(
    said.startsWith(want) && wayOut !== undefined && said.includes(wayOut),
    () => `${said}; wanted ${want}${wayOut}`,
  );
}

const mount = (...args: readonly string[]): boolean => spawnSync('mount', args).status === 0;

async function checkRefusal(refusal: Refusal, path: string, bytes: number): Promise<void> {
  const old = Float32Array.of(1, 2, 3);
  await saveSafetensors(path, new Map([['weights', { dtype: 'F32', shape: [3], data: old }]]));
  const before = readFileSync(path);
  const { out, err } = await refusal.save(path, bytes);
  checkMessage(`${out}${err}`, path, refusal.code);
  must(readFileSync(path).equals(before), () => 'the file before is another');
  const files = readdirSync(join(path, '..'));
  must(files.length === 1, () => `${files} are there`);
}

/** What a child found of one fault. */
interface Found {
  readonly code: string;
  readonly path: string;
  readonly message: string;
  readonly files: readonly string[];
  readonly version: unknown;
}

/** Every fault of the child, at its place in a save: the version before stays, alone. */
async function checkFaults(
  root: string,
  bytes: number,
  counts: Map<string, number>,
): Promise<void> {
  const { out, err, code: ended } = await runChild(commandOf('faults.ts', [root, String(bytes)]));
  must(ended === 0, () => `the child ended with ${ended}: ${err}`);
  for (const line of out.trim().split('\n')) {
    const { code, path, message, files, version } = JSON.parse(line) as Found;
    checkMessage(message, path, code);
    must(version === 1, () => `the save before is gone: ${line}`);
    must(files.length === 1, () => `files are left: ${line}`);
    counts.set(code, (counts.get(code) ?? 0) + 1);
  }
}

/** A folder in the place of a file. */
async function checkFolderThere(root: string): Promise<void> {
  const directory = mkdtempSync(join(root, 'taken-'));
  const path = join(directory, 'model.safetensors');
  mkdirSync(path);
  const error: unknown = await saveSafetensors(path, new Map()).catch((e: unknown) => e);
  const want = `checkpoint: ${path}: cannot be written (EISDIR): `;
  must(
    error instanceof CheckpointError && error.message.startsWith(want),
    () => `${String(error)}; wanted ${want}`,
  );
  must(readdirSync(directory).length === 1, () => `${readdirSync(directory)} are there`);
}

async function inFolder(
  folder: string,
  refusal: Refusal,
  runs: number,
  seed: number,
  report: Report,
): Promise<void> {
  await eachCase(runs, seed, report, async (random) => {
    const bytes = 4 * Math.floor(MEBIBYTE * (0.4 + random.uniform() / 8));
    await checkRefusal(refusal, join(folder, 'model.safetensors'), bytes);
  });
  report.note(refusal.code, runs);
}

export const refusedWrites: Row = {
  name: 'refused-writes',
  holds: 'a full disk, a limit or no permission is a typed error, and the file before stays',
  ci: 5,
  release: 25,
  async check(runs, seed, report) {
    if (process.platform === 'win32') throw new Error('needs a POSIX shell');
    const folder = mkdtempSync(join(tmpdir(), 'loretta-refused-'));
    const disk = mkdtempSync(join(tmpdir(), 'loretta-disk-'));
    // needs rights that not every system gives; the figures tell whether it ran
    const mounted = mount('-t', 'tmpfs', '-o', 'size=1m', 'none', disk);
    try {
      chmodSync(folder, 0o755);
      await inFolder(folder, tooLarge, runs, seed, report);
      await inFolder(folder, noPermission, runs, seed, report);
      if (mounted) await inFolder(disk, fullDisk, runs, seed, report);
      else report.note('ENOSPC', 0);
      if (!mounted && process.env['LORETTA_REQUIRE_MOUNT'] === '1') {
        report.fail('ENOSPC', 'required by LORETTA_REQUIRE_MOUNT, but mount is not permitted here');
      }
      const counts = new Map<string, number>();
      await eachCase(runs, seed, report, async (random) => {
        await checkFaults(folder, 4 * (256 + random.int(2048)), counts);
        await checkFolderThere(folder);
      });
      for (const [code, n] of counts) report.note(`${code} in a save`, n);
    } finally {
      if (mounted) spawnSync('umount', [disk]);
      rmSync(folder, { recursive: true });
      rmSync(disk, { recursive: true });
    }
  },
};
