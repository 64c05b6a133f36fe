/** Commutative modelling: every order of the modalities present (LORETTA §1.3). */
import { pack } from '../sequence';
import { type Objective, randomOrders, realBlocks } from './objective';

/** Next-token prediction in an order drawn uniformly for each row. */
export function commutative(): Objective {
  return async (batch, { vocab, random }) => {
    const blocks = realBlocks(batch, vocab);
    const order = randomOrders(batch.b, blocks.length, random);
    return { packed: pack(vocab, blocks, order, { lossOn: 'real' }), generated: [] };
  };
}
