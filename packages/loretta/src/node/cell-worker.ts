/** Worker thread: does cells of the comparison, one after the other, on a CPU backend of its own. */
import { parentPort, workerData } from 'node:worker_threads';
import { setBackend } from '@loretta-ts/core';
import { type Cell, type CellEvent, type CellResult, runCell } from '../compare/cells';
import type { ComparisonData } from '../compare/data';
import { chooseBackend } from './choose-backend';

/** What the parent sends for each cell. */
export interface CellJob {
  /** The work. */
  readonly cell: Cell;
  /** Data of a comparison cell. */
  readonly data: ComparisonData | null;
}

/** What it answers. */
export type CellAnswer =
  | { readonly kind: 'event'; readonly event: CellEvent }
  | { readonly kind: 'result'; readonly result: CellResult }
  | { readonly kind: 'error'; readonly name: string; readonly message: string };

const port = parentPort;
if (port !== null) {
  // cells run side by side: one thread each
  setBackend(chooseBackend((workerData as { readonly backend: string }).backend, 1));
  const answer = (message: CellAnswer): void => port.postMessage(message);
  port.on('message', ({ cell, data }: CellJob) => {
    runCell(cell, data, { onEvent: (event) => answer({ kind: 'event', event }) }).then(
      (result) => answer({ kind: 'result', result }),
      (error: unknown) => {
        const e = error instanceof Error ? error : new Error(String(error));
        answer({ kind: 'error', name: e.name, message: e.message });
      },
    );
  });
}
