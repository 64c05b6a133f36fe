/** A small model that has learned to count from 0 to 9 and round again: what samples of the guides generate with. */
import { key, tensor, valueAndGrad } from '@loretta-ts/core';
import { AdamW, crossEntropyLoss, Decoder } from '@loretta-ts/nn';

/** Ids 0 to 9, and 10 for padding. Takes some tenths of a second. */
export async function countingModel(): Promise<Decoder> {
  const model = new Decoder({ vocab: 11, dim: 16, layers: 1, heads: 2, maxLength: 32 }, key(0));
  const adam = new AdamW(model.namedParameters(), { lr: 0.02 });
  const counting = (from: number) =>
    tensor(
      Array.from({ length: 10 }, (_, row) =>
        Array.from({ length: 8 }, (_, i) => (row + i + from) % 10),
      ),
      { dtype: 'i32' },
    );
  using ids = counting(0); // [10, 8]
  using next = counting(1);
  for (let step = 0; step < 60; step++) {
    const { value, grads } = valueAndGrad(model.parameters(), () =>
      crossEntropyLoss(model.logits(model.forward(ids)), next),
    );
    adam.step(grads);
    value.dispose();
    grads.dispose();
  }
  adam.dispose();
  return model;
}
