/** Runs cells in workers and keeps each result in a file, named by all that decides it: a run that is cut off goes on. */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { type Cell, type CellEvent, cellName, type CellResult } from '../compare/cells';
import type { ComparisonData } from '../compare/data';
import { DataError } from '../data/errors';
import type { JobOptions } from '../events';
import type { CellAnswer, CellJob } from './cell-worker';

/** Changes when cells mean something else: results of before are not read again. */
const VERSION = 1;

/** What `runCells` reports: the events of each cell, and its end. */
export type CellsEvent =
  | (CellEvent & {
      /** Name of the cell. */
      readonly job: string;
    })
  | {
      /** Tells the events apart. */
      readonly type: 'cell';
      /** Name of the cell. */
      readonly job: string;
      /** Its result. */
      readonly result: CellResult;
      /** It was there already. */
      readonly cached: boolean;
    };

/** Options of `runCells`. */
export interface RunCellsOptions extends JobOptions<CellsEvent> {
  /** Folder of the results. */
  readonly folder: string;
  /** The built worker file. */
  readonly entry: URL;
  /** Cells at the same time. */
  readonly slots: number;
  /** Name of the backend, as the command line takes it. */
  readonly backend: string;
  /** Where the data of comparison cells are: those of another folder are other cells. */
  readonly origin: string;
  /** Data of a comparison cell. */
  load(cell: Cell): Promise<ComparisonData | null>;
}

/**
 * Results of all cells, in their order. A signal ends the workers; what is done is kept, and the rest runs the next time.
 * @throws the first error of a cell, by its name; what the signal was aborted with
 */
export async function runCells(
  cells: readonly Cell[],
  options: RunCellsOptions,
): Promise<CellResult[]> {
  const { signal, onEvent } = options;
  signal?.throwIfAborted();
  mkdirSync(options.folder, { recursive: true });
  const results = new Array<CellResult>(cells.length);
  const open: number[] = [];
  cells.forEach((cell, i) => {
    const known = readCell(pathOf(cell, options));
    if (known === null) open.push(i);
    else {
      results[i] = known;
      onEvent?.({ type: 'cell', job: cellName(cell), result: known, cached: true });
    }
  });
  let failed: unknown = null;
  const lane = async (): Promise<void> => {
    const worker = new CellWorker(options);
    const stop = (): void => void worker.end();
    signal?.addEventListener('abort', stop);
    try {
      for (let i = open.shift(); i !== undefined && failed === null; i = open.shift()) {
        const cell = cells[i]!;
        const data = await options.load(cell);
        signal?.throwIfAborted();
        const result = await worker.run({ cell, data });
        writeCell(pathOf(cell, options), result);
        results[i] = result;
        onEvent?.({ type: 'cell', job: cellName(cell), result, cached: false });
      }
    } catch (error) {
      failed ??= error;
    } finally {
      signal?.removeEventListener('abort', stop);
      await worker.end();
    }
  };
  await Promise.all(Array.from({ length: Math.min(options.slots, open.length) }, lane));
  if (failed !== null) throw failed;
  return results;
}

class CellWorker {
  readonly #worker: Worker;
  readonly #options: RunCellsOptions;

  constructor(options: RunCellsOptions) {
    this.#options = options;
    this.#worker = new Worker(options.entry, { workerData: { backend: options.backend } });
    this.#worker.setMaxListeners(0);
  }

  run(job: CellJob): Promise<CellResult> {
    const name = cellName(job.cell);
    return new Promise((resolve, reject) => {
      const worker = this.#worker;
      const done = (settle: () => void): void => {
        worker.off('message', onMessage);
        worker.off('error', onError);
        worker.off('exit', onExit);
        settle();
      };
      const onMessage = (m: CellAnswer): void => {
        if (m.kind === 'event') {
          try {
            this.#options.onEvent?.({ ...m.event, job: name });
          } catch (error) {
            done(() => reject(error));
          }
        } else if (m.kind === 'result') done(() => resolve(m.result));
        else
          done(() => reject(Object.assign(new Error(`${name}: ${m.message}`), { name: m.name })));
      };
      const onError = (error: Error): void => done(() => reject(error));
      const onExit = (code: number): void =>
        done(() => {
          const { signal } = this.#options;
          if (signal?.aborted === true) reject(signal.reason);
          else reject(new Error(`${name}: its worker ended with code ${code}`));
        });
      worker.on('message', onMessage);
      worker.on('error', onError);
      worker.on('exit', onExit);
      worker.postMessage(job);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

function pathOf(cell: Cell, { folder, origin }: RunCellsOptions): string {
  const id = JSON.stringify({ VERSION, cell, origin: cell.kind === 'comparison' ? origin : '' });
  const hash = createHash('sha256').update(id).digest('hex').slice(0, 12);
  return join(folder, `${cellName(cell).replace(/[^\w.]+/g, '-')}-${hash}.json`);
}

function readCell(path: string): CellResult | null {
  if (!existsSync(path)) return null;
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as CellResult;
  } catch {
    throw new DataError('format', path, 'is not JSON: delete it, the cell runs again');
  }
}

/** Whole or not at all. */
function writeCell(path: string, result: CellResult): void {
  writeFileSync(`${path}.part`, `${JSON.stringify(result)}\n`);
  renameSync(`${path}.part`, path);
}
