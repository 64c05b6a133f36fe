/** Gradients at the edges that samples do not reach: kinks, ties, steps, what carries none. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import * as core from '../src';
import { grad, setBackend, sum, type Tensor, valueAndGrad } from '../src';
import { b, counted, f, i, read } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const { NaN: nan } = Number;
/** The gradient of the sum of a function's values. */
const slope = (of: (t: Tensor) => Tensor, at: Tensor): readonly number[] =>
  read(grad((t: Tensor) => sum(of(t)))(at))[1];
/** Different weights for the elements of a result, so that no two places can be exchanged. */
const weighted = (t: Tensor): Tensor => t.mul(counted(t.size).add(1).reshape(t.shape));

const rows: readonly (readonly [string, (t: Tensor) => Tensor, () => Tensor, readonly number[]])[] =
  [
    ['floor has none', core.floor, () => f([0.5, 1]), [0, 0]],
    ['ceil has none', core.ceil, () => f([0.5, 1]), [0, 0]],
    ['round has none', core.round, () => f([0.5, 1]), [0, 0]],
    ['sign has none', core.sign, () => f([0.5, 0]), [0, 0]],
    ['abs has 0 at 0', core.abs, () => f([-2, 0, 2]), [-1, 0, 1]],
    ['relu has 0 at 0', core.relu, () => f([-2, 0, 2]), [0, 0, 1]],
    [
      'clamp passes at its bounds',
      (t) => core.clamp(t, { min: -1, max: 1 }),
      () => f([-2, -1, 0, 1, 2]),
      [0, 1, 1, 1, 0],
    ],
    ['leakyRelu', (t) => core.leakyRelu(t, 0.5), () => f([-2, 2]), [0.5, 1]],
    ['elu is finite far out', (t) => core.elu(t), () => f([-900, 900]), [0, 1]],
    ['maximum is shared at a tie', (t) => core.maximum(t, 1), () => f([0, 1, 2]), [0, 0.5, 1]],
    ['minimum is shared at a tie', (t) => core.minimum(1, t), () => f([0, 1, 2]), [1, 0.5, 0]],
    ['maximum goes to the NaN', (t) => core.maximum(t, 1), () => f([nan]), [1]],
    ['maximum with a NaN', (t) => core.maximum(t, nan), () => f([3]), [0]],
    ['max is shared by ties', (t) => core.max(t), () => f([3, 1, 3]), [0.5, 0, 0.5]],
    [
      'min is shared by ties of an axis',
      (t) => core.min(t, 1),
      () => f([1, 1, 2, 0], [2, 2]),
      [0.5, 0.5, 0, 1],
    ],
    ['max goes to the NaNs', (t) => core.max(t), () => f([nan, 1, nan]), [0.5, 0, 0.5]],
    ['pow by 0', (t) => core.pow(t, 0), () => f([0, 2]), [0, 0]],
    ['pow of 0', (t) => core.pow(0, t), () => f([0, 2]), [0, 0]],
    ['remainder of the divisor', (t) => core.remainder(7, t), () => f([2, 4]), [-3, -1]],
    ['prod with one zero', (t) => core.prod(t), () => f([2, 0, 3]), [0, 6, 0]],
    ['prod with two zeros', (t) => core.prod(t), () => f([2, 0, 0]), [0, 0, 0]],
    [
      'prod of columns',
      (t) => weighted(core.prod(t, 0)),
      () => f([2, 3, 4, 0], [2, 2]),
      [4, 0, 2, 6],
    ],
    ['cumprod at a zero', (t) => core.cumprod(t, 0), () => f([2, 0, 3]), [1, 8, 0]],
    ['norm at zero', (t) => core.norm(t), () => f([0, 0]), [0, 0]],
    ['cumsum', (t) => weighted(core.cumsum(t, 0)), () => f([5, 6, 7]), [6, 5, 3]],
    [
      'cumsum from the end',
      (t) => weighted(core.cumsum(t, 0, { reverse: true })),
      () => f([5, 6, 7]),
      [1, 3, 6],
    ],
    [
      'a slice by steps',
      (t) => weighted(core.slice(t, [1], [2], [2])),
      () => counted(5),
      [0, 1, 0, 2, 0],
    ],
    [
      'a slice backwards',
      (t) => weighted(core.slice(t, [4], [2], [-2])),
      () => counted(5),
      [0, 0, 2, 0, 1],
    ],
    [
      'a slice of one element by a step',
      (t) => core.slice(t, [1], [1], [-3]),
      () => counted(3),
      [0, 1, 0],
    ],
    ['a slice of nothing', (t) => core.slice(t, [1], [0]), () => counted(2), [0, 0]],
    [
      'a slice by steps of two axes',
      (t) => weighted(core.slice(t, [1, 0], [1, 2], [1, 2])),
      () => counted(2, 3),
      [0, 0, 0, 1, 0, 2],
    ],
    ['pad', (t) => weighted(core.pad(t, [[1, 2]], 9)), () => f([5, 6]), [2, 3]],
    ['flip', (t) => weighted(core.flip(t, 0)), () => counted(3), [3, 2, 1]],
    ['roll', (t) => weighted(core.roll(t, 1, 0)), () => counted(3), [2, 3, 1]],
    ['tile', (t) => weighted(core.tile(t, [2])), () => counted(2), [4, 6]],
    ['repeatInterleave', (t) => weighted(core.repeatInterleave(t, 2, 0)), () => counted(2), [3, 7]],
    [
      'permute of three axes',
      (t) => weighted(core.permute(t, [2, 0, 1])),
      () => counted(2, 1, 3),
      [1, 3, 5, 2, 4, 6],
    ],
    [
      'gather of one place twice',
      (t) => weighted(core.gather(t, i([1, 1, 0]), 0)),
      () => counted(3),
      [3, 3, 0],
    ],
    [
      'indexSelect of columns',
      (t) => weighted(core.indexSelect(t, i([2, 2]), 1)),
      () => counted(1, 3),
      [0, 0, 3],
    ],
    ['sort', (t) => weighted(core.sort(t)[0]), () => f([3, 1, 2]), [3, 1, 2]],
    ['topK', (t) => weighted(core.topK(t, 2)[0]), () => f([3, 1, 2]), [1, 0, 2]],
    ['tril', (t) => weighted(core.tril(t)), () => counted(2, 2), [1, 0, 3, 4]],
    ['a diagonal', (t) => weighted(core.einsum('ii->i', t)), () => counted(2, 2), [1, 0, 0, 2]],
    ['cast to integers has none', (t) => t.cast('i32').cast('f64'), () => f([1.5]), [0]],
    ['cast to f32 passes', (t) => t.cast('f32').cast('f64').mul(3), () => f([1.5]), [3]],
    ['a choice by comparison', (t) => core.where(t.gt(1), t, t.mul(3)), () => f([1, 2]), [3, 1]],
    ['a comparison has none', (t) => t.gt(1).cast('f64'), () => f([1, 2]), [0, 0]],
    ['tests have none', (t) => core.isFinite(t).cast('f64').add(t), () => f([1]), [1]],
    [
      'an index has none',
      (t) => core.argmax(t, 0, { keepDims: true }).cast('f64').add(t),
      () => f([1]),
      [1],
    ],
    ['an order has none', (t) => core.argsort(t).cast('f64').add(t), () => f([2, 1]), [1, 1]],
    [
      'a constant of the same shape has none',
      (t) => core.full(t.shape, 2, { dtype: 'f64' }),
      () => f([1]),
      [0],
    ],
  ];

describe('the gradient', () => {
  it.each(rows)('%s', (_, of, at, want) => {
    expect(slope(of, at()).map((d) => d + 0)).toEqual(want);
  });
});

describe('each side of a function of several tensors', () => {
  const both = (of: (a: Tensor, c: Tensor) => Tensor, a: Tensor, c: Tensor): unknown => {
    const at = (t: Tensor): readonly number[] => [...t.dataSync()].map((d) => d + 0);
    const { grads } = valueAndGrad([a, c], () => sum(of(a, c)));
    const lone = [
      at(grad((t: Tensor) => sum(of(t, c)))(a)),
      at(grad((t: Tensor) => sum(of(a, t)))(c)),
    ];
    expect([grads.get(a), grads.get(c)].map((g) => at(g!))).toEqual(lone);
    return lone;
  };

  it('broadcast inputs sum what comes back', () => {
    expect(both((a, c) => a.mul(c), f([2, 3], [2, 1]), f([5, 7]))).toEqual([
      [12, 12],
      [5, 5],
    ]);
    expect(both((a, c) => core.where(b([1, 0]), a, c), f([2], []), f([5, 7]))).toEqual([
      [1],
      [0, 1],
    ]);
  });

  it('updateSlice divides between what stays and what is written', () => {
    const at = (start: number) => (a: Tensor, c: Tensor) =>
      weighted(core.updateSlice(a, c, start, 1));
    expect(both(at(1), counted(2, 3), counted(2, 1))).toEqual([
      [1, 0, 3, 4, 0, 6],
      [2, 5],
    ]);
  });

  it('scatterAdd gives nothing to what no index names', () => {
    const add = (a: Tensor, c: Tensor): Tensor => weighted(core.scatterAdd(a, i([1, 1]), c, 0));
    expect(both(add, counted(2), counted(3))).toEqual([
      [1, 2],
      [2, 2, 0],
    ]);
  });

  it('linearRecurrence runs back through time', () => {
    const run = (a: Tensor, c: Tensor): Tensor => core.linearRecurrence(a, c);
    expect(both(run, f([9, 2, 3], [3, 1]), f([1, 1, 1], [3, 1]))).toEqual([
      [0, 4, 3],
      [9, 4, 1],
    ]);
    const back = (a: Tensor, c: Tensor): Tensor => core.linearRecurrence(a, c, { reverse: true });
    expect(both(back, f([3, 2, 9], [3, 1]), f([1, 1, 1], [3, 1]))).toEqual([
      [3, 4, 0],
      [1, 4, 9],
    ]);
    expect(both(run, counted(0, 1), counted(0, 1))).toEqual([[], []]);
  });

  it('fft of one part alone', () => {
    const part = (which: 0 | 1) => (a: Tensor, c: Tensor) => weighted(core.fft(a, c)[which]);
    const round = (x: unknown): unknown =>
      (x as number[][]).map((list) => list.map((d) => Math.round(d * 1e9) / 1e9 + 0));
    expect(round(both(part(0), f([5, 6]), f([7, 8])))).toEqual([
      [3, -1],
      [0, 0],
    ]);
    expect(round(both(part(1), f([5, 6]), f([7, 8])))).toEqual([
      [0, 0],
      [3, -1],
    ]);
  });
});
