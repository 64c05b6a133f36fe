/** Matrix products, Einstein sums and transforms: every value, dtype and shape written out. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import * as core from '../src';
import { setBackend, type Tensor } from '../src';
import { counted, f, gives, i, type Row } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const m = (): Tensor => counted(2, 3); // 0 1 2 | 3 4 5
const [p, q] = [(): Tensor => f([1, 2, 3, 4], [2, 2]), (): Tensor => f([5, 6, 7, 8], [2, 2])];
const v = (): Tensor => f([1, 2, 3]);
const [transA, transB] = [true, true];

const products: readonly Row[] = [
  ['matmul', () => core.matmul(p(), q()), 'f64[2,2]', [19, 22, 43, 50]],
  ['matmul of integers', () => core.matmul(i([2], [1, 1]), i([3], [1, 1])), 'i32[1,1]', [6]],
  [
    'matmul, a transposed',
    () => core.matmul(m(), p(), { transA }),
    'f64[3,2]',
    [9, 12, 13, 18, 17, 24],
  ],
  ['matmul, b transposed', () => core.matmul(p(), q(), { transB }), 'f64[2,2]', [17, 23, 39, 53]],
  [
    'matmul, both transposed',
    () => core.matmul(p(), q(), { transA, transB }),
    'f64[2,2]',
    [23, 31, 34, 46],
  ],
  ['matmul of vectors', () => core.matmul(v(), v()), 'f64[]', [14]],
  [
    'matmul of vectors: flags mean nothing',
    () => core.matmul(v(), v(), { transA, transB }),
    'f64[]',
    [14],
  ],
  ['matmul of a row', () => core.matmul(f([1, 2]), m()), 'f64[3]', [6, 9, 12]],
  ['matmul of a row, b transposed', () => core.matmul(v(), m(), { transB }), 'f64[2]', [8, 26]],
  ['matmul of a column', () => core.matmul(m(), v()), 'f64[2]', [8, 26]],
  [
    'matmul of a column, a transposed',
    () => core.matmul(m(), f([1, 2]), { transA }),
    'f64[3]',
    [6, 9, 12],
  ],
  [
    'matmul of a row and a batch',
    () => core.matmul(f([1, 1]), counted(2, 2, 1)),
    'f64[2,1]',
    [1, 5],
  ],
  [
    'matmul of a batch and a column',
    () => core.matmul(counted(2, 1, 2), f([1, 1])),
    'f64[2,1]',
    [1, 5],
  ],
  ['matmul of a batch', () => core.matmul(counted(2, 1, 2), p()), 'f64[2,1,2]', [3, 4, 11, 16]],
  [
    'matmul of a batch, a transposed',
    () => core.matmul(counted(2, 2, 1), p(), { transA }),
    'f64[2,1,2]',
    [3, 4, 11, 16],
  ],
  [
    'matmul of a batch, b transposed',
    () => core.matmul(counted(2, 1, 2), p(), { transB }),
    'f64[2,1,2]',
    [2, 4, 8, 18],
  ],
  [
    'matmul of a shared left side',
    () => core.matmul(p(), counted(2, 2, 1)),
    'f64[2,2,1]',
    [2, 4, 8, 18],
  ],
  [
    'matmul of batches that broadcast',
    () => core.matmul(counted(2, 1, 1, 1), counted(2, 1, 1)),
    'f64[2,2,1,1]',
    [0, 0, 0, 1],
  ],
  [
    'matmul of a row and a wide batch',
    () => core.matmul(f([1, 1]), counted(2, 2, 3)),
    'f64[2,3]',
    [3, 5, 7, 15, 17, 19],
  ],
  ['matmul of an empty batch', () => core.matmul(counted(0, 2, 2), p()), 'f64[0,2,2]', []],
  [
    'matmul of a batch over nothing',
    () => core.matmul(counted(1, 2, 0), counted(0, 2)),
    'f64[1,2,2]',
    [0, 0, 0, 0],
  ],
  [
    'linear',
    () => core.linear(p(), m().transpose(), f([1, 2, 3])),
    'f64[2,3]',
    [7, 11, 15, 13, 21, 29],
  ],
  ['linear without a bias', () => core.linear(f([1, 2]), p()), 'f64[2]', [5, 11]],
  ['tril', () => core.tril(counted(3, 3)), 'f64[3,3]', [0, 0, 0, 3, 4, 0, 6, 7, 8]],
  ['tril of a diagonal above', () => core.tril(m(), 1), 'f64[2,3]', [0, 1, 0, 3, 4, 5]],
  ['tril of a diagonal below', () => core.tril(counted(3, 2), -1), 'f64[3,2]', [0, 0, 2, 0, 4, 5]],
  ['triu', () => core.triu(counted(3, 3)), 'f64[3,3]', [0, 1, 2, 0, 4, 5, 0, 0, 8]],
  ['triu of a diagonal', () => core.triu(i([1, 1, 1, 1], [2, 2]), 1), 'i32[2,2]', [0, 1, 0, 0]],
  ['triu of a batch', () => core.triu(counted(2, 2, 2)), 'f64[2,2,2]', [0, 1, 0, 3, 4, 5, 0, 7]],
];

const einsums: readonly Row[] = [
  ['a product', () => core.einsum('ij,jk->ik', p(), q()), 'f64[2,2]', [19, 22, 43, 50]],
  [
    'a product with spaces, transposed',
    () => core.einsum('ij, jk -> ki', p(), q()),
    'f64[2,2]',
    [19, 43, 22, 50],
  ],
  ['a transpose', () => core.einsum('ij->ji', m()), 'f64[3,2]', [0, 3, 1, 4, 2, 5]],
  ['a sum', () => core.einsum('ij->', m()), 'f64[]', [15]],
  ['a sum of an axis', () => core.einsum('ij->j', m()), 'f64[3]', [3, 5, 7]],
  ['a diagonal', () => core.einsum('ii->i', counted(3, 3)), 'f64[3]', [0, 4, 8]],
  ['a trace', () => core.einsum('ii->', i([1, 2, 3, 4], [2, 2])), 'i32[]', [5]],
  ['a diagonal of three axes', () => core.einsum('iii->i', counted(2, 2, 2)), 'f64[2]', [0, 7]],
  ['a diagonal beside an axis', () => core.einsum('iji->ji', counted(2, 1, 2)), 'f64[1,2]', [0, 3]],
  [
    'an outer product',
    () => core.einsum('i,j->ij', f([1, 2]), v()),
    'f64[2,3]',
    [1, 2, 3, 2, 4, 6],
  ],
  ['an elementwise product', () => core.einsum('i,i->i', v(), v()), 'f64[3]', [1, 4, 9]],
  ['an inner product', () => core.einsum('i,i->', v(), v()), 'f64[]', [14]],
  ['sums of lone axes', () => core.einsum('ij,kl->', p(), q()), 'f64[]', [260]],
  ['a lone axis on the right', () => core.einsum('i,ij->i', f([1, 10]), m()), 'f64[2]', [3, 120]],
  ['a batch', () => core.einsum('bij,bj->bi', counted(2, 1, 2), p()), 'f64[2,1]', [2, 18]],
  ['three operands', () => core.einsum('ij,jk,k->i', p(), q(), f([1, -1])), 'f64[2]', [-3, -7]],
  [
    'a letter that comes again',
    () => core.einsum('i,ij,i->j', f([1, 2]), m(), f([1, 10])),
    'f64[3]',
    [60, 81, 102],
  ],
  ['an ellipsis', () => core.einsum('...i->...', m()), 'f64[2]', [3, 12]],
  ['an ellipsis that is empty', () => core.einsum('...i->...i', v()), 'f64[3]', [1, 2, 3]],
  [
    'an ellipsis of two axes',
    () => core.einsum('...i->i...', counted(2, 1, 2)),
    'f64[2,2,1]',
    [0, 2, 1, 3],
  ],
  [
    'ellipses that broadcast',
    () => core.einsum('...i,...i->...', counted(2, 1, 2), p()),
    'f64[2,2]',
    [2, 4, 8, 18],
  ],
  [
    'an ellipsis on one side',
    () => core.einsum('...ij,j->...i', counted(2, 1, 2), f([1, 1])),
    'f64[2,1]',
    [1, 5],
  ],
  ['an ellipsis that is summed', () => core.einsum('...i->i', m()), 'f64[3]', [3, 5, 7]],
  [
    'ellipses that broadcast the other way',
    () => core.einsum('...i,...i->...', p(), counted(2, 1, 2)),
    'f64[2,2]',
    [2, 4, 8, 18],
  ],
  [
    'ellipses that broadcast an outer axis',
    () => core.einsum('...i,...i->...', counted(1, 2, 1), counted(2, 2, 1)),
    'f64[2,2]',
    [0, 1, 0, 3],
  ],
];

const sequences: readonly Row[] = [
  ['fft', () => core.fft(f([1, 2, 3, 4]), f([0, 0, 0, 0]))[0], 'f64[4]', [10, -2, -2, -2]],
  ['fft, imaginary', () => core.fft(f([1, 2, 3, 4]), f([0, 0, 0, 0]))[1], 'f64[4]', [0, 2, 0, -2]],
  [
    'fft, back',
    () => core.fft(f([10, -2, -2, -2]), f([0, 2, 0, -2]), { inverse: true })[0],
    'f64[4]',
    [1, 2, 3, 4],
  ],
  ['rfft', () => core.rfft(f([1, 2, 3, 4]))[0], 'f64[3]', [10, -2, -2]],
  ['rfft, imaginary', () => core.rfft(f([1, 2, 3, 4]))[1], 'f64[3]', [0, 2, 0]],
  ['rfft of rows of an odd length', () => core.rfft(m())[0], 'f64[2,2]', [3, -1.5, 12, -1.5]],
  ['irfft', () => core.irfft(f([10, -2, -2]), f([0, 2, 0]), 4), 'f64[4]', [1, 2, 3, 4]],
  [
    'irfft: lone parts do not count',
    () => core.irfft(f([10, -2, -2]), f([7, 2, 9]), 4),
    'f64[4]',
    [1, 2, 3, 4],
  ],
  [
    'irfft of an odd length',
    () => core.irfft(f([12, -1.5]), f([5, Math.sqrt(3) / 2]), 3),
    'f64[3]',
    [3, 4, 5],
  ],
  ['irfft of one', () => core.irfft(f([3]), f([8]), 1), 'f64[1]', [3]],
  ['longConv', () => core.longConv(f([1, 2, 3]), f([1, 10, 100])), 'f64[3]', [1, 12, 123]],
  ['longConv, broadcast', () => core.longConv(p(), f([1, 10])), 'f64[2,2]', [1, 12, 3, 34]],
  [
    'linearRecurrence',
    () => core.linearRecurrence(f([9, 2, 3], [3, 1]), f([1, 1, 1], [3, 1])),
    'f64[3,1]',
    [1, 3, 10],
  ],
  [
    'linearRecurrence from the end',
    () => core.linearRecurrence(f([2, 3, 9], [3, 1]), f([1, 1, 1], [3, 1]), { reverse: true }),
    'f64[3,1]',
    [9, 4, 1],
  ],
];

for (const [title, rows] of Object.entries({ products, einsums })) {
  describe(title, () => it.each(rows)('%s', (...row) => gives(row)));
}

describe('sequences', () => {
  it.each(sequences)('%s', (_, call, aval, data) => {
    const t = call();
    expect(core.showAval(t)).toBe(aval);
    [...t.dataSync()].forEach((y, k) => {
      expect(y).toBeCloseTo(data[k]!, 12);
    });
  });
});
