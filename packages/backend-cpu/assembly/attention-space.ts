/** Where attention keeps its blocks: the whole working memory of a thread, cut by the width of the heads. */
import { Attention, BK, BQ } from './attention-scores';
import { workspace, workspaceBytes } from './scratch';

/** Keys that are packed at once, at most. */
const MOST_KEYS: i32 = 1024;
const ROW: usize = BQ * 4;
const BLOCK: usize = BQ * BK * 4;

/** Per query: peak (or D), and sum. */
export let peaks: usize = 0;
export let sums: usize = 0;
/** Scores, their gradient, and a packed block. */
export let block: usize = 0;
export let other: usize = 0;
export let packed: usize = 0;
/** Four packed blocks of queries, and three of keys or values. */
export let queries: usize = 0;
export let queryBytes: usize = 0;
export let keys: usize = 0;
export let keyBytes: usize = 0;
/** Queries of a block, and keys that are packed at once. */
export let blockQueries: i32 = 0;
export let blockKeys: i32 = 0;

/** Lays the memory out for a call. Heads are at most 8192 wide. */
export function layOut(a: Attention): void {
  const width = (max(a.d, a.dv) + 7) & ~7;
  // short causal blocks waste little of their triangle
  const wanted = a.causal ? (a.t <= 2 * BQ ? 16 : 32) : BQ;
  const fit = max(4, (32768 / width) & ~3);
  blockQueries = min(wanted, fit);
  peaks = workspace;
  sums = peaks + ROW;
  block = sums + ROW;
  other = block + BLOCK;
  packed = other + BLOCK;
  queries = packed + BLOCK;
  queryBytes = <usize>(blockQueries * width) << 2;
  keys = queries + 4 * queryBytes;
  const left = workspaceBytes - (keys - workspace);
  blockKeys = min(MOST_KEYS, <i32>(left / (<usize>(12 * width))) & ~7);
  keyBytes = <usize>(blockKeys * width) << 2;
}
