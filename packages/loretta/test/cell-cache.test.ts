/** Cells run once: what is there is read, what failed runs again, and nothing half-written is left. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type AblationCell, type Cell, type CellResult, planCells } from '../src/compare/cells';
import { runCells } from '../src/node/cell-cache';

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

async function run(list: Cell[], slots = 2, origin = 'here'): Promise<Ran> {
  const cached: boolean[] = [];
  const results = await runCells(list, {
    ...{ folder, slots, backend: 'cpu', origin },
    entry: new URL('./cell-worker-stub.mjs', import.meta.url),
    load: async () => null,
    onProgress: () => undefined,
    onCell: (_, known) => cached.push(known),
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
