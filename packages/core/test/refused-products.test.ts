/** What matrix products and transforms refuse: class, shapes, message, and nothing left in memory. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, it } from 'vitest';
import * as core from '../src';
import { apply1, DTypeError, setBackend, ShapeError, type Tensor } from '../src';
import { ops } from '../src/testing';
import { b, counted, i, refused, type RefusedShapes } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const of = (...shape: number[]): Tensor => counted(...shape);
const plain = { transA: false, transB: false };

const products: RefusedShapes = [
  [
    'inner sizes',
    () => core.matmul(of(2, 3), of(2, 3)),
    'matmul: inner sizes differ: f64[2,3] @ f64[2,3]; 3 vs 2',
    [
      [2, 3],
      [2, 3],
    ],
  ],
  [
    'inner sizes, a transposed',
    () => core.matmul(of(2, 3), of(3, 1), { transA: true }),
    'matmul: inner sizes differ: f64[2,3]ᵀ @ f64[3,1]; 2 vs 3',
    [
      [2, 3],
      [3, 1],
    ],
  ],
  [
    'inner sizes, b transposed',
    () => core.matmul(of(2, 3), of(3, 1), { transB: true }),
    'matmul: inner sizes differ: f64[2,3] @ f64[3,1]ᵀ; 3 vs 1',
    [
      [2, 3],
      [3, 1],
    ],
  ],
  [
    'batches',
    () => core.matmul(of(2, 1, 1), of(3, 1, 1)),
    'matmul: batch axes do not broadcast: f64[2,1,1] @ f64[3,1,1]',
    [
      [2, 1, 1],
      [3, 1, 1],
    ],
  ],
  [
    'a scalar on the left',
    () => core.matmul(of(), of(2)),
    'matmul: f64[] @ f64[2]: scalars have no inner axis: use mul',
    [[], [2]],
  ],
  [
    'a scalar on the right',
    () => core.matmul(of(2), of()),
    'matmul: f64[2] @ f64[]: scalars',
    [[2], []],
  ],
  [
    'a vector, of the op',
    () => apply1(ops.matmul, [of(2), of(2, 1)], plain),
    'matmul: needs at least 2 axes: f64[2] @ f64[2,1]',
    [[2], [2, 1]],
  ],
  [
    'a vector on the right, of the op',
    () => apply1(ops.matmul, [of(1, 2), of(2)], plain),
    'matmul: needs at least 2 axes: f64[1,2] @ f64[2]',
    [[1, 2], [2]],
  ],
  [
    'linear of a vector',
    () => core.linear(of(2), of(2)),
    'linear: weight f64[2] and bias none: they are [out, in] and [out]',
    [[2]],
  ],
  [
    'linear of a batch',
    () => core.linear(of(2), of(1, 1, 2), of(1)),
    'linear: weight f64[1,1,2] and bias f64[1]',
    [[1, 1, 2]],
  ],
  [
    'linear of a wide bias',
    () => core.linear(of(2), of(3, 2), of(1)),
    'linear: weight f64[3,2] and bias f64[1]',
    [[3, 2]],
  ],
  [
    'linear of a bias of two axes',
    () => core.linear(of(2), of(3, 2), of(3, 1)),
    'linear: weight f64[3,2] and bias f64[3,1]',
    [[3, 2]],
  ],
  ['tril', () => core.tril(of(3)), 'tril: f64[3] has no matrices', [[3]]],
  ['triu', () => core.triu(of()), 'triu: f64[] has no matrices', [[]]],
];

const sequences: RefusedShapes = [
  ['fft of a scalar', () => core.fft(of(), of()), 'fft: f64[] has nothing to transform', [[]]],
  ['fft of nothing', () => core.fft(of(2, 0), of(2, 0)), 'fft: f64[2,0] has nothing', [[2, 0]]],
  [
    'fft of two shapes',
    () => core.fft(of(2), of(1, 2)),
    'fft: the imaginary part is f64[1,2], not [2]',
    [[1, 2], [2]],
  ],
  ['rfft of a scalar', () => core.rfft(of()), 'fft: f64[] has nothing to transform', [[]]],
  [
    'irfft',
    () => core.irfft(of(2, 2), of(2, 2), 4),
    'irfft: f64[2,2] is not the half spectrum of 4 values: that has 3',
    [[2, 2]],
  ],
  [
    'longConv of two lengths',
    () => core.longConv(of(2, 3), of(2)),
    'longConv: f64[2,3] and filter f64[2] differ in length',
    [[2, 3], [2]],
  ],
  [
    'longConv of scalars',
    () => core.longConv(of(), of()),
    'longConv: f64[] and filter f64[] differ',
    [[], []],
  ],
  [
    'longConv that does not broadcast',
    () => core.longConv(of(2, 1), of(3, 1)),
    'longConv: shapes do not broadcast',
    [
      [2, 1],
      [3, 1],
    ],
  ],
  [
    'linearRecurrence of two shapes',
    () => core.linearRecurrence(of(2, 1), of(2, 2)),
    'linearRecurrence: b is f64[2,2], not [2,1]',
    [
      [2, 2],
      [2, 1],
    ],
  ],
  [
    'linearRecurrence of a vector',
    () => core.linearRecurrence(of(2), of(2)),
    'linearRecurrence: f64[2] needs axes [..., time, state]',
    [[2]],
  ],
];

const [ints, bools] = [(): Tensor => i([0, 1], [2, 1]), (): Tensor => b([1], [1, 1])];
const f32 = (): Tensor => core.zeros([2, 1]);
const dtypes: readonly (readonly [string, () => unknown, string, readonly string[]])[] = [
  [
    'matmul',
    () => core.matmul(of(1, 2), ints()),
    'matmul: dtypes differ: f64[1,2], i32[2,1]',
    ['f64', 'i32'],
  ],
  [
    'matmul of bools',
    () => core.matmul(bools(), bools()),
    'matmul: bool[1,1] @ bool[1,1]: cast bools to numbers',
    ['bool'],
  ],
  [
    'fft of integers',
    () => core.fft(ints(), ints()),
    'fft: i32[2,1] is not floating point',
    ['i32'],
  ],
  [
    'fft of an imaginary part',
    () => core.fft(of(2, 1), ints()),
    'fft: i32[2,1] is not floating',
    ['i32'],
  ],
  ['fft of two dtypes', () => core.fft(of(2, 1), f32()), 'fft: dtypes differ', ['f64', 'f32']],
  ['longConv', () => core.longConv(of(2, 1), ints()), 'longConv: i32[2,1] is not', ['i32']],
  [
    'longConv of two dtypes',
    () => core.longConv(of(2, 1), f32()),
    'longConv: dtypes differ',
    ['f64', 'f32'],
  ],
  [
    'linearRecurrence',
    () => core.linearRecurrence(ints(), ints()),
    'linearRecurrence: i32[2,1] is not',
    ['i32'],
  ],
  [
    'linearRecurrence of two dtypes',
    () => core.linearRecurrence(of(2, 1), f32()),
    'linearRecurrence: dtypes differ',
    ['f64', 'f32'],
  ],
];

for (const [title, rows] of Object.entries({ products, sequences })) {
  describe(`${title} of shapes that do not go together are named`, () => {
    it.each(rows)('%s', (_, call, message, named) => {
      refused(call, message, { name: ShapeError.name, shapes: named });
    });
  });
}

describe('dtypes that do not go together are named', () => {
  it.each(dtypes)('%s', (_, call, message, named) => {
    refused(call, message, { name: DTypeError.name, dtypes: named });
  });
});
