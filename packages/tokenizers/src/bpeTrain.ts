import { Heap } from './heap';
import { pairKey } from './merges';

/** What {@link learnMerges} found. */
export interface LearntMerges {
  /** Token strings: the given ones, then those that merges made. */
  readonly tokens: readonly string[];
  /** Token pairs in the order they were chosen. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  /** How often each pair occurred when it was chosen. */
  readonly counts: readonly number[];
}

/** When {@link learnMerges} stops. */
export interface LearnLimits {
  /** Most tokens. */
  readonly vocabSize: number;
  /** Stop when the best pair occurs less often. */
  readonly minCount: number;
}

interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Where it may occur; entries whose symbols have changed since are skipped. */
  positions: number[];
}

interface QueuedPair {
  readonly pair: Pair;
  /** The count when it was queued; no less than the count now. */
  readonly count: number;
}

/**
 * Byte-pair encoding (Sennrich et al. 2016): again and again the most frequent pair of neighbours becomes one token;
 * among equals the pair with the lower ids, as Hugging Face's trainer has it. Pair counts are kept up to date where
 * a merge happens, never recounted.
 *
 * @param words Token ids of each distinct word and how often it occurs.
 * @param tokens Token strings by id.
 */
export function learnMerges(
  words: Iterable<readonly [symbols: ArrayLike<number>, count: number]>,
  tokens: readonly string[],
  limits: LearnLimits,
): LearntMerges {
  const learnt = { tokens: [...tokens], merges: [] as [string, string][], counts: [] as number[] };
  const idOf = new Map(tokens.map((token, id) => [token, id]));
  const merged = new Set<number>();
  const state = layOut(words);
  const { ids, weights, next, previous } = state;
  const pairs = new PairCounts(state);
  for (let i = 0; i < ids.length; i++) if (next[i]! >= 0) pairs.change(i, weights[i]!);

  while (learnt.tokens.length < limits.vocabSize) {
    const best = pairs.takeBest();
    if (best === undefined || best.count < limits.minCount) break;
    const left = learnt.tokens[best.left]!;
    const right = learnt.tokens[best.right]!;
    // Two pairs can spell the same token, and a pair can come back through such a token.
    const id = idOf.get(left + right) ?? learnt.tokens.length;
    if (id === learnt.tokens.length) {
      learnt.tokens.push(left + right);
      idOf.set(left + right, id);
    }
    const key = pairKey(best.left, best.right);
    if (!merged.has(key)) {
      merged.add(key);
      learnt.merges.push([left, right]);
      learnt.counts.push(best.count);
    }
    for (const at of best.positions.sort((a, b) => a - b)) {
      const gone = next[at]!;
      if (ids[at] !== best.left || gone < 0 || ids[gone] !== best.right) continue;
      const weight = weights[at]!;
      const before = previous[at]!;
      const after = next[gone]!;
      if (before >= 0) pairs.change(before, -weight);
      if (after >= 0) pairs.change(gone, -weight);
      ids[at] = id;
      ids[gone] = -1;
      next[at] = after;
      if (after >= 0) previous[after] = at;
      if (before >= 0) pairs.change(before, weight);
      if (after >= 0) pairs.change(at, weight);
    }
    pairs.forget(best);
  }
  return learnt;
}

/** All words one after another as a linked list that breaks between words. */
interface Symbols {
  readonly ids: Int32Array;
  /** How often the word of a symbol occurs. */
  readonly weights: Float64Array;
  readonly next: Int32Array;
  readonly previous: Int32Array;
}

function layOut(words: Iterable<readonly [ArrayLike<number>, number]>): Symbols {
  const list = [...words];
  const total = list.reduce((sum, [symbols]) => sum + symbols.length, 0);
  const ids = new Int32Array(total);
  const weights = new Float64Array(total);
  const next = new Int32Array(total).fill(-1);
  const previous = new Int32Array(total).fill(-1);
  let at = 0;
  for (const [symbols, count] of list) {
    for (let i = 0; i < symbols.length; i++, at++) {
      ids[at] = symbols[i]!;
      weights[at] = count;
      if (i === 0) continue;
      previous[at] = at - 1;
      next[at - 1] = at;
    }
  }
  return { ids, weights, next, previous };
}

/** Counts of neighbouring pairs under change, and the most frequent of them. */
class PairCounts {
  readonly #symbols: Symbols;
  readonly #pairs: Map<number, Pair> = new Map();
  readonly #grown: Set<Pair> = new Set();
  readonly #queue: Heap<QueuedPair> = new Heap(ahead);

  constructor(symbols: Symbols) {
    this.#symbols = symbols;
  }

  /** Adds `by` to the count of the pair that starts at a position. */
  change(at: number, by: number): void {
    const { ids, next } = this.#symbols;
    const left = ids[at]!;
    const right = ids[next[at]!]!;
    const key = pairKey(left, right);
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = { left, right, count: 0, positions: [] };
      this.#pairs.set(key, pair);
    }
    pair.count += by;
    if (by < 0) return;
    pair.positions.push(at);
    this.#grown.add(pair);
  }

  /** The most frequent pair. */
  takeBest(): Pair | undefined {
    for (const pair of this.#grown) this.#enqueue(pair);
    this.#grown.clear();
    for (let top = this.#queue.pop(); top !== undefined; top = this.#queue.pop()) {
      if (top.count === top.pair.count) return top.pair;
      this.#enqueue(top.pair);
    }
    return undefined;
  }

  /** Drops a pair that no longer occurs. */
  forget(pair: Pair): void {
    pair.count = 0;
    pair.positions = [];
    this.#pairs.delete(pairKey(pair.left, pair.right));
  }

  #enqueue(pair: Pair): void {
    if (pair.count > 0) this.#queue.push({ pair, count: pair.count });
  }
}

function ahead(a: QueuedPair, b: QueuedPair): boolean {
  if (a.count !== b.count) return a.count > b.count;
  if (a.pair.left !== b.pair.left) return a.pair.left < b.pair.left;
  return a.pair.right < b.pair.right;
}
