import { hostRandom, ValueError } from '@loretta-ts/core';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { causal } from '../src/objectives/causal';
import { commutative } from '../src/objectives/commutative';
import {
  contentSpans,
  drawSpans,
  masked,
  maskSpans,
  poisson,
  restoreSpans,
  type Span,
} from '../src/objectives/masked';
import type { Objective } from '../src/objectives/objective';
import { type Block, pack, packSegments, type TokenRow, unpackRows } from '../src/sequence';
import { Vocabulary } from '../src/vocabulary';
import {
  chainContext,
  chiSquare,
  randomBatch,
  smallModel,
  TRIPLE,
  useCpu,
} from './objectives-setup';

const vocab = new Vocabulary(TRIPLE);
const { MASK, EOSS } = Vocabulary;
const [a, b] = [vocab.start('A'), vocab.start('B')];
const context = (seed: number) => chainContext(vocab, smallModel(vocab), seed);

beforeAll(useCpu);

/** [A, B] or [B, A] as one row. */
function pairRow(order: readonly number[]): TokenRow {
  const blocks: Block[] = [
    { modality: 'A', ids: Int32Array.of(a + 1, a + 2, a + 3, a + 4), generated: false },
    { modality: 'B', ids: Int32Array.of(b + 1, b + 2), generated: false },
  ];
  return unpackRows(vocab, pack(vocab, blocks, [order], { lossOn: 'real' }))[0]!;
}

describe('maskSpans', () => {
  it('replaces a span by a sentinel and appends it, as CM3 does', () => {
    const row = maskSpans(pairRow([0, 1]), [[2, 4]]);
    expect(row.ids).toEqual([a, a + 1, MASK, a + 4, b, b + 1, b + 2, MASK, a + 2, a + 3, EOSS]);
    expect(row.counts).toEqual([-1, 0, -1, 0, -1, 1, 1, -1, 0, 0, 0]);
    const at = (name: string, i: number): number => vocab.within(name, i);
    expect(row.within).toEqual([
      ...[at('A', 0), at('A', 1), at('A', 1), at('A', 4)],
      ...[at('B', 0), at('B', 1), at('B', 2)],
      ...[at('A', 1), at('A', 2), at('A', 3), 0],
    ]);
  });

  it('appends several spans in the order of the sequence', () => {
    const row = maskSpans(pairRow([0, 1]), [
      [1, 2],
      [3, 5],
      [6, 7],
    ]);
    expect(row.ids).toEqual([
      ...[a, MASK, a + 2, MASK, b, MASK, b + 2],
      ...[MASK, a + 1, EOSS, MASK, a + 3, a + 4, EOSS, MASK, b + 1, EOSS],
    ]);
  });

  it('of a whole block is the order swap of commutative modelling', () => {
    const [block] = contentSpans(vocab, pairRow([0, 1]).ids);
    const swapped = maskSpans(pairRow([0, 1]), [block!]);
    const plain = pairRow([1, 0]);
    const targets = ({ ids, within, counts }: TokenRow): unknown[] =>
      ids.flatMap((id, i) => (counts[i]! >= 0 && id !== EOSS ? [[id, within[i], counts[i]]] : []));
    expect(targets(swapped)).toEqual(targets(plain));
    // the sentinel stands where the modality token stood, and says the same place
    expect(swapped.ids.slice(5, -1)).toEqual([MASK, ...plain.ids.slice(4)]);
    expect(swapped.within.slice(5, -1)).toEqual(plain.within.slice(3));
  });

  it('is undone by restoreSpans', () => {
    expect(restoreSpans(maskSpans(pairRow([1, 0]), []).ids)).toEqual(pairRow([1, 0]).ids);
    const whole = maskSpans(pairRow([0, 1]), [
      [2, 4],
      [6, 7],
    ]).ids;
    expect(restoreSpans(whole)).toEqual(pairRow([0, 1]).ids);
    for (const cut of [1, 2, 3, 4]) {
      expect(() => restoreSpans(whole.slice(0, -cut))).toThrow(ValueError);
    }
    // one sentinel without another, a span that ends twice
    expect(() => restoreSpans([a, MASK, b, MASK, a + 1, EOSS, MASK, EOSS])).toThrow(ValueError);
    expect(() => restoreSpans([a, MASK, b, MASK, a + 1, EOSS, a + 2, EOSS])).toThrow(ValueError);
  });
});

describe('drawSpans', () => {
  it('masks a third of a long block in the mean', () => {
    const random = hostRandom(8);
    let sum = 0;
    for (let i = 0; i < 6000; i++) {
      const [span] = drawSpans([[0, 1000]], 'fixed', random);
      sum += span === undefined ? 0 : (span[1] - span[0]) / 1000;
    }
    // deviation of |u − v| is 1/√18: five of the mean's are 0.016
    expect(Math.abs(sum / 6000 - 1 / 3)).toBeLessThan(0.016);
  });

  it('draws blocks uniformly, whatever their length', () => {
    const random = hostRandom(9);
    const counts = [0, 0];
    for (let i = 0; i < 4000; i++) {
      const [span] = drawSpans(
        [
          [1, 101],
          [102, 1002],
        ],
        'fixed',
        random,
      );
      if (span !== undefined) counts[span[0] < 102 ? 0 : 1]!++;
    }
    expect(Math.abs(counts[0]! / 4000 - 0.5)).toBeLessThan(0.04);
  });

  it.each([1, 40])('counts spans by Poisson(%d)', (lambda) => {
    const random = hostRandom(10);
    const draws = Array.from({ length: 5000 }, () => poisson(lambda, random));
    const top = lambda === 1 ? 5 : 60;
    const probability: number[] = [];
    for (let k = 0, p = Math.exp(-lambda); k <= top; k++, p *= lambda / k) probability.push(p);
    // cells of at least five expected draws; the rest is one cell
    const cells = probability.map((p, k) => [k, p * 5000] as const).filter(([, e]) => e >= 5);
    const observed = cells.map(([k]) => draws.filter((n) => n === k).length);
    const inside = cells.reduce((sum, [, e]) => sum + e, 0);
    const rest = 5000 - observed.reduce((x, y) => x + y, 0);
    const chi = chiSquare([...observed, rest], [...cells.map(([, e]) => e), 5000 - inside]);
    // mean df, deviation √(2 df): five of them
    expect(chi).toBeLessThan(cells.length + 5 * Math.sqrt(2 * cells.length));
  });

  it('keeps at least one span, at most as many as drawn, sorted and apart', () => {
    const random = hostRandom(12);
    const counts = new Map<number, number>();
    for (let i = 0; i < 2000; i++) {
      const spans = drawSpans([[0, 10_000]], { poisson: 1 }, random);
      counts.set(spans.length, (counts.get(spans.length) ?? 0) + 1);
      spans.slice(1).forEach(([start], k) => {
        expect(start).toBeGreaterThanOrEqual(spans[k]![1]);
      });
    }
    expect(counts.get(0) ?? 0).toBeLessThan(5); // two ends on one token of 10,000
    // Poisson(1) is 0 or 1 with 2/e; of two, n² candidates leave few unplaced
    expect(counts.get(1)! / 2000).toBeGreaterThan(2 / Math.E - 0.05);
    expect(counts.get(2)! / 2000).toBeGreaterThan(0.1);
  });
});

describe('drawSpans of short blocks', () => {
  it('tries as many candidates as it may, and no more', () => {
    const random = hostRandom(13);
    let none = 0;
    for (let i = 0; i < 4000; i++)
      none += drawSpans([[0, 1]], 'fixed', random).length === 0 ? 1 : 0;
    // one token is not masked when both ends are in its first half: a quarter, five deviations are 0.034
    expect(Math.abs(none / 4000 - 0.25)).toBeLessThan(0.034);
  });

  it('keeps no more spans than were drawn, and they may touch', () => {
    let touching = 0;
    for (let seed = 0; seed < 500; seed++) {
      const n = Math.max(1, poisson(3, hostRandom(seed)));
      const spans = drawSpans([[0, 8]], { poisson: 3 }, hostRandom(seed));
      expect(spans.length).toBeLessThanOrEqual(n);
      spans.slice(1).forEach(([start], k) => {
        if (start === spans[k]![1]) touching++;
      });
    }
    // of the two ways to come second, to the left and to the right, each has its share
    expect(touching).toBeGreaterThan(150);
  });

  it('looks for content behind modality tokens alone', () => {
    expect(contentSpans(vocab, [a, MASK, a + 2, b, b + 1, EOSS])).toEqual([
      [1, 3],
      [4, 6],
    ]);
  });
});

describe('masked', () => {
  const spec = fc.record({
    seed: fc.nat(10_000),
    lambda: fc.constantFrom(null, 1, 4),
    names: fc.constantFrom(['A', 'B'], ['B', 'C'], ['A', 'B', 'C']),
  });

  it('keeps modality tokens, places and targets of every row, and can be undone', async () => {
    const shared = context(1);
    await fc.assert(
      fc.asyncProperty(spec, async ({ seed, lambda, names }) => {
        const batch = randomBatch(vocab, names, 4, seed);
        let plain: TokenRow[] = [];
        const inner: Objective = async (...args) => {
          const made = await commutative()(...args);
          plain = unpackRows(vocab, made.packed);
          return made;
        };
        const objective = masked(inner, {
          probability: 1,
          spans: lambda === null ? 'fixed' : { poisson: lambda },
        });
        const { packed } = await objective(batch, { ...shared, random: hostRandom(seed) });
        unpackRows(vocab, packed).forEach((row, i) => {
          const before = plain[i]!;
          expect(restoreSpans(row.ids)).toEqual(before.ids);
          const tokens = ({ ids, within, counts }: TokenRow): string[] =>
            ids.flatMap((id, j) => (id > EOSS ? [`${id} ${within[j]} ${counts[j]}`] : [])).sort();
          expect(tokens(row)).toEqual(tokens(before));
          row.ids.forEach((id, j) => {
            if (id === MASK) expect(row.counts[j]).toBe(-1);
          });
          for (const span of spansOf(row.ids)) {
            const owners = new Set(span.map((id) => vocab.modalityOf(id)));
            expect(owners.size).toBe(1);
            expect(span).not.toContain(vocab.start([...owners][0]!));
          }
        });
        expect(packed.targets.includes(MASK)).toBe(false);
      }),
      { seed: 51 },
    );
    shared.model.dispose();
  });

  it('gives the end of a span the loss of its modality', async () => {
    const shared = context(2);
    const { packed } = await masked(causal({ order: ['A', 'B'] }), { probability: 1 })(
      randomBatch(vocab, ['A', 'B'], 16),
      shared,
    );
    const ends = [...packed.targets].flatMap((id, i) =>
      id === EOSS ? [packed.weightsKey[i]] : [],
    );
    expect(ends.length).toBeGreaterThan(8);
    expect(new Set(ends)).toEqual(new Set([0, 1]));
    shared.model.dispose();
  });

  it('masks the share of rows that it is told', async () => {
    const shared = context(3);
    const batch = randomBatch(vocab, ['A'], 1000);
    const share = async (probability: number): Promise<number> => {
      const { packed } = await masked(causal({ order: ['A'] }), { probability })(batch, shared);
      return unpackRows(vocab, packed).filter((row) => row.ids.includes(MASK)).length / 1000;
    };
    expect(await share(0)).toBe(0);
    const all = await share(1); // two ends of one span may meet
    expect(all).toBeGreaterThan(0.8);
    expect(Math.abs((await share(0.5)) - all / 2)).toBeLessThan(0.08);
    shared.model.dispose();
  });

  it('cuts rows at the longest sequence of the model', async () => {
    const shared = { ...context(4), model: smallModel(vocab, { maxLength: 8 }) };
    const batch = randomBatch(vocab, ['A', 'B'], 32);
    const { packed } = await masked(causal({ order: ['A', 'B'] }), {
      probability: 1,
      spans: { poisson: 3 },
    })(batch, shared);
    expect(packed.t).toBe(8);
    shared.model.dispose();
  });

  it('refuses options out of range and rows of several sequences', async () => {
    const inner = commutative();
    for (const probability of [-0.1, 1.1, Number.NaN]) {
      expect(() => masked(inner, { probability })).toThrow('not in [0, 1]');
    }
    for (const lambda of [0, 256, Number.NaN]) {
      expect(() => masked(inner, { spans: { poisson: lambda } })).toThrow('not in (0, 255]');
    }
    expect(() => masked(inner, { spans: { poisson: 255 } })).not.toThrow();
    const shared = context(5);
    const dense: Objective = async (...args) => {
      const made = await inner(...args);
      return { ...made, packed: packSegments(made.packed, 30) };
    };
    await expect(masked(dense)(randomBatch(vocab, ['A'], 2), shared)).rejects.toThrow(
      'before packSegments',
    );
    shared.model.dispose();
  });
});

/** The appended spans of a masked row. */
function spansOf(ids: readonly number[]): number[][] {
  const sentinels = ids.flatMap((id, i) => (id === MASK ? [i] : []));
  const spans: Span[] = sentinels
    .slice(sentinels.length / 2)
    .map((start) => [start + 1, ids.indexOf(EOSS, start)]);
  return spans.map(([start, end]) => ids.slice(start, end));
}
