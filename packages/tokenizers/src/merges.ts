import { show, TokenizerError } from './errors';
import { MergeQueue } from './mergeQueue';
import type { TokenTable } from './vocabulary';

/** What a pair of neighbouring tokens becomes, and how early: lower ranks first. */
export interface Merge {
  readonly rank: number;
  readonly id: number;
}

/** Pairs of token ids that merge. */
export class MergeTable {
  readonly #merges: Map<number, Merge> = new Map();

  /** The merges of a list of token pairs in order. Throws TokenizerError if a part or a result has no id. */
  static fromPairs(
    where: string,
    pairs: readonly (readonly [string, string])[],
    table: TokenTable,
  ): MergeTable {
    const merges = new MergeTable();
    pairs.forEach(([left, right], rank) => {
      const ids = [left, right, left + right].map((token) => {
        const id = table.id(token);
        if (id !== undefined) return id;
        throw new TokenizerError(
          'format',
          where,
          `merge ${rank} (${show(left)} ${show(right)}): ${show(token)} is not in the vocabulary`,
        );
      });
      merges.set(ids[0]!, ids[1]!, { rank, id: ids[2]! });
    });
    return merges;
  }

  /** Declares a merge; of two for the same pair the first counts. */
  set(left: number, right: number, merge: Merge): void {
    const key = pairKey(left, right);
    if (!this.#merges.has(key)) this.#merges.set(key, merge);
  }

  /** The merge of a pair, or undefined. */
  get(left: number, right: number): Merge | undefined {
    return this.#merges.get(pairKey(left, right));
  }
}

/** One number for a pair of ids; ids are below 2²⁴. */
export function pairKey(left: number, right: number): number {
  return left * 0x1000000 + right;
}

/**
 * Applies merges to a sequence of ids until none applies: lowest rank first, leftmost among equals.
 * A linked list, and a queue with a list of positions per rank: time grows with the length, however long the word.
 */
export function applyMerges(symbols: readonly number[], merges: MergeTable): number[] {
  const n = symbols.length;
  if (n < 2) return [...symbols];
  const ids = new Int32Array(symbols);
  const next = new Int32Array(n);
  const previous = new Int32Array(n);
  for (let i = 0; i < n; i++) {
    next[i] = i + 1 < n ? i + 1 : -1;
    previous[i] = i - 1;
  }
  // of the pair that starts at a position: when it merges, if it does, and into what
  const ranks = new Float64Array(n).fill(Number.NaN);
  const results = new Int32Array(n);
  const queue = new MergeQueue();
  const offer = (at: number): void => {
    if (at < 0) return;
    const after = next[at]!;
    const merge = after < 0 ? undefined : merges.get(ids[at]!, ids[after]!);
    ranks[at] = merge === undefined ? Number.NaN : merge.rank;
    if (merge === undefined) return;
    results[at] = merge.id;
    queue.add(merge.rank, at);
  };
  for (let i = 0; i + 1 < n; i++) offer(i);

  for (let at = queue.take(); at >= 0; at = queue.take()) {
    // the pair here may have become another since
    if (ranks[at] !== queue.rank) continue;
    const gone = next[at]!;
    ids[at] = results[at]!;
    ranks[gone] = Number.NaN;
    const after = next[gone]!;
    next[at] = after;
    if (after >= 0) previous[after] = at;
    offer(previous[at]!);
    offer(at);
  }
  const merged: number[] = [];
  for (let i = 0; i >= 0; i = next[i]!) merged.push(ids[i]!);
  return merged;
}
