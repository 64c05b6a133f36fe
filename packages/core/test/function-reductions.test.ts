/** Reductions, scans and orders: every value, dtype and shape written out. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, it } from 'vitest';
import * as core from '../src';
import { setBackend, type Tensor } from '../src';
import { b, counted, f, gives, i, of, type Row } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const { NaN: nan, POSITIVE_INFINITY: inf } = Number;
const m = (): Tensor => counted(2, 3); // 0 1 2 | 3 4 5
const kept = { keepDims: true };
const mixed = (): Tensor => f([3, 1, 3, -2, 5, 5], [2, 3]);

const reductions: readonly Row[] = [
  ['sum', () => core.sum(m()), 'f64[]', [15]],
  ['sum of an axis', () => core.sum(m(), 1), 'f64[2]', [3, 12]],
  ['sum of the last axis, kept', () => core.sum(m(), -1, kept), 'f64[2,1]', [3, 12]],
  ['sum of axes in any order', () => core.sum(counted(2, 1, 2), [2, 0]), 'f64[1]', [6]],
  ['sum of no axes', () => core.sum(m(), []), 'f64[2,3]', [0, 1, 2, 3, 4, 5]],
  ['sum of all, kept', () => core.sum(m(), null, kept), 'f64[1,1]', [15]],
  ['sum of i32', () => core.sum(i([2, 3])), 'i32[]', [5]],
  ['sum of nothing', () => core.sum(counted(2, 0), 1), 'f64[2]', [0, 0]],
  ['prod', () => core.prod(i([2, -3, 4])), 'i32[]', [-24]],
  ['prod of an axis, kept', () => core.prod(m(), 0, kept), 'f64[1,3]', [0, 4, 10]],
  ['prod of nothing', () => core.prod(counted(0)), 'f64[]', [1]],
  ['max', () => core.max(mixed()), 'f64[]', [5]],
  ['max of an axis', () => core.max(mixed(), 0), 'f64[3]', [3, 5, 5]],
  ['max of an axis, kept', () => core.max(i([1, 9]), -1, kept), 'i32[1]', [9]],
  ['max of axes', () => core.max(counted(2, 1, 2), [0, 2]), 'f64[1]', [3]],
  ['max with NaN', () => core.max(f([1, nan])), 'f64[]', [nan]],
  ['min', () => core.min(mixed()), 'f64[]', [-2]],
  ['min of an axis', () => core.min(mixed(), 1), 'f64[2]', [1, -2]],
  ['min of an axis, kept', () => core.min(i([1, 9]), 0, kept), 'i32[1]', [1]],
  ['min of no elements along others', () => core.min(counted(0, 2), 1), 'f64[0]', []],
  ['mean', () => core.mean(m()), 'f64[]', [2.5]],
  ['mean of an axis', () => core.mean(m(), -2), 'f64[3]', [1.5, 2.5, 3.5]],
  ['mean of axes, kept', () => core.mean(m(), [0, 1], kept), 'f64[1,1]', [2.5]],
  ['mean of f32', () => core.mean(of('f32', [1, 2])), 'f32[]', [1.5]],
  ['mean of nothing', () => core.mean(counted(0)), 'f64[]', [nan]],
  ['variance', () => core.variance(f([1, 2, 3, 4, 5])), 'f64[]', [2.5]],
  ['variance, biased', () => core.variance(m(), 1, { correction: 0 }), 'f64[2]', [2 / 3, 2 / 3]],
  ['variance, kept', () => core.variance(m(), 0, kept), 'f64[1,3]', [4.5, 4.5, 4.5]],
  [
    'variance corrected by more',
    () => core.variance(f([1, 3]), 0, { correction: 9 }),
    'f64[]',
    [inf],
  ],
  ['variance of one', () => core.variance(f([1])), 'f64[]', [nan]],
  [
    'variance of axes',
    () => core.variance(counted(2, 1, 2), [0, 2], { correction: 0 }),
    'f64[1]',
    [1.25],
  ],
  ['std', () => core.std(f([1, 1, 5, 5]), 0, { correction: 0 }), 'f64[]', [2]],
  ['std, kept', () => core.std(f([0, 1, 2]), null, kept), 'f64[1]', [1]],
  ['logSumExp', () => core.logSumExp(f([800, 800])), 'f64[]', [800 + Math.LN2]],
  [
    'logSumExp of an axis',
    () => core.logSumExp(f([0, -900, 7, -900], [2, 2]), 1),
    'f64[2]',
    [0, 7],
  ],
  ['logSumExp, kept', () => core.logSumExp(f([-3, -inf]), 0, kept), 'f64[1]', [-3]],
  ['logSumExp of nothing but -inf', () => core.logSumExp(f([-inf, -inf])), 'f64[]', [-inf]],
  ['logSumExp keeps other axes of one', () => core.logSumExp(f([4], [1, 1]), 1), 'f64[1]', [4]],
  ['any', () => core.any(b([0, 1])), 'bool[]', [1]],
  ['any of an axis', () => core.any(b([0, 1, 0, 0], [2, 2]), 1), 'bool[2]', [1, 0]],
  ['any, kept', () => core.any(b([0, 0]), 0, kept), 'bool[1]', [0]],
  ['all', () => core.all(b([1, 0])), 'bool[]', [0]],
  ['all of an axis', () => core.all(b([1, 1, 1, 0], [2, 2]), -1), 'bool[2]', [1, 0]],
  ['all, kept', () => core.all(b([1, 1]), 0, kept), 'bool[1]', [1]],
  ['norm', () => core.norm(f([3, 4])), 'f64[]', [5]],
  ['norm of an axis, kept', () => core.norm(f([3, 4, 0, 0], [2, 2]), 1, kept), 'f64[2,1]', [5, 0]],
];

const nans = (): Tensor => f([2, nan, -1, 2]);
const orders: readonly Row[] = [
  ['argmax', () => core.argmax(mixed()), 'i32[]', [4]],
  ['argmax of an axis: the first of a tie', () => core.argmax(mixed(), 1), 'i32[2]', [0, 1]],
  ['argmax from the end', () => core.argmax(mixed(), -2), 'i32[3]', [0, 1, 1]],
  ['argmax of an axis, kept', () => core.argmax(mixed(), 1, kept), 'i32[2,1]', [0, 1]],
  ['argmax of all, kept', () => core.argmax(mixed(), null, kept), 'i32[1,1]', [4]],
  ['argmin', () => core.argmin(mixed()), 'i32[]', [3]],
  ['argmin of an axis', () => core.argmin(i([2, 1, 1, 1], [2, 2]), 1), 'i32[2]', [1, 0]],
  ['argmin of all, kept', () => core.argmin(i([2, 1]), null, kept), 'i32[1]', [1]],
  ['argsort', () => core.argsort(nans()), 'i32[4]', [2, 0, 3, 1]],
  ['argsort down', () => core.argsort(nans(), 0, { descending: true }), 'i32[4]', [1, 0, 3, 2]],
  ['argsort of an axis', () => core.argsort(mixed(), 0), 'i32[2,3]', [1, 0, 0, 0, 1, 1]],
  ['sort', () => core.sort(mixed())[0], 'f64[2,3]', [1, 3, 3, -2, 5, 5]],
  ['sort of a vector', () => core.sort(i([2, 3, 1]))[0], 'i32[3]', [1, 2, 3]],
  ['places of sort', () => core.sort(mixed())[1], 'i32[2,3]', [1, 0, 2, 0, 1, 2]],
  ['sort of columns', () => core.sort(mixed(), 0)[0], 'f64[2,3]', [-2, 1, 3, 3, 5, 5]],
  ['sort down', () => core.sort(i([1, 3, 2]), -1, { descending: true })[0], 'i32[3]', [3, 2, 1]],
  ['topK', () => core.topK(mixed(), 2)[0], 'f64[2,2]', [3, 3, 5, 5]],
  ['places of topK', () => core.topK(mixed(), 2)[1], 'i32[2,2]', [0, 2, 1, 2]],
  ['topK of the smallest', () => core.topK(mixed(), 1, { largest: false })[0], 'f64[2,1]', [1, -2]],
  ['topK of an axis', () => core.topK(mixed(), 1, { axis: 0 })[0], 'f64[1,3]', [3, 5, 5]],
  ['topK of all', () => core.topK(i([1, 2]), 2)[0], 'i32[2]', [2, 1]],
  ['topK of none', () => core.topK(i([1, 2]), 0)[0], 'i32[0]', []],
  ['cumsum', () => core.cumsum(m(), 1), 'f64[2,3]', [0, 1, 3, 3, 7, 12]],
  [
    'cumsum from the end',
    () => core.cumsum(i([1, 2, 3]), -1, { reverse: true }),
    'i32[3]',
    [6, 5, 3],
  ],
  ['cumsum of columns', () => core.cumsum(m(), 0), 'f64[2,3]', [0, 1, 2, 3, 5, 7]],
  ['cumprod', () => core.cumprod(f([2, 3, 0, 4]), 0), 'f64[4]', [2, 6, 0, 0]],
  ['cumprod of columns', () => core.cumprod(i([1, 2, 3, 4], [2, 2]), -2), 'i32[2,2]', [1, 2, 3, 8]],
];

for (const [title, rows] of Object.entries({ reductions, orders })) {
  describe(title, () => it.each(rows)('%s', (...row) => gives(row)));
}
