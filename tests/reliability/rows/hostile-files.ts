/** Damaged files of every format: a typed error or a valid result, soon, in little memory, no prototype changed. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { getHeapStatistics } from 'node:v8';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { type Format, formats } from '../hostile-formats';
import {
  damageFolder,
  FOLDER_REFUSALS,
  type Folder,
  goodFolders,
  readFolder,
} from '../hostile-folders';
import { eachCase, must, pick, type Report, type Row } from '../row';

const CORPUS = fileURLToPath(new URL('../../../../shared/conformance/stfiles/', import.meta.url));
const MILLISECONDS = 100;
const MEBIBYTE = 2 ** 20;
/** A folder takes as long as a hundred files in memory. */
const FOLDER_EVERY = 50;

/** Something to read, as a case shows it. */
interface Input {
  readonly size: number;
  readonly show: () => string;
  readonly read: () => unknown;
  readonly refusals: Format['refusals'];
}

/** Own names of the prototypes that a hostile key could reach. */
function prototypes(): string {
  return [Object.prototype, Array.prototype, Function.prototype, Map.prototype]
    .map((p) => Reflect.ownKeys(p).map(String).join())
    .join(';');
}

/** What a run took, and what it threw; null is nothing. */
interface Run {
  readonly ms: number;
  /** Bytes that were allocated and not yet given back, buffers included. */
  readonly bytes: number;
  readonly error: unknown;
}

function heldBytes(): number {
  const { used_heap_size, external_memory } = getHeapStatistics();
  return used_heap_size + external_memory;
}

async function runOnce(read: () => unknown): Promise<Run> {
  const bytes = heldBytes();
  const before = process.cpuUsage();
  let error: unknown = null;
  try {
    await read();
  } catch (e) {
    error = e ?? 'nothing was thrown';
  }
  const { user, system } = process.cpuUsage(before);
  return { ms: (user + system) / 1000, bytes: heldBytes() - bytes, error };
}

/** The most that was held over that allowed, as a share of it. */
class Peak {
  share = 0;
}

/** Reads a file; true when it was refused. Throws when it fails in any other way, or takes too long or too much. */
async function readOne({ size, show, read, refusals }: Input, peak: Peak): Promise<boolean> {
  const { ms, bytes, error } = await runOnce(read);
  if (error !== null) {
    must(
      refusals.some((kind) => error instanceof kind),
      () => `${error instanceof Error ? error.stack : String(error)}\n${show()}`,
    );
  }
  const bound = 2 * size + 16 * MEBIBYTE;
  peak.share = Math.max(peak.share, bytes / bound);
  must(bytes <= bound, () => `took ${bytes} bytes, more than ${bound}; ${show()}`);
  // the better of three: compiling and collecting are not the file's doing
  const again = async (): Promise<number> => (await runOnce(read)).ms;
  const slow = ms > MILLISECONDS ? Math.min(ms, await again(), await again()) : ms;
  must(slow <= MILLISECONDS, () => `took ${slow} ms; ${show()}`);
  return error !== null;
}

function fileInput({ name, read, refusals }: Format, file: string | Uint8Array): Input {
  const shown = (): string =>
    typeof file === 'string'
      ? file.slice(0, 2000)
      : Buffer.from(file.subarray(0, 2000)).toString('base64');
  return {
    size: file.length,
    show: () => `${name}: ${shown()}`,
    read: () => read(file),
    refusals,
  };
}

function folderInput(path: string, folder: Folder): Input {
  const list = [...folder];
  return {
    size: list.reduce((sum, [, bytes]) => sum + bytes.length, 0),
    show: () =>
      list
        .map(([name, b]) => `${name}: ${Buffer.from(b).toString('latin1').slice(0, 900)}`)
        .join('\n'),
    read: () => readFolder(path, folder),
    refusals: FOLDER_REFUSALS,
  };
}

/** Every file of the conformance corpus as it is; their bytes. */
async function readCorpus(format: Format, report: Report, peak: Peak): Promise<void> {
  for (const bytes of corpusFiles()) await readOne(fileInput(format, bytes), peak);
  report.note('corpus', corpusFiles().length);
}

function corpusFiles(): Uint8Array[] {
  if (!existsSync(CORPUS)) return [];
  return readdirSync(CORPUS)
    .sort()
    .map((name) => new Uint8Array(readFileSync(join(CORPUS, name))));
}

export const hostileFiles: Row = {
  name: 'hostile-files',
  holds:
    'a damaged file is refused by a typed error or read, within 100 ms and twice its size + 16 MiB, prototypes clean',
  ci: 50_000,
  release: 2_000_000,
  async check(runs, seed, report) {
    const directory = mkdtempSync(join(tmpdir(), 'loretta-hostile-'));
    setBackend(referenceBackend());
    const clean = prototypes();
    const peak = new Peak();
    let [refused, folderRuns] = [0, 0];
    try {
      const all = formats(directory, corpusFiles());
      const folders = await goodFolders(directory);
      if (report.only === null) await readCorpus(all[0]!, report, peak);
      await eachCase(runs, seed, report, async (random, index) => {
        const whole = index % FOLDER_EVERY === 0;
        if (whole) folderRuns++;
        const format = pick(random, all);
        const input = whole
          ? folderInput(join(directory, 'folder'), damageFolder(random, folders))
          : fileInput(format, format.damage(random));
        if (await readOne(input, peak)) refused++;
        must(prototypes() === clean, () => `a prototype is changed by ${input.show()}`);
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
    report.note('refused', refused);
    report.note('folders', folderRuns);
    report.note('most memory, of that allowed', Number(peak.share.toFixed(2)));
  },
};
