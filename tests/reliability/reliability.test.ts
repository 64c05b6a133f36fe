/** The runner of the rows: what it tells of a failure, and that no group of rows is left out of `npm test`. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { eachCase, type Row } from './row';
import { groups } from './rows';
import { runRow, showFailure } from './run';

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
});
