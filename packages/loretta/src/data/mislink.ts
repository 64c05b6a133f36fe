/** The control of LORETTA §7.3, point 9: a link that says nothing. */
import { hostRandom } from '@loretta-ts/core';
import { type PairSet, shuffle } from './align';

/** The same samples of both modalities, joined without regard to class. `labels` stay those of the first modality. */
export function mislink(pair: PairSet, seed: number): PairSet {
  const order = Int32Array.from({ length: pair.size }, (_, n) => n);
  shuffle(order, hostRandom(seed));
  const index = pair.index.slice();
  order.forEach((from, n) => {
    index[2 * n + 1] = pair.index[2 * from + 1]!;
  });
  return { ...pair, index };
}
