/** Which modalities were seen together, and the way from one to another that was never seen with it. */
import { ValueError } from '@loretta-ts/core';

/** One modality to generate from another, real or generated before. */
export interface Hop {
  /** Generated from this one. */
  readonly from: string;
  /** Generated. */
  readonly modality: string;
}

/** One way to turn a sample with missing modalities into a pseudo-pair (LORETTA §1.5). */
export interface TransitiveRoute {
  /** Real block that generation starts from. */
  readonly from: string;
  /** What to generate, hop by hop; the last one is the condition. */
  readonly generate: readonly string[];
  /** First block of the sequence: generated. */
  readonly condition: string;
  /** Last block of the sequence: real. */
  readonly target: string;
}

/** An undirected graph: an edge is a pair of modalities with aligned data. */
export class ModalityGraph {
  /** Names, in the order given. */
  readonly modalities: readonly string[];
  /** Pairs that are seen together. */
  readonly observed: readonly (readonly [string, string])[];
  readonly #neighbours: ReadonlyMap<string, readonly string[]>;

  /** @throws ValueError for a name that occurs twice, an unknown one, or a pair of a modality with itself */
  constructor(modalities: readonly string[], observed: readonly (readonly [string, string])[]) {
    if (new Set(modalities).size < modalities.length)
      fail(`a name occurs twice in ${modalities.join(', ')}`);
    const linked = new Map(modalities.map((name) => [name, new Set<string>()]));
    for (const [x, y] of observed) {
      if (x === y) fail(`a pair of ${x} with itself`);
      const at = (name: string): Set<string> =>
        linked.get(name) ?? fail(`no modality ${name}: there are ${modalities.join(', ')}`);
      at(x).add(y);
      at(y).add(x);
    }
    this.modalities = [...modalities];
    this.observed = observed.map(([x, y]) => [x, y] as const);
    this.#neighbours = new Map(
      modalities.map((name) => [name, modalities.filter((other) => linked.get(name)!.has(other))]),
    );
  }

  /** Modalities seen together with this one, in the order of `modalities`. @throws ValueError for an unknown name */
  neighbours(name: string): readonly string[] {
    return (
      this.#neighbours.get(name) ??
      fail(`no modality ${name}: there are ${this.modalities.join(', ')}`)
    );
  }

  /** Pairs never seen together, each once. */
  missing(): (readonly [string, string])[] {
    return this.modalities.flatMap((x, i) =>
      this.modalities
        .slice(i + 1)
        .filter((y) => !this.neighbours(x).includes(y))
        .map((y) => [x, y] as const),
    );
  }

  /**
   * Shortest path, both ends included; of several, the one whose modalities come first in `modalities`.
   * @throws ValueError when no chain of observed pairs joins the two
   */
  route(from: string, to: string): string[] {
    return (
      this.path([from], to) ??
      fail(`no chain of observed pairs leads from ${from} to ${to}: add a pair set that links them`)
    );
  }

  /**
   * Pseudo-pairs that a sample of the present modalities can give: for every pair never seen together of which one
   * end is absent and one present, generate the absent end from the present modality nearest to it, and keep the
   * present end as target. A target that would be its own source is left to the samples that have a nearer one;
   * a sample of one modality has no other, and goes there and back.
   * Empty: nothing to generate, train in every order.
   */
  transitiveRoutes(present: readonly string[]): TransitiveRoute[] {
    const names = this.known(present);
    return this.modalities
      .filter((name) => !names.includes(name))
      .flatMap((condition) => {
        const path = this.path(names, condition);
        if (path === null) return [];
        const from = path[0]!;
        return names
          .filter((target) => !this.neighbours(condition).includes(target))
          .filter((target) => target !== from || names.length === 1)
          .map((target) => ({ from, generate: path.slice(1), condition, target }));
      });
  }

  /** Every absent modality that can be reached, nearest first, each from the one before it on the shortest path. */
  completion(present: readonly string[]): Hop[] {
    const names = this.known(present);
    const paths = this.modalities
      .filter((name) => !names.includes(name))
      .map((name) => this.path(names, name))
      .filter((path) => path !== null)
      .sort((x, y) => x.length - y.length);
    return paths.map((path) => ({ from: path.at(-2)!, modality: path.at(-1)! }));
  }

  /**
   * Pairs never seen together of which both ends are absent and can be generated: all that is left for a sample of the
   * link alone.
   */
  absentPairs(present: readonly string[]): (readonly [string, string])[] {
    const made = this.completion(present).map((hop) => hop.modality);
    return this.missing().filter(([x, y]) => made.includes(x) && made.includes(y));
  }

  /** Present modalities in the order of the graph. */
  private known(present: readonly string[]): string[] {
    for (const name of present) this.neighbours(name);
    return this.modalities.filter((name) => present.includes(name));
  }

  /** Breadth first from all sources at once: the nearest wins, the first of equals. */
  private path(sources: readonly string[], to: string): string[] | null {
    this.neighbours(to);
    const before = new Map<string, string | null>(sources.map((name) => [name, null]));
    const queue = [...sources];
    for (const at of queue) {
      if (at === to) break;
      for (const next of this.neighbours(at)) {
        if (before.has(next)) continue;
        before.set(next, at);
        queue.push(next);
      }
    }
    if (!before.has(to)) return null;
    const path: string[] = [];
    for (let at: string | null = to; at !== null; at = before.get(at)!) path.unshift(at);
    return path;
  }
}

function fail(message: string): never {
  throw new ValueError('ModalityGraph', message);
}
