import { hostRandom, ValueError } from '@loretta-ts/core';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ModalityGraph, type TransitiveRoute } from '../src/graph';

const chain = (names: string): ModalityGraph =>
  new ModalityGraph(
    [...names],
    [...names].slice(1).map((name, i) => [names[i]!, name] as const),
  );
/** `B>C:A` is [C~, A] with C generated from B. */
const show = ({ from, generate, target }: TransitiveRoute): string =>
  `${[from, ...generate].join('>')}:${target}`;

describe('ModalityGraph', () => {
  it('knows neighbours and the pairs that were never seen', () => {
    const graph = chain('ABCD');
    expect(graph.neighbours('B')).toEqual(['A', 'C']);
    expect(graph.missing()).toEqual([
      ['A', 'C'],
      ['A', 'D'],
      ['B', 'D'],
    ]);
    expect(graph.route('A', 'D')).toEqual(['A', 'B', 'C', 'D']);
    expect(graph.route('D', 'A')).toEqual(['D', 'C', 'B', 'A']);
    expect(graph.route('B', 'B')).toEqual(['B']);
  });

  it('takes the shortest route, of equals the one first in the order of modalities', () => {
    const graph = new ModalityGraph(
      [...'ABCDE'],
      [
        ['A', 'C'],
        ['C', 'E'],
        ['A', 'B'],
        ['B', 'E'],
        ['E', 'D'],
        ['D', 'A'],
      ],
    );
    expect(graph.route('A', 'E')).toEqual(['A', 'B', 'E']);
  });

  it.each([
    // the case table of three modalities with link B
    ['ABC', 'AB', ['B>C:A']],
    ['ABC', 'BC', ['B>A:C']],
    ['ABC', 'A', ['A>B>C:A']],
    ['ABC', 'C', ['C>B>A:C']],
    ['ABC', 'B', []],
    ['ABC', 'AC', []],
    ['ABC', 'ABC', []],
    // a chain of four: hop by hop, and the last real block is the target
    ['ABCD', 'AB', ['B>C:A', 'B>C>D:A']],
    ['ABCD', 'BC', ['B>A:C', 'C>D:B']],
    ['ABCD', 'CD', ['C>B>A:D', 'C>B:D']],
    ['ABCD', 'ABC', ['C>D:A', 'C>D:B']],
    ['ABCD', 'AD', ['D>C:A', 'A>B:D']],
    ['ABCD', 'B', ['B>C>D:B']],
  ])('%s with %s present gives the routes of the case table', (names, present, routes) => {
    const found = chain(names)
      .transitiveRoutes([...present])
      .map(show);
    expect(found.sort()).toEqual([...routes].sort());
  });

  it('completes a sample nearest first, each modality from the one before it', () => {
    expect(chain('ABCD').completion(['A'])).toEqual([
      { from: 'A', modality: 'B' },
      { from: 'B', modality: 'C' },
      { from: 'C', modality: 'D' },
    ]);
    expect(chain('ABC').absentPairs(['B'])).toEqual([['A', 'C']]);
    expect(chain('ABC').absentPairs(['A'])).toEqual([]);
  });

  it('holds for any graph: routes are paths, start real, end absent, and join pairs never seen', () => {
    fc.assert(
      fc.property(fc.nat(10_000), fc.integer({ min: 2, max: 6 }), (seed, n) => {
        const random = hostRandom(seed);
        const names = [...'ABCDEF'.slice(0, n)];
        const pairs = names.flatMap((x, i) => names.slice(i + 1).map((y) => [x, y] as const));
        const graph = new ModalityGraph(
          names,
          pairs.filter(() => random.uniform() < 0.4),
        );
        const present = names.filter(() => random.uniform() < 0.5);
        for (const { from, generate, condition, target } of graph.transitiveRoutes(present)) {
          const path = [from, ...generate];
          expect(present).toContain(from);
          expect(present).toContain(target);
          for (const name of generate) expect(present).not.toContain(name);
          path.slice(1).forEach((name, i) => {
            expect(graph.neighbours(path[i]!)).toContain(name);
          });
          expect(generate.at(-1)).toBe(condition);
          expect(graph.neighbours(condition)).not.toContain(target);
          expect(path.length).toBe(Math.min(...present.map((p) => length(graph, p, condition))));
        }
        const made = new Set(present);
        for (const { from, modality } of graph.completion(present)) {
          expect(made).toContain(from);
          made.add(modality);
        }
        const reachable = names.filter((name) =>
          present.some((p) => length(graph, p, name) < Infinity),
        );
        expect([...made].sort()).toEqual(reachable.sort());
      }),
      { seed: 41 },
    );
  });

  it.each([
    ['a name twice', () => new ModalityGraph(['A', 'A'], []), 'twice'],
    ['an unknown name in a pair', () => new ModalityGraph(['A'], [['A', 'B']]), 'no modality B'],
    ['a pair with itself', () => new ModalityGraph(['A'], [['A', 'A']]), 'with itself'],
    ['an unknown start', () => chain('ABC').route('X', 'A'), 'no modality X'],
    ['an unknown end', () => chain('ABC').route('A', 'X'), 'no modality X'],
    [
      'no way',
      () => new ModalityGraph(['A', 'B'], []).route('A', 'B'),
      'no chain of observed pairs',
    ],
    [
      'an unknown modality in a sample',
      () => chain('ABC').transitiveRoutes(['X']),
      'no modality X',
    ],
  ])('refuses %s', (_, make, message) => {
    expect(make).toThrow(ValueError);
    expect(make).toThrow(message);
  });
});

/** Modalities on the shortest path; Infinity without one. */
function length(graph: ModalityGraph, from: string, to: string): number {
  try {
    return graph.route(from, to).length;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
}
