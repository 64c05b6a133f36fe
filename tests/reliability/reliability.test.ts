/** Every row of the reliability table, at the size of `npm test`. `npm run reliability` runs the release sizes. */
import { describe, expect, it } from 'vitest';
import { eachCase, type Row } from './row';
import { rows } from './rows';
import { runRow, showFailure } from './run';

const SEED = 1;

describe('reliability', () => {
  it.each(rows.map((row) => [row.name, row] as const))(
    '%s',
    { timeout: 600_000 },
    async (_, row) => {
      const outcome = await runRow(row, row.ci, SEED);
      const none = Object.entries(outcome.notes).filter(([, n]) => n === 0);
      if (none.length > 0) console.log(`left out: ${row.name}: ${none.map(([name]) => name)}`);
      expect(outcome.failures.map((failure) => showFailure(outcome, failure)).join('\n')).toBe('');
    },
  );

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
