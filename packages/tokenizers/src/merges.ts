import { show, TokenizerError } from './errors';
import { Heap } from './heap';
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

/** A candidate merge at a position of the symbol list. */
interface Candidate {
  readonly rank: number;
  readonly at: number;
  readonly left: number;
  readonly right: number;
  readonly id: number;
}

/**
 * Applies merges to a sequence of ids until none applies: lowest rank first, leftmost among equals.
 * A linked list and a heap: O(n log n) however long the word.
 */
export function applyMerges(symbols: readonly number[], merges: MergeTable): number[] {
  const n = symbols.length;
  if (n < 2) return [...symbols];
  const ids = Int32Array.from(symbols);
  const next = Int32Array.from({ length: n }, (_, i) => (i + 1 < n ? i + 1 : -1));
  const previous = Int32Array.from({ length: n }, (_, i) => i - 1);
  const heap = new Heap<Candidate>(before);
  const offer = (at: number): void => {
    const after = at < 0 ? -1 : next[at]!;
    if (after < 0) return;
    const left = ids[at]!;
    const right = ids[after]!;
    const merge = merges.get(left, right);
    if (merge !== undefined) heap.push({ rank: merge.rank, at, left, right, id: merge.id });
  };
  for (let i = 0; i + 1 < n; i++) offer(i);

  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const { at, left, right, id } = top;
    const gone = next[at]!;
    if (ids[at] !== left || gone < 0 || ids[gone] !== right) continue;
    ids[at] = id;
    ids[gone] = -1;
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

/** Lower ranks first, then leftmost. */
function before(a: Candidate, b: Candidate): boolean {
  return a.rank < b.rank || (a.rank === b.rank && a.at < b.at);
}
