/** Elementwise functions and tensors made from nothing: every value, dtype and shape written out. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import * as core from '../src';
import { setBackend, type Tensor } from '../src';
import { b, counted, f, gives, i, of, read, type Row } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const x = (): Tensor => f([-2, nan, 0.5, 3]);
const n = (): Tensor => i([-7, 7, -1, 0]);

const arithmetic: readonly Row[] = [
  ['add', () => core.add(f([1, 2]), f([10, 20])), 'f64[2]', [11, 22]],
  ['add of a number on the left', () => core.add(1, i([1, 2])), 'i32[2]', [2, 3]],
  ['add, broadcast', () => core.add(f([1, 2], [2, 1]), f([10, 20])), 'f64[2,2]', [11, 21, 12, 22]],
  ['sub', () => core.sub(i([5, 2]), i([1, 4])), 'i32[2]', [4, -2]],
  ['sub from a number', () => core.sub(1, f([3, 0.5])), 'f64[2]', [-2, 0.5]],
  ['mul', () => core.mul(of('f32', [3, -2]), 0.5), 'f32[2]', [1.5, -1]],
  ['div', () => core.div(f([1, -1, 3]), f([4, 0, -2])), 'f64[3]', [0.25, -inf, -1.5]],
  ['div of integers', () => core.div(n(), 2), 'i32[4]', [-3, 3, 0, 0]],
  ['div of a number', () => core.div(1, f([4, 8])), 'f64[2]', [0.25, 0.125]],
  ['maximum', () => core.maximum(f([1, nan, 3]), f([2, 1, nan])), 'f64[3]', [2, nan, nan]],
  ['maximum with a number', () => core.maximum(n(), 0), 'i32[4]', [0, 7, 0, 0]],
  ['minimum', () => core.minimum(f([1, nan, 3]), f([2, 1, nan])), 'f64[3]', [1, nan, nan]],
  ['minimum with a number', () => core.minimum(0, n()), 'i32[4]', [-7, 0, -1, 0]],
  ['pow', () => core.pow(f([2, 9, -2, 0]), f([3, 0.5, 2, 0])), 'f64[4]', [8, 3, 4, 1]],
  ['pow of a number', () => core.pow(2, f([3, -1])), 'f64[2]', [8, 0.5]],
  [
    'atan2',
    () => core.atan2(f([1, 0, -1, 2]), f([0, -1, 0, 2])),
    'f64[4]',
    [Math.PI / 2, Math.PI, -Math.PI / 2, Math.PI / 4],
  ],
  ['atan2 of a number', () => core.atan2(1, f([0])), 'f64[1]', [Math.PI / 2]],
  [
    'remainder',
    () => core.remainder(i([7, -7, 7, -7]), i([3, 3, -3, -3])),
    'i32[4]',
    [1, 2, -2, -1],
  ],
  ['remainder of floats', () => core.remainder(f([5.5, -5.5]), 2), 'f64[2]', [1.5, 0.5]],
  ['neg', () => core.neg(n()), 'i32[4]', [7, -7, 1, 0]],
  ['floor', () => core.floor(f([-1.5, 1.5, 2])), 'f64[3]', [-2, 1, 2]],
  ['log', () => core.log(f([1, 0, -1, Math.E])), 'f64[4]', [0, -inf, nan, 1]],
];

const clamped: readonly Row[] = [
  ['both bounds', () => core.clamp(x(), { min: -1, max: 1 }), 'f64[4]', [-1, nan, 0.5, 1]],
  ['a lower bound', () => core.clamp(x(), { min: 0 }), 'f64[4]', [0, nan, 0.5, 3]],
  ['an upper bound', () => core.clamp(x(), { max: 0 }), 'f64[4]', [-2, nan, 0, 0]],
  ['null for none', () => core.clamp(x(), { min: null, max: 1 }), 'f64[4]', [-2, nan, 0.5, 1]],
  ['no bounds', () => core.clamp(x(), {}), 'f64[4]', [-2, nan, 0.5, 3]],
  ['bounds of integers', () => core.clamp(n(), { min: -3, max: 2 }), 'i32[4]', [-3, 2, -1, 0]],
  ['bounds of f32', () => core.clamp(of('f32', [-9, 9]), { min: 0, max: 0.5 }), 'f32[2]', [0, 0.5]],
];

const [p, q] = [(): Tensor => f([1, 2, nan]), (): Tensor => f([1, 3, 1])];
const [yes, no] = [(): Tensor => b([1, 1, 0, 0]), (): Tensor => b([1, 0, 1, 0])];
const tested = (): Tensor => f([nan, inf, -inf, 1]);

const comparisons: readonly Row[] = [
  ['eq', () => core.eq(p(), q()), 'bool[3]', [1, 0, 0]],
  ['ne', () => core.ne(p(), q()), 'bool[3]', [0, 1, 1]],
  ['lt', () => core.lt(p(), q()), 'bool[3]', [0, 1, 0]],
  ['le', () => core.le(p(), q()), 'bool[3]', [1, 1, 0]],
  ['gt', () => core.gt(q(), p()), 'bool[3]', [0, 1, 0]],
  ['ge', () => core.ge(q(), p()), 'bool[3]', [1, 1, 0]],
  ['eq of a number on the left', () => core.eq(2, p()), 'bool[3]', [0, 1, 0]],
  ['ne of a number', () => core.ne(p(), 2), 'bool[3]', [1, 0, 1]],
  ['lt of a number on the left', () => core.lt(1, q()), 'bool[3]', [0, 1, 0]],
  ['le of a number on the left', () => core.le(2, q()), 'bool[3]', [0, 1, 0]],
  ['gt of a number on the left', () => core.gt(2, q()), 'bool[3]', [1, 0, 1]],
  ['ge of a number', () => core.ge(i([1, 2]), 2), 'bool[2]', [0, 1]],
  ['eq of bools', () => core.eq(yes(), no()), 'bool[4]', [1, 0, 0, 1]],
  ['lt, broadcast', () => core.lt(i([1, 2], [2, 1]), i([1, 2])), 'bool[2,2]', [0, 1, 0, 0]],
  ['and', () => core.and(yes(), no()), 'bool[4]', [1, 0, 0, 0]],
  ['or', () => core.or(yes(), no()), 'bool[4]', [1, 1, 1, 0]],
  ['xor', () => core.xor(yes(), no()), 'bool[4]', [0, 1, 1, 0]],
  ['and, broadcast', () => core.and(b([1, 0], [2, 1]), b([1, 0])), 'bool[2,2]', [1, 0, 0, 0]],
  ['not', () => core.not(yes()), 'bool[4]', [0, 0, 1, 1]],
  ['isNaN', () => core.isNaN(tested()), 'bool[4]', [1, 0, 0, 0]],
  ['isInf', () => core.isInf(tested()), 'bool[4]', [0, 1, 1, 0]],
  ['isFinite', () => core.isFinite(tested()), 'bool[4]', [0, 0, 0, 1]],
  ['where', () => core.where(b([1, 0]), i([1, 2]), i([3, 4])), 'i32[2]', [1, 4]],
  ['where of a number first', () => core.where(b([1, 0]), 9, f([3, 4])), 'f64[2]', [9, 4]],
  ['where of a number last', () => core.where(b([1, 0]), f([3, 4]), 9), 'f64[2]', [3, 9]],
  [
    'where, all broadcast',
    () => core.where(b([1, 0], [2, 1]), f([1, 2]), f([7, 8, 9, 10], [2, 1, 2])),
    'f64[2,2,2]',
    [1, 2, 7, 8, 1, 2, 9, 10],
  ],
];

const unary: readonly Row[] = [
  ['abs', () => core.abs(n()), 'i32[4]', [7, 7, 1, 0]],
  ['abs of floats', () => core.abs(x()), 'f64[4]', [2, nan, 0.5, 3]],
  ['sign', () => core.sign(n()), 'i32[4]', [-1, 1, -1, 0]],
  ['sign of floats', () => core.sign(f([-2.5, 0, 4])), 'f64[3]', [-1, 0, 1]],
  ['ceil', () => core.ceil(f([-2.5, 1.25, 2])), 'f64[3]', [-2, 2, 2]],
  ['round', () => core.round(f([0.5, 1.5, 2.5, -1.5, 1.4])), 'f64[5]', [0, 2, 2, -2, 1]],
  ['exp', () => core.exp(f([0, -inf, inf])), 'f64[3]', [1, 0, inf]],
  ['expm1', () => core.expm1(f([0, -inf, 1e-20])), 'f64[3]', [0, -1, 1e-20]],
  ['log1p', () => core.log1p(f([0, -1, 1e-20])), 'f64[3]', [0, -inf, 1e-20]],
  ['sqrt', () => core.sqrt(f([9, 0.25, -1])), 'f64[3]', [3, 0.5, nan]],
  ['rsqrt', () => core.rsqrt(f([4, 0.25, 0])), 'f64[3]', [0.5, 2, inf]],
  ['reciprocal', () => core.reciprocal(f([4, -0.5])), 'f64[2]', [0.25, -2]],
  ['square', () => core.square(i([-3, 2])), 'i32[2]', [9, 4]],
  ['square of floats', () => core.square(f([-1.5])), 'f64[1]', [2.25]],
  ['sin', () => core.sin(f([0, Math.PI / 2])), 'f64[2]', [0, 1]],
  ['cos', () => core.cos(f([0, Math.PI])), 'f64[2]', [1, -1]],
  ['tanh', () => core.tanh(f([0, 400, -400])), 'f64[3]', [0, 1, -1]],
  ['sigmoid', () => core.sigmoid(f([0, 800, -800])), 'f64[3]', [0.5, 1, 0]],
  ['softplus', () => core.softplus(f([0, 800, -800])), 'f64[3]', [Math.LN2, 800, 0]],
  ['erf', () => core.erf(f([0, 9, -9])), 'f64[3]', [0, 1, -1]],
  ['relu', () => core.relu(n()), 'i32[4]', [0, 7, 0, 0]],
  ['relu of floats', () => core.relu(f([-1.5, 1.5])), 'f64[2]', [0, 1.5]],
  ['logSigmoid', () => core.logSigmoid(f([0, -800])), 'f64[2]', [-Math.LN2, -800]],
  ['leakyRelu', () => core.leakyRelu(f([-200, 3])), 'f64[2]', [-2, 3]],
  ['leakyRelu of a slope', () => core.leakyRelu(f([-2, 3]), 0.5), 'f64[2]', [-1, 3]],
  ['elu', () => core.elu(f([-800, 3, 900])), 'f64[3]', [-1, 3, 900]],
  ['elu of an alpha', () => core.elu(f([-800, 3]), 0.5), 'f64[2]', [-0.5, 3]],
];

const made: readonly Row[] = [
  ['full', () => core.full([2], 0.5), 'f32[2]', [0.5, 0.5]],
  ['full of f64', () => core.full([], 0.1, { dtype: 'f64' }), 'f64[]', [0.1]],
  ['full rounds to f32', () => core.full([], 0.1), 'f32[]', [Math.fround(0.1)]],
  ['full of i32', () => core.full([1, 2], -3, { dtype: 'i32' }), 'i32[1,2]', [-3, -3]],
  ['full of bool', () => core.full([2], 1, { dtype: 'bool' }), 'bool[2]', [1, 1]],
  ['full of nothing', () => core.full([0, 2], 1), 'f32[0,2]', []],
  ['zeros', () => core.zeros([2]), 'f32[2]', [0, 0]],
  ['zeros of i32', () => core.zeros([1], { dtype: 'i32' }), 'i32[1]', [0]],
  ['ones', () => core.ones([2]), 'f32[2]', [1, 1]],
  ['ones of bool', () => core.ones([1], { dtype: 'bool' }), 'bool[1]', [1]],
  ['iota', () => core.iota(3), 'i32[3]', [0, 1, 2]],
  ['iota of start and step', () => core.iota(3, { start: 5, step: -2 }), 'i32[3]', [5, 3, 1]],
  [
    'iota of floats',
    () => core.iota(3, { dtype: 'f64', start: 0.5, step: 0.25 }),
    'f64[3]',
    [0.5, 0.75, 1],
  ],
  ['iota of none', () => core.iota(0), 'i32[0]', []],
];

const casts: readonly Row[] = [
  ['floats to i32 truncate', () => core.cast(f([-1.75, 1.75]), 'i32'), 'i32[2]', [-1, 1]],
  ['floats to bool', () => core.cast(f([0, -0.5, nan]), 'bool'), 'bool[3]', [0, 1, 1]],
  ['bools to f32', () => core.cast(yes(), 'f32'), 'f32[4]', [1, 1, 0, 0]],
  ['f64 to f32', () => core.cast(f([0.1]), 'f32'), 'f32[1]', [Math.fround(0.1)]],
  ['i32 to f64', () => core.cast(n(), 'f64'), 'f64[4]', [-7, 7, -1, 0]],
];

for (const [title, rows] of Object.entries({
  arithmetic,
  clamped,
  comparisons,
  unary,
  made,
  casts,
})) {
  describe(title, () => it.each(rows)('%s', (...row) => gives(row)));
}

describe('functions of floats', () => {
  const want: readonly (readonly [string, (x: Tensor) => Tensor, (v: number) => number])[] = [
    ['exp', core.exp, Math.exp],
    ['expm1', core.expm1, Math.expm1],
    ['log', core.log, Math.log],
    ['log1p', core.log1p, Math.log1p],
    ['rsqrt', core.rsqrt, (v) => 1 / Math.sqrt(v)],
    ['sin', core.sin, Math.sin],
    ['cos', core.cos, Math.cos],
    ['tanh', core.tanh, Math.tanh],
    ['sigmoid', core.sigmoid, (v) => 1 / (1 + Math.exp(-v))],
    ['softplus', core.softplus, (v) => Math.log(1 + Math.exp(v))],
    ['logSigmoid', core.logSigmoid, (v) => -Math.log(1 + Math.exp(-v))],
    ['elu', core.elu, (v) => (v > 0 ? v : Math.exp(v) - 1)],
    ['leakyRelu', core.leakyRelu, (v) => (v > 0 ? v : v / 100)],
  ];
  const points = [0.25, 0.5, 1, 1.75, 2.5];
  it.each(want)('%s is that of the number', (_, call, of1) => {
    for (const dtype of ['f32', 'f64'] as const) {
      const [aval, data] = read(call(of(dtype, points)));
      expect(aval).toBe(`${dtype}[5]`);
      data.forEach((y, k) => {
        const exact = of1(points[k]!);
        expect(Math.abs(y - exact)).toBeLessThan(
          (dtype === 'f32' ? 1e-6 : 1e-14) * (1 + Math.abs(exact)),
        );
      });
    }
  });

  it('erf is that of the tables', () => {
    const [, data] = read(core.erf(f([0.5, 1, 2])));
    for (const [k, want] of [
      0.5204998778130465, 0.8427007929497149, 0.9953222650189527,
    ].entries()) {
      expect(data[k]).toBeCloseTo(want, 14);
    }
  });
});

it('a cast to the same dtype and bounds that are not there give the tensor itself', () => {
  const t = counted(2);
  expect(core.cast(t, 'f64')).toBe(t);
  expect(core.pad(t, [[0, 0]])).toBe(t);
  expect(core.broadcastTo(t, [2])).toBe(t);
});
