/** Two ways to the same result: transposes, einsum, reductions, splits, transforms, windows. */
import {
  broadcastTo,
  concat,
  conv1d,
  conv2d,
  convTranspose1d,
  cumprod,
  cumsum,
  einsum,
  embedding,
  exp,
  fft,
  flip,
  fold,
  gather,
  irfft,
  linearRecurrence,
  log,
  longConv,
  matmul,
  max,
  mean,
  min,
  norm,
  oneHot,
  permute,
  prod,
  repeatInterleave,
  rfft,
  roll,
  sigmoid,
  sort,
  split,
  stack,
  std,
  sum,
  tanh,
  tensor,
  tile,
  topK,
  transpose,
  tril,
  triu,
  unfold,
  variance,
} from '@loretta-ts/core';
import { coin, ids, values } from '../../draw';
import { must } from '../../row';
import { type Law, law, near, same } from './law';

const matrices = { m: [0, 4], k: [0, 4], n: [0, 4] } as const;
const plane = { m: [1, 5], n: [1, 5] } as const;

const products: readonly Law[] = [
  law('(A B)ᵀ = Bᵀ Aᵀ', matrices, ({ m, k, n }, random) => {
    const [a, b] = [values(random, [2, m, k]), values(random, [k, n])];
    near(transpose(matmul(a, b)), matmul(transpose(b), transpose(a)));
  }),
  law('transA and transB are transposes', matrices, ({ m, k, n }, random) => {
    const [a, b] = [values(random, [k, m]), values(random, [n, k])];
    near(matmul(a, b, { transA: true, transB: true }), matmul(transpose(a), transpose(b)));
  }),
  law('(A B) C = A (B C)', matrices, ({ m, k, n }, random) => {
    const [a, b, c] = [values(random, [m, k]), values(random, [k, n]), values(random, [n, 3])];
    near(matmul(matmul(a, b), c), matmul(a, matmul(b, c)));
  }),
  law('A (B + C) = A B + A C', matrices, ({ m, k, n }, random) => {
    const [a, b, c] = [values(random, [m, k]), values(random, [k, n]), values(random, [k, n])];
    near(matmul(a, b.add(c)), matmul(a, b).add(matmul(a, c)));
  }),
  law('einsum ij,jk->ik is a product', matrices, ({ m, k, n }, random) => {
    const [a, b] = [values(random, [m, k]), values(random, [k, n])];
    near(einsum('ij,jk->ik', a, b), matmul(a, b));
    near(einsum('ij,jk->ki', a, b), transpose(matmul(a, b)));
  }),
  law('einsum bthd,bshd->bhts is a product of heads', matrices, ({ m, k, n }, random) => {
    const [q, key] = [values(random, [2, m, 2, k]), values(random, [2, n, 2, k])];
    const want = matmul(permute(q, [0, 2, 1, 3]), permute(key, [0, 2, 3, 1]));
    near(einsum('bthd,bshd->bhts', q, key), want);
  }),
  law('einsum ii->i and ii-> are the diagonal and its sum', { n: [1, 5] }, ({ n }, random) => {
    const x = values(random, [n, n]);
    const diagonal = gather(
      x,
      tensor(
        Int32Array.from({ length: n }, (_, i) => i),
        { shape: [n, 1] },
      ),
      1,
    );
    same(einsum('ii->i', x), diagonal.reshape(n));
    near(einsum('ii->', x), sum(diagonal));
  }),
  law('einsum of three is of two and one', matrices, ({ m, k, n }, random) => {
    const [a, b, c] = [values(random, [m, k]), values(random, [k, n]), values(random, [n])];
    near(einsum('ij,jk,k->i', a, b, c), matmul(matmul(a, b), c.reshape(n, 1)).reshape(m));
  }),
  law('a table row is a product with one-hot', plane, ({ m, n }, random) => {
    const [table, at] = [values(random, [m, n]), ids(random, [3], m)];
    near(embedding(table, at), matmul(oneHot(at, m, { dtype: 'f64' }), table));
  }),
];

const moves: readonly Law[] = [
  law('permute there and back', plane, ({ m, n }, random) => {
    const x = values(random, [m, 2, n]);
    same(permute(permute(x, [2, 0, 1]), [1, 2, 0]), x);
  }),
  law('split and concat', { m: [1, 4], n: [1, 7], parts: [1, 4] }, ({ m, n, parts }, random) => {
    const x = values(random, [m, n * parts]);
    const cut = split(x, parts, 1);
    same(concat([...cut], 1), x);
  }),
  law('stack and take apart', plane, ({ m, n }, random) => {
    const [x, y] = [values(random, [m, n]), values(random, [m, n])];
    const both = stack([x, y], 1);
    same(both.select(1, 0), x);
    same(both.select(1, 1), y);
  }),
  law('concat of parts is narrow of the whole', plane, ({ m, n }, random) => {
    const [x, y] = [values(random, [m, 3]), values(random, [n, 3])];
    const both = concat([x, y], 0);
    same(both.narrow(0, 0, m), x);
    same(both.narrow(0, m, n), y);
  }),
  law('flip twice, roll round', { m: [1, 4], n: [1, 6], by: [-7, 7] }, ({ m, n, by }, random) => {
    const x = values(random, [m, n]);
    same(flip(flip(x, [0, 1]), [1, 0]), x);
    same(roll(roll(x, by, 1), -by, 1), x);
    same(roll(x, n, 1), x);
  }),
  law('tile and repeatInterleave have the same sums', plane, ({ m, n }, random) => {
    const x = values(random, [m, n]);
    near(sum(tile(x, [2, 3])), sum(x).mul(6));
    near(sum(repeatInterleave(x, 3, 0)), sum(x).mul(3));
  }),
  law(
    'tril + strict triu is the whole',
    { m: [1, 5], n: [1, 5], k: [-3, 3] },
    ({ m, n, k }, random) => {
      const x = values(random, [m, n]);
      same(tril(x, k).add(triu(x, k + 1)), x);
      same(transpose(tril(x, k)), triu(transpose(x), -k));
    },
  ),
];

const reductions: readonly Law[] = [
  law('a sum of sums is the sum', plane, ({ m, n }, random) => {
    const x = values(random, [m, 3, n]);
    near(sum(sum(x, 1), [0, 1]), sum(x));
    near(sum(x, [0, 2]), sum(transpose(x, 0, 2), [0, 2]));
  }),
  law('mean · n = sum', plane, ({ m, n }, random) => {
    const x = values(random, [m, n]);
    near(mean(x, 1).mul(n), sum(x, 1));
  }),
  law('min(x) = −max(−x)', plane, ({ m, n }, random) => {
    const x = values(random, [m, n]);
    same(min(x, 0), max(x.neg(), 0).neg());
  }),
  law('prod = exp Σ log', plane, ({ m, n }, random) => {
    const x = values(random, [m, n]).abs().add(0.1);
    near(prod(x, 1), exp(sum(log(x), 1)));
  }),
  law('variance = E x² − (E x)², std its root', plane, ({ m, n }, random) => {
    const x = values(random, [m, n]);
    const want = mean(x.square(), 1).sub(mean(x, 1).square());
    near(variance(x, 1, { correction: 0 }), want);
    near(std(x, 1, { correction: 0 }).square(), want);
  }),
  law('norm² = Σ x²', plane, ({ m, n }, random) => {
    const x = values(random, [m, n]);
    near(norm(x, 1).square(), sum(x.square(), 1));
  }),
  law(
    'cumsum ends with the sum, and from behind it is the flipped one',
    plane,
    ({ m, n }, random) => {
      const x = values(random, [m, n]);
      near(cumsum(x, 1).select(1, n - 1), sum(x, 1));
      near(cumsum(x, 1, { reverse: true }), flip(cumsum(flip(x, 1), 1), 1));
      near(cumprod(x, 1).select(1, n - 1), prod(x, 1));
    },
  ),
  law('sort keeps the sum, in order; topK is its beginning', plane, ({ m, n }, random) => {
    const x = values(random, [m, n]);
    const [sorted] = sort(x, 1, { descending: true });
    near(sum(sorted), sum(x));
    if (n > 1) {
      const steps = sorted.narrow(1, 0, n - 1).sub(sorted.narrow(1, 1, n - 1));
      must(min(steps).itemSync() >= 0, () => 'it is not in order');
    }
    same(topK(x, Math.ceil(n / 2))[0], sorted.narrow(1, 0, Math.ceil(n / 2)));
  }),
  law('the gradient of broadcasting is a sum: Σ (x + y) over both', plane, ({ m, n }, random) => {
    const [x, y] = [values(random, [m, 1]), values(random, [n])];
    near(x.add(y), broadcastTo(x, [m, n]).add(broadcastTo(y, [m, n])));
    near(sum(x.add(y)), sum(x).mul(n).add(sum(y).mul(m)));
  }),
];

const transforms: readonly Law[] = [
  law('fft there and back', { b: [1, 3], n: [1, 12] }, ({ b, n }, random) => {
    const [re, im] = [values(random, [b, n]), values(random, [b, n])];
    const [x, y] = fft(...fft(re, im), { inverse: true });
    near(x, re);
    near(y, im);
  }),
  law('Parseval: Σ |x|² = Σ |X|² / n', { b: [1, 3], n: [1, 12] }, ({ b, n }, random) => {
    const [re, im] = [values(random, [b, n]), values(random, [b, n])];
    const [x, y] = fft(re, im);
    near(sum(x.square().add(y.square())).div(n), sum(re.square().add(im.square())));
  }),
  law('rfft and irfft', { b: [1, 3], n: [1, 12] }, ({ b, n }, random) => {
    const x = values(random, [b, n]);
    near(irfft(...rfft(x), n), x);
  }),
  law(
    'longConv commutes, and with a unit pulse is the identity',
    { b: [1, 3], n: [1, 8] },
    ({ b, n }, random) => {
      const [x, h] = [values(random, [b, n]), values(random, [b, n])];
      near(longConv(x, h), longConv(h, x));
      const pulse = tensor(
        Float64Array.from({ length: n }, (_, i) => Number(i === 0)),
        { dtype: 'f64' },
      );
      near(longConv(x, pulse), x);
    },
  ),
  law(
    'a recurrence with a = 1 is a cumsum, with a = 0 the input',
    { t: [0, 6], n: [1, 3] },
    ({ t, n }, random) => {
      const b = values(random, [2, t, n]);
      const reverse = coin(random);
      near(linearRecurrence(b.mul(0).add(1), b, { reverse }), cumsum(b, 1, { reverse }));
      near(linearRecurrence(b.mul(0), b, { reverse }), b);
    },
  ),
  law(
    'fold is the adjoint of unfold, not its inverse: windows without overlap are',
    { m: [1, 3], n: [1, 3], k: [1, 3] },
    ({ m, n, k }, random) => {
      const x = values(random, [2, 2, m * k, n * k]);
      near(fold(unfold(x, k, { stride: k }), [m * k, n * k], k, { stride: k }), x);
    },
  ),
  law(
    'a convolution of 1 is a product, and shifts with its input',
    { n: [1, 6], k: [1, 3] },
    ({ n, k }, random) => {
      const [x, w] = [values(random, [2, 3, n]), values(random, [4, 3, 1])];
      near(conv1d(x, w), matmul(w.reshape(4, 3), x));
      const [line, taps] = [values(random, [1, 1, n + k]), values(random, [1, 1, k])];
      near(conv1d(line.narrow(2, 1, n + k - 1), taps), conv1d(line, taps).narrow(2, 1, n));
    },
  ),
  law(
    'conv2d of one row is conv1d',
    { n: [1, 5], k: [1, 3], stride: [1, 2] },
    ({ n, k, stride }, random) => {
      const [x, w] = [values(random, [2, 2, n + k]), values(random, [3, 2, k])];
      const wide = conv2d(x.unsqueeze(2), w.unsqueeze(2), null, { stride: [1, stride] });
      near(wide.squeeze(2), conv1d(x, w, null, { stride }));
    },
  ),
  law('⟨conv x, y⟩ = ⟨x, convTranspose y⟩', { n: [1, 5], k: [1, 3] }, ({ n, k }, random) => {
    const [x, w] = [values(random, [2, 2, n + k - 1]), values(random, [3, 2, k])];
    const y = values(random, [2, 3, n]);
    near(sum(conv1d(x, w).mul(y)), sum(x.mul(convTranspose1d(y, w))));
  }),
  law('tanh x = 2 σ(2 x) − 1', plane, ({ m, n }, random) => {
    const x = values(random, [m, n]).mul(4);
    near(tanh(x), sigmoid(x.mul(2)).mul(2).sub(1));
  }),
];

export const identities: readonly Law[] = [...products, ...moves, ...reductions, ...transforms];
