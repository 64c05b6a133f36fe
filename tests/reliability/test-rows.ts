/** The rows of a group as tests, at the size of `npm test`. `npm run reliability` runs the release sizes. */
import { describe, expect, it } from 'vitest';
import type { Row } from './row';
import { groups } from './rows';
import { runRow, showFailure } from './run';

const SEED = 1;

/** Declares a test for each row. */
export function testRows(group: keyof typeof groups): void {
  const rows: readonly Row[] = groups[group];
  describe('reliability', () => {
    it.each(rows.map((row) => [row.name, row] as const))(
      '%s',
      { timeout: 600_000 },
      async (_, row) => {
        const outcome = await runRow(row, row.ci, SEED);
        const none = Object.entries(outcome.notes).filter(([, n]) => n === 0);
        if (none.length > 0) console.log(`left out: ${row.name}: ${none.map(([name]) => name)}`);
        expect(outcome.failures.map((failure) => showFailure(outcome, failure)).join('\n')).toBe(
          '',
        );
      },
    );
  });
}
