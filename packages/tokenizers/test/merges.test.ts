/** Merging by rank, against the plain way of doing it. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { applyMerges, MergeTable } from '../src/merges';

/** Looks for the lowest rank, leftmost among equals, again and again. */
function naive(symbols: readonly number[], merges: MergeTable): number[] {
  const ids = [...symbols];
  for (;;) {
    let best = -1;
    let rank = Infinity;
    for (let i = 0; i + 1 < ids.length; i++) {
      const merge = merges.get(ids[i]!, ids[i + 1]!);
      if (merge === undefined || merge.rank >= rank) continue;
      best = i;
      rank = merge.rank;
    }
    if (best < 0) return ids;
    ids.splice(best, 2, merges.get(ids[best]!, ids[best + 1]!)!.id);
  }
}

test('takes the lowest rank, then the leftmost, whatever the ranks, ties and results', () => {
  const id = fc.integer({ min: 0, max: 5 });
  const merge = fc.tuple(id, id, fc.integer({ min: -3, max: 3 }), id);
  fc.assert(
    fc.property(
      fc.array(merge, { maxLength: 20 }),
      fc.array(id, { maxLength: 40 }),
      (list, ids) => {
        const merges = new MergeTable();
        for (const [left, right, rank, to] of list) merges.set(left, right, { rank, id: to });
        expect(applyMerges(ids, merges)).toEqual(naive(ids, merges));
      },
    ),
    { seed: 20240605, numRuns: 5000 },
  );
});

test('of pairs with one rank the leftmost, also where a merge brings one back to the left', () => {
  const merges = new MergeTable();
  // 0 0 is 0, in one rank with 1 0: after the first merge all is to the left of what waits
  merges.set(0, 0, { rank: 1, id: 1 });
  merges.set(1, 0, { rank: 1, id: 0 });
  merges.set(1, 1, { rank: 0, id: 2 });
  for (let n = 0; n < 40; n++) {
    const ids = new Array<number>(n).fill(0);
    expect(applyMerges(ids, merges)).toEqual(naive(ids, merges));
  }
});
