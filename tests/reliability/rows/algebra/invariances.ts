/** What may be added to, scaled or reordered without effect. */
import {
  argmax,
  argsort,
  attention,
  crossEntropy,
  embedding,
  flip,
  layerNorm,
  logSoftmax,
  logSumExp,
  max,
  ones,
  rmsNorm,
  rope,
  softmax,
  sum,
  type Tensor,
  variance,
  zeros,
} from '@loretta-ts/core';
import { batchNorm, crossEntropyLoss, groupNorm } from '@loretta-ts/nn';
import { ids, values } from '../../draw';
import { type Law, law, near, same } from './law';

const rows = { b: [1, 4], n: [1, 6] } as const;
const f64 = { dtype: 'f64' } as const;
/** Large against values of ±1.5: what does not subtract the maximum overflows. */
const shiftOf = (x: Tensor): number => (x.size % 2 === 0 ? 1000 : -1000);
/** A shift by a thousand costs three digits. */
const SHIFTED = 1e-9;
/** No eps: a scale then cancels. Rows of two at least, and never all alike. */
const affine = (d: number): [Tensor, Tensor] => [ones([d], f64), zeros([d], f64)];

export const invariances: readonly Law[] = [
  law('softmax(x + c) = softmax(x)', rows, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    near(softmax(x.add(shiftOf(x))), softmax(x), SHIFTED);
  }),
  law('softmax sums to 1', rows, ({ b, n }, random) => {
    near(sum(softmax(values(random, [b, n]).mul(300)), -1), ones([b], f64));
  }),
  law('logSoftmax(x + c) = logSoftmax(x)', rows, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    near(logSoftmax(x.add(shiftOf(x))), logSoftmax(x), SHIFTED);
  }),
  law('logSumExp(x + c) = logSumExp(x) + c', rows, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    near(logSumExp(x.add(shiftOf(x)), -1), logSumExp(x, -1).add(shiftOf(x)));
  }),
  law('logSoftmax(x) = x − logSumExp(x)', rows, ({ b, n }, random) => {
    const x = values(random, [b, n]).mul(100);
    near(logSoftmax(x), x.sub(logSumExp(x, -1, { keepDims: true })));
  }),
  law('crossEntropy(x + c, t) = crossEntropy(x, t)', rows, ({ b, n }, random) => {
    const [x, target] = [values(random, [b, n]), ids(random, [b], n)];
    near(crossEntropy(x.add(shiftOf(x)), target), crossEntropy(x, target), SHIFTED);
  }),
  law('crossEntropyLoss with smoothing does not see shifts', rows, ({ b, n }, random) => {
    const [x, target] = [values(random, [b, n]), ids(random, [b], n)];
    const loss = (y: Tensor): Tensor => crossEntropyLoss(y, target, { labelSmoothing: 0.3 });
    near(loss(x.add(shiftOf(x))), loss(x), SHIFTED);
  }),
  law('layerNorm(x + c) = layerNorm(x)', { b: [1, 4], n: [2, 6] }, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    const of = (y: Tensor): Tensor => layerNorm(y, ...affine(n), { eps: 1e-3 });
    near(of(x.add(10)), of(x));
  }),
  law('layerNorm(−x) = −layerNorm(x)', { b: [1, 4], n: [2, 6] }, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    const of = (y: Tensor): Tensor => layerNorm(y, ...affine(n), { eps: 1e-3 });
    near(of(x.neg()), of(x).neg());
  }),
  law('layerNorm scales its eps with x', { b: [1, 4], n: [2, 6] }, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    const of = (y: Tensor, eps: number): Tensor => layerNorm(y, ...affine(n), { eps });
    near(of(x.mul(4), 16e-3), of(x, 1e-3));
  }),
  law('rmsNorm scales its eps with x', rows, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    const of = (y: Tensor, eps: number): Tensor => rmsNorm(y, ones([n], f64), { eps });
    near(of(x.mul(4), 16e-3), of(x, 1e-3));
  }),
  law('groupNorm(x + c) = groupNorm(x)', { b: [1, 3], n: [1, 4] }, ({ b, n }, random) => {
    const x = values(random, [b, 4, n]);
    near(groupNorm(x.add(10), 2, { eps: 1e-3 }), groupNorm(x, 2, { eps: 1e-3 }));
  }),
  law('batchNorm(x + c) = batchNorm(x)', { b: [1, 3], n: [1, 4] }, ({ b, n }, random) => {
    const x = values(random, [b, 2, n]);
    near(batchNorm(x.add(10), { eps: 1e-3 }), batchNorm(x, { eps: 1e-3 }));
  }),
  law('variance(x + c) = variance(x)', rows, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    const options = { correction: 0 };
    near(variance(x.add(10), -1, options), variance(x, -1, options));
  }),
  law('argmax(x + c) = argmax(x), max(x + c) = max(x) + c', rows, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    same(argmax(x.add(2), -1), argmax(x, -1));
    near(max(x.add(2), -1), max(x, -1).add(2));
  }),
  law('argsort is a permutation, and its own inverse turns it back', rows, ({ n }, random) => {
    const x = values(random, [n]);
    const order = argsort(x, 0);
    same(embedding(embedding(x, order), argsort(order, 0)), x);
  }),
  law(
    'attention does not see what all scores have more',
    { t: [1, 4], s: [1, 5], d: [1, 3] },
    ({ t, s, d }, random) => {
      const [q, k, v] = [
        values(random, [2, t, 2, d]),
        values(random, [2, s, 1, d]),
        values(random, [2, s, 1, d]),
      ];
      const bias = values(random, [2, 2, t, 1]).mul(100).broadcastTo([2, 2, t, s]);
      near(attention(q, k, v, { bias }), attention(q, k, v), SHIFTED);
    },
  ),
  law(
    'attention does not see the order of keys',
    { t: [1, 4], s: [1, 5], d: [1, 3] },
    ({ t, s, d }, random) => {
      const [q, k, v] = [
        values(random, [2, t, 2, d]),
        values(random, [2, s, 1, d]),
        values(random, [2, s, 1, d]),
      ];
      near(attention(q, flip(k, 1), flip(v, 1)), attention(q, k, v));
    },
  ),
  law(
    'attention gives an average: of equal values their value',
    { t: [1, 4], s: [1, 5], d: [1, 3] },
    ({ t, s, d }, random) => {
      const [q, k] = [values(random, [1, t, 2, d]).mul(50), values(random, [1, s, 2, d])];
      const v = values(random, [1, 1, 2, d]);
      near(attention(q, k, v.broadcastTo([1, s, 2, d])), v.broadcastTo([1, t, 2, d]));
    },
  ),
  law(
    'rope keeps lengths, and products by distance alone',
    { t: [1, 5], d: [1, 3], shift: [0, 9] },
    ({ t, d, shift }, random) => {
      const [q, k] = [values(random, [1, t, 1, 2 * d]), values(random, [1, t, 1, 2 * d])];
      const [at, other] = [ids(random, [t], 20), ids(random, [t], 20)];
      const products = (by: number): Tensor =>
        sum(rope(q, at.add(by)).mul(rope(k, other.add(by))), -1);
      near(products(shift), products(0));
      near(sum(rope(q, at).square(), -1), sum(q.square(), -1));
    },
  ),
];
