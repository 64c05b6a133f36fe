/** The runner of the rows: what it tells of a failure, and that no group of rows is left out of `npm test`. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { eachCase, type Row } from './row';
import { groups } from './rows';
import { Results, runRow, showFailure } from './run';

describe('reliability', () => {
  it.each(Object.keys(groups))('the rows of %s run with the tests', (group) => {
    const file = fileURLToPath(new URL(`${group}.test.ts`, import.meta.url));
    expect(readFileSync(file, 'utf8')).toContain(`testRows('${group}');`);
  });

  it('a case that fails is told with seed, path and the command that repeats it alone', async () => {
    const drawn: number[] = [];
    const row: Row = {
      name: 'broken',
      holds: 'nothing',
      ci: 5,
      release: 5,
      check: (runs, seed, report) =>
        eachCase(runs, seed, report, (random, i) => {
          drawn.push(random.uniform());
          if (i === 3) throw new Error('three');
        }),
    };
    const outcome = await runRow(row, 5, 7);
    expect(outcome.failures).toHaveLength(1);
    expect(showFailure(outcome, outcome.failures[0]!)).toMatch(
      /^broken, seed 7, case 3: Error: three[\s\S]*again: npm run reliability -- --row broken --seed 7 --runs 5 --case 3$/,
    );
    const alone = await runRow(row, 5, 7, 3);
    expect(alone.failures).toHaveLength(1);
    expect(drawn[5]).toBe(drawn[3]);
  });

  it('what passed is kept for the same sources, seed and runs, and for no others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'loretta-results-'));
    try {
      const path = join(folder, 'results.json');
      const row: Row = { name: 'sound', holds: 'all', ci: 1, release: 2, check: async () => {} };
      const outcome = await runRow(row, 2, 7);
      new Results(path, 'these').keep(outcome);
      const results = new Results(path, 'these');
      expect(results.passed(row, 2, 7)).toMatchObject(outcome);
      expect(results.passed(row, 1, 7)).toBeUndefined();
      expect(results.passed(row, 2, 8)).toBeUndefined();
      expect(new Results(path, 'others').passed(row, 2, 7)).toBeUndefined();
      results.keep({ ...outcome, failures: [{ path: '', what: '', command: '' }] });
      expect(new Results(path, 'these').passed(row, 2, 7)).toBeUndefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
