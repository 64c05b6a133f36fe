import { referenceBackend } from '@loretta-ts/backend-cpu';
import { capture, crossEntropy, key, setBackend, tensor, type Tensor, valueAndGrad } from '@loretta-ts/core';
import { expect, it } from 'vitest';
import { AdamW, Decoder, clipScale, gradNorm } from '../src/index';
it('captured', () => {
  setBackend(referenceBackend());
  const make = () => { const m = new Decoder({ vocab: 7, dim: 8, layers: 1, heads: 2, maxLength: 8 }, key(1)); return { m, o: new AdamW(m.namedParameters(), {lr: .01}) }; };
  const a = make(), b = make();
  const ids = tensor([[1,2,3],[4,5,6]], {dtype:'i32'}), y = tensor([[2,3,1],[5,6,0]], {dtype:'i32'});
  const step = (s: typeof a, x: Tensor, y: Tensor, h: readonly [Tensor, Tensor]) => {
    const { value, grads } = valueAndGrad(s.m.parameters(), () => crossEntropy(s.m.logits(s.m.forward(x)), y).mean());
    s.o.apply(grads, h); grads.dispose(); return value;
  };
  const cap = capture((x: Tensor, y: Tensor, d: Tensor, p: Tensor) => step(b, x, y, [d, p]), { state: b.o.leaves() });
  for (let i = 0; i < 4; i++) {
    const l = step(a, ids, y, a.o.hypers());
    const h = b.o.hypers();
    const m = cap(ids, y, h[0], h[1]) as Tensor;
    expect(m.itemSync()).toBe(l.itemSync());
  }
  for (const [n, t] of a.m.stateDict()) expect([...b.m.stateDict().get(n)!.dataSync()]).toEqual([...t.dataSync()]);
});
