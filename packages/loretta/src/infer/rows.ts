/** Rows of a block: taking some, repeating each, counting them. */
import { ValueError } from '@loretta-ts/core';
import type { Vocabulary } from '../vocabulary';

/** A block of rows `[b, length]` in joint ids. */
export interface Rows {
  /** Which modality it is. */
  readonly modality: string;
  /** `[b, length]` joint ids. */
  readonly ids: Int32Array;
  /** `[b, length, z]`, of a latent modality. */
  readonly latents?: Float32Array;
}

/** `[b, length]`: these rows of `total`, in this order, as often as they are named. */
export function takeRows<T extends Int32Array | Float32Array>(
  ids: T,
  total: number,
  index: ArrayLike<number>,
): T {
  const length = ids.length / total;
  const size = index.length * length;
  const out = (ids instanceof Float32Array ? new Float32Array(size) : new Int32Array(size)) as T;
  for (let i = 0; i < index.length; i++) {
    out.set(ids.subarray(index[i]! * length, (index[i]! + 1) * length), i * length);
  }
  return out;
}

/** As `takeRows`, ids and vectors of a block. */
export function takeBlock<T extends Rows>(block: T, total: number, index: ArrayLike<number>): T {
  const { ids, latents } = block;
  return {
    ...block,
    ids: takeRows(ids, total, index),
    ...(latents === undefined ? {} : { latents: takeRows(latents, total, index) }),
  };
}

/** 0 n times, 1 n times, … up to `rows`: each row, n times. */
export function eachTimes(rows: number, n: number): Int32Array {
  return Int32Array.from({ length: rows * n }, (_, i) => Math.floor(i / n));
}

/**
 * Rows of the blocks, which are given at full width and agree; `rows` where there is no block.
 * @throws ValueError when they do not fit
 */
export function countRows(
  op: string,
  vocab: Vocabulary,
  blocks: readonly Rows[],
  rows: number | undefined,
): number {
  let b = rows;
  for (const { modality, ids } of blocks) {
    const { length } = vocab.modality(modality);
    const n = ids.length / length;
    if (!Number.isInteger(n) || n < 1 || (b !== undefined && n !== b)) {
      throw new ValueError(
        op,
        `${ids.length} ids of ${modality} are not ${b ?? 'whole'} rows of ${length}`,
      );
    }
    b = n;
  }
  if (b !== undefined && Number.isInteger(b) && b > 0) return b;
  throw new ValueError(op, `without a condition, rows must be a positive integer, not ${b}`);
}
