/** A small decoder learns to count, on whatever backend it is given. */
import { type Backend, key, tensor, valueAndGrad, withBackend } from '@loretta-ts/core';
import { AdamW, crossEntropyLoss, Decoder } from '@loretta-ts/nn';

/** Loss of each step. */
export async function trainOn(backend: Backend, steps: number): Promise<number[]> {
  const { model, adam, ids, next } = withBackend(backend, () => {
    const model = new Decoder({ vocab: 8, dim: 8, layers: 1, heads: 2, maxLength: 8 }, key(0));
    const counting = (from: number) =>
      tensor(
        [0, 3].map((row) => Array.from({ length: 6 }, (_, i) => (row + from + i) % 8)),
        { dtype: 'i32' },
      );
    const adam = new AdamW(model.namedParameters(), { lr: 0.02 });
    return { model, adam, ids: counting(0), next: counting(1) }; // [2, 6] each
  });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    const { value, grads } = withBackend(backend, () =>
      valueAndGrad(model.parameters(), () =>
        crossEntropyLoss(model.logits(model.forward(ids)), next),
      ),
    );
    withBackend(backend, () => adam.step(grads));
    losses.push(await value.item());
    value.dispose();
    grads.dispose();
  }
  model.dispose();
  adam.dispose();
  ids.dispose();
  next.dispose();
  return losses;
}
