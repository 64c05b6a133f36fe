import { Heap } from './heap';

/** Positions that wait with the same rank. */
interface Bucket {
  readonly rank: number;
  /** In the order of their coming until the first is taken, then from the left. */
  positions: ArrayLike<number>;
  taken: number;
  state: 'empty' | 'filling' | 'open';
  /** Those that came since it was opened. */
  readonly late: Heap<number>;
}

/**
 * Positions by rank, then from the left. They mostly come from the left already: a list per rank takes and gives each
 * in constant time, and only the ranks themselves are in a heap.
 */
export class MergeQueue {
  readonly #buckets: Map<number, Bucket> = new Map();
  readonly #waiting: Heap<Bucket> = new Heap((a, b) => a.rank < b.rank);
  #rank = Number.NaN;

  /** The rank of the position that was taken last. */
  get rank(): number {
    return this.#rank;
  }

  /** Adds a position, an integer from 0. */
  add(rank: number, position: number): void {
    let bucket = this.#buckets.get(rank);
    if (bucket === undefined) {
      bucket = { rank, positions: [], taken: 0, state: 'empty', late: new Heap(smaller) };
      this.#buckets.set(rank, bucket);
    }
    if (bucket.state === 'open') {
      bucket.late.push(position);
      return;
    }
    if (bucket.state === 'empty') {
      bucket.state = 'filling';
      this.#waiting.push(bucket);
    }
    (bucket.positions as number[]).push(position);
  }

  /** Removes and returns the leftmost position of the lowest rank; -1 when empty. */
  take(): number {
    for (let bucket = this.#waiting.first; bucket !== undefined; bucket = this.#waiting.first) {
      const position = takeFrom(bucket);
      if (position >= 0) {
        this.#rank = bucket.rank;
        return position;
      }
      this.#waiting.pop();
      bucket.positions = [];
      bucket.taken = 0;
      bucket.state = 'empty';
    }
    return -1;
  }
}

function takeFrom(bucket: Bucket): number {
  if (bucket.state === 'filling') {
    bucket.state = 'open';
    if (!ascends(bucket.positions)) bucket.positions = new Int32Array(bucket.positions).sort();
  }
  const { positions, taken, late } = bucket;
  const first = late.first;
  if (first !== undefined && (taken === positions.length || first < positions[taken]!)) {
    return late.pop()!;
  }
  if (taken === positions.length) return -1;
  bucket.taken++;
  return positions[taken]!;
}

function ascends(list: ArrayLike<number>): boolean {
  for (let i = 1; i < list.length; i++) if (list[i]! < list[i - 1]!) return false;
  return true;
}

function smaller(a: number, b: number): boolean {
  return a < b;
}
