/** Cells run once: what is there is read, what failed runs again, and nothing half-written is left. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AblationCell, type Cell, type CellResult, planCells } from '../src/compare/cells';
import { type RunCellsOptions, runCells } from '../src/node/cell-cache';

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'loretta-cells-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const [first] = planCells({
  quick: true,
  seeds: 1,
  datasets: [],
  ablations: true,
}) as AblationCell[];
const cells = (...rows: string[]): AblationCell[] => rows.map((row) => ({ ...first!, row }));

interface Ran {
  readonly results: CellResult[];
  readonly cached: boolean[];
}

async function run(
  list: Cell[],
  slots = 2,
  origin = 'here',
  job: Pick<RunCellsOptions, 'onEvent' | 'signal'> = {},
): Promise<Ran> {
  const cached: boolean[] = [];
  const results = await runCells(list, {
    ...{ folder, slots, backend: 'cpu', origin },
    entry: new URL('./cell-worker-stub.mjs', import.meta.url),
    load: async () => null,
    ...job,
    onEvent(event) {
      if (event.type === 'cell') cached.push(event.cached);
      job.onEvent?.(event);
    },
  });
  return { results, cached };
}

it('runs each cell once, in any number of lanes, and keeps their order', async () => {
  const list = cells('a', 'b', 'c', 'd', 'e');
  const before = await run(list);
  expect(before.results.map((r) => 'toy' in r && r.cell.row)).toEqual(['a', 'b', 'c', 'd', 'e']);
  expect(before.cached).toEqual([false, false, false, false, false]);
  const after = await run([...list, ...cells('f')], 1);
  expect(after.cached).toEqual([true, true, true, true, true, false]);
  expect(after.results.slice(0, 5)).toEqual(before.results);
  expect(readdirSync(folder).every((name) => name.endsWith('.json'))).toBe(true);
});

it('a changed setting is another cell', async () => {
  await run(cells('a'));
  const [other] = cells('a');
  const changed = { ...other!, settings: { ...other!.settings, lr: 1 } };
  expect((await run([changed])).cached).toEqual([false]);
});

it('the same cell on data of another folder is another cell', async () => {
  const [cell] = planCells({ quick: true, seeds: 1, datasets: ['svl'], ablations: false });
  expect((await run([cell!])).cached).toEqual([false]);
  expect((await run([cell!])).cached).toEqual([true]);
  expect((await run([cell!], 1, 'there')).cached).toEqual([false]);
});

it('a failed cell is an error with its name; what was done stays', async () => {
  await expect(run(cells('a', 'broken', 'b'), 1)).rejects.toThrow(
    'ablation broken seed 0: loss NaN',
  );
  expect((await run(cells('a'), 1)).cached).toEqual([true]);
  await expect(run(cells('dead'), 1)).rejects.toThrow('its worker ended with code 3');
});

it('a file that is no JSON is named', async () => {
  await run(cells('a'));
  const [file] = readdirSync(folder);
  writeFileSync(join(folder, file!), '{');
  await expect(run(cells('a'))).rejects.toThrow('delete it');
});

it('stops its workers for a signal, keeps what is done, and goes on the next time', async () => {
  const reason = new Error('enough');
  const controller = new AbortController();
  const told: string[] = [];
  const stopped = run(cells('p', 'endless', 'q'), 1, 'here', {
    signal: controller.signal,
    onEvent(event) {
      told.push(`${event.type} ${event.job.replace(/^ablation | seed \d+$/g, '')}`);
      if (event.type === 'step' && event.job.includes('endless')) controller.abort(reason);
    },
  });
  await expect(stopped).rejects.toBe(reason);
  expect(told).toEqual(['step p', 'cell p', 'step endless']);
  expect((await run(cells('p', 'q'), 1)).cached).toEqual([true, false]);
  const aborted = run(cells('r'), 1, 'here', { signal: controller.signal });
  await expect(aborted).rejects.toBe(reason);
});

it('ends with what a listener throws', async () => {
  const reason = new Error('not this one');
  const listener = (): never => {
    throw reason;
  };
  await expect(run(cells('s'), 1, 'here', { onEvent: listener })).rejects.toBe(reason);
});
