/** One order for all samples: GPT, DALL-E, MMGPT. */
import { ValueError } from '@loretta-ts/core';
import { pack, sameOrder } from '../sequence';
import { type Objective, realBlocks } from './objective';

/**
 * Next-token prediction in one fixed order of the modalities.
 * @param order every modality that a batch may hold, first to last
 */
export function causal({ order }: { readonly order: readonly string[] }): Objective {
  return async (batch, { vocab }) => {
    const blocks = realBlocks(batch, vocab);
    for (const { modality } of blocks) {
      if (order.includes(modality)) continue;
      throw new ValueError('causal', `the order ${order.join(', ')} lacks ${modality}: add it`);
    }
    const sorted = order.flatMap((name) => blocks.filter((block) => block.modality === name));
    const places = sameOrder(
      batch.b,
      sorted.map((_, i) => i),
    );
    return { packed: pack(vocab, sorted, places, { lossOn: 'real' }), generated: [] };
  };
}
