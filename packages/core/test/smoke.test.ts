import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { describe, expect, it } from 'vitest';
import {
  attention,
  capture,
  checkpoint,
  crossEntropy,
  grad,
  key,
  linear,
  matmul,
  mul,
  normal,
  rmsNorm,
  setBackend,
  softmax,
  sum,
  swiglu,
  tensor,
  tidy,
  valueAndGrad,
} from '../src';

describe.each(['reference', 'cpu'])('smoke %s', (name) => {
  it('runs', async () => {
    const b = name === 'cpu' ? cpu() : referenceBackend();
    setBackend(b);
    const x = tensor([
      [1, 2],
      [3, 4],
    ]);
    console.log(String(x.matmul(x)));
    const g = grad((t) => sum(mul(t, mul(t, t))))(x);
    expect([...g.dataSync()]).toEqual([3, 12, 27, 48]);
    const gg = grad((t) => sum(grad((u) => sum(mul(u, mul(u, u))))(t)))(x);
    expect([...gg.dataSync()]).toEqual([6, 12, 18, 24]);
    const w = normal(key(1), [3, 2]);
    console.log(String(w));
    const before = b.memory().buffers;
    for (let i = 0; i < 3; i++) {
      const r = valueAndGrad([w], () => {
        const y = checkpoint((a) => swiglu(rmsNorm(linear(a, w)), linear(a, w)), x);
        const q = y.reshape(1, 2, 1, 3);
        return sum(
          crossEntropy(
            attention(q, q, q, { causal: true }).reshape(2, 3),
            tensor(Int32Array.of(0, 2)),
          ),
        );
      });
      console.log(String(r.value), String(r.grads.get(w)));
      r.value.dispose();
      r.grads.dispose();
      console.log(b.memory());
    }
    const p = { value: tensor([1, 2, 3]) };
    const step = capture(
      (t) => {
        const { value, grads } = valueAndGrad([p], () => sum(softmax(p.value.mul(t)).mul(t)));
        p.value = p.value.sub(grads.get(p).mul(0.1));
        return value;
      },
      { state: [p] },
    );
    console.log(
      String(step.call(tensor([1, 2, 4]))),
      String(p.value),
      String(step.call(tensor([1, 2, 4]))),
      String(p.value),
    );
    console.log(String(step.program));
  });
});
