/** Orders of blocks. */
import type { HostRandom } from '@loretta-ts/core';
import type { Block } from '../sequence';
import type { Batch } from './objective';

/** The numbers 0..n-1 in uniformly random order (Fisher and Yates). */
export function randomOrder(n: number, random: HostRandom): number[] {
  const order = Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = random.int(i + 1);
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** An independent order of n blocks for each of b rows. */
export function randomOrders(b: number, n: number, random: HostRandom): number[][] {
  return Array.from({ length: b }, () => randomOrder(n, random));
}

/** The real blocks of a batch. */
export function realBlocks(batch: Batch): Block[] {
  return Object.entries(batch.blocks).map(([modality, ids]) => ({
    modality,
    ids,
    generated: false,
  }));
}
