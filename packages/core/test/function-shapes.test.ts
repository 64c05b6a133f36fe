/** Functions that move elements, read them by index and join them: every value, dtype and shape written out. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import * as core from '../src';
import { setBackend, type Tensor } from '../src';
import { b, counted, f, gives, i, of, read, type Row } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const m = (): Tensor => counted(2, 3); // 0 1 2 | 3 4 5
const zeroed = (...shape: number[]): Tensor => core.zeros(shape, { dtype: 'f64' });

const shaped: readonly Row[] = [
  ['reshape', () => core.reshape(m(), [3, 2]), 'f64[3,2]', [0, 1, 2, 3, 4, 5]],
  [
    'reshape, a size first to find',
    () => core.reshape(m(), [-1, 2]),
    'f64[3,2]',
    [0, 1, 2, 3, 4, 5],
  ],
  [
    'reshape, a size last to find',
    () => core.reshape(m(), [2, -1]),
    'f64[2,3]',
    [0, 1, 2, 3, 4, 5],
  ],
  ['reshape to a scalar', () => core.reshape(i([7]), []), 'i32[]', [7]],
  ['permute', () => core.permute(m(), [1, 0]), 'f64[3,2]', [0, 3, 1, 4, 2, 5]],
  ['permute from the end', () => core.permute(m(), [-1, 0]), 'f64[3,2]', [0, 3, 1, 4, 2, 5]],
  [
    'permute of three axes',
    () => core.permute(counted(2, 1, 3), [2, 0, 1]),
    'f64[3,2,1]',
    [0, 3, 1, 4, 2, 5],
  ],
  ['transpose', () => core.transpose(counted(1, 2, 2)), 'f64[1,2,2]', [0, 2, 1, 3]],
  ['transpose of two axes', () => core.transpose(counted(2, 1, 2), 0), 'f64[2,1,2]', [0, 2, 1, 3]],
  [
    'transpose of named axes',
    () => core.transpose(m().reshape(2, 3, 1), 0, 1),
    'f64[3,2,1]',
    [0, 3, 1, 4, 2, 5],
  ],
  [
    'broadcastTo',
    () => core.broadcastTo(f([1, 2], [2, 1]), [2, 2, 2]),
    'f64[2,2,2]',
    [1, 1, 2, 2, 1, 1, 2, 2],
  ],
  ['squeeze', () => core.squeeze(counted(1, 3, 1)), 'f64[3]', [0, 1, 2]],
  ['squeeze of one axis', () => core.squeeze(counted(1, 3, 1), -1), 'f64[1,3]', [0, 1, 2]],
  ['squeeze of axes', () => core.squeeze(counted(1, 3, 1), [0, 2]), 'f64[3]', [0, 1, 2]],
  ['squeeze of nothing', () => core.squeeze(m()), 'f64[2,3]', [0, 1, 2, 3, 4, 5]],
  ['unsqueeze', () => core.unsqueeze(i([1, 2]), 0), 'i32[1,2]', [1, 2]],
  ['unsqueeze at the end', () => core.unsqueeze(i([1, 2]), -1), 'i32[2,1]', [1, 2]],
  ['unsqueeze in between', () => core.unsqueeze(m(), 1), 'f64[2,1,3]', [0, 1, 2, 3, 4, 5]],
  ['flatten', () => core.flatten(m()), 'f64[6]', [0, 1, 2, 3, 4, 5]],
  ['flatten of a scalar', () => core.flatten(f([5], [])), 'f64[1]', [5]],
  ['flatten of the last axes', () => core.flatten(counted(1, 2, 2), 1), 'f64[1,4]', [0, 1, 2, 3]],
  [
    'flatten of the first axes',
    () => core.flatten(counted(2, 1, 2), 0, 1),
    'f64[2,2]',
    [0, 1, 2, 3],
  ],
  ['flatten of one axis', () => core.flatten(m(), 1, 1), 'f64[2,3]', [0, 1, 2, 3, 4, 5]],
];

const sliced: readonly Row[] = [
  ['slice', () => core.slice(m(), [0, 1], [2, 2]), 'f64[2,2]', [1, 2, 4, 5]],
  ['slice by steps', () => core.slice(m(), [0, 0], [2, 2], [1, 2]), 'f64[2,2]', [0, 2, 3, 5]],
  ['slice backwards', () => core.slice(m(), [1, 2], [2, 2], [-1, -2]), 'f64[2,2]', [5, 3, 2, 0]],
  ['slice of nothing', () => core.slice(m(), [9, 0], [0, 3]), 'f64[0,3]', []],
  ['slice of leading rows', () => core.slice(m(), [0, 0], [1, 3]), 'f64[1,3]', [0, 1, 2]],
  ['slice of a row', () => core.slice(m(), [1, 0], [1, 3], [2, 1]), 'f64[1,3]', [3, 4, 5]],
  [
    'slice of every other row',
    () => core.slice(counted(4, 1), [1, 0], [2, 1], [2, 1]),
    'f64[2,1]',
    [1, 3],
  ],
  ['slice of a column', () => core.slice(m(), [0, 1], [2, 1]), 'f64[2,1]', [1, 4]],
  ['slice within one row', () => core.slice(counted(1, 4), [0, 1], [1, 2]), 'f64[1,2]', [1, 2]],
  [
    'slice of rows turned round',
    () => core.slice(counted(2, 2), [0, 1], [1, 2], [1, -1]),
    'f64[1,2]',
    [1, 0],
  ],
  ['narrow', () => core.narrow(m(), 1, 1, 2), 'f64[2,2]', [1, 2, 4, 5]],
  ['narrow by a step', () => core.narrow(counted(5), -1, 0, 3, 2), 'f64[3]', [0, 2, 4]],
  ['select', () => core.select(m(), 0, 1), 'f64[3]', [3, 4, 5]],
  ['select from the end', () => core.select(m(), -1, -1), 'f64[2]', [2, 5]],
  ['select the first from the end', () => core.select(m(), 1, -3), 'f64[2]', [0, 3]],
  ['select keeps other axes of one', () => core.select(counted(1, 2, 1), 1, 1), 'f64[1,1]', [1]],
  ['pad', () => core.pad(i([1, 2]), [[1, 2]]), 'i32[5]', [0, 1, 2, 0, 0]],
  [
    'pad with a value',
    () =>
      core.pad(
        f([1], [1, 1]),
        [
          [0, 1],
          [1, 0],
        ],
        9,
      ),
    'f64[2,2]',
    [9, 1, 9, 9],
  ],
  ['pad before only', () => core.pad(f([1]), [[1, 0]]), 'f64[2]', [0, 1]],
  ['flip', () => core.flip(m(), 1), 'f64[2,3]', [2, 1, 0, 5, 4, 3]],
  ['flip of axes', () => core.flip(m(), [0, -1]), 'f64[2,3]', [5, 4, 3, 2, 1, 0]],
  ['roll', () => core.roll(counted(4), 1, 0), 'f64[4]', [3, 0, 1, 2]],
  ['roll back', () => core.roll(counted(4), -1, 0), 'f64[4]', [1, 2, 3, 0]],
  ['roll far', () => core.roll(counted(4), 9, -1), 'f64[4]', [3, 0, 1, 2]],
  ['roll far back', () => core.roll(m(), -4, 1), 'f64[2,3]', [1, 2, 0, 4, 5, 3]],
  ['roll all the way', () => core.roll(counted(4), -8, 0), 'f64[4]', [0, 1, 2, 3]],
  ['roll of nothing', () => core.roll(counted(0, 2), 3, 0), 'f64[0,2]', []],
];

const joined: readonly Row[] = [
  ['concat', () => core.concat([i([1]), i([2, 3])]), 'i32[3]', [1, 2, 3]],
  [
    'concat of columns',
    () => core.concat([m(), f([8, 9], [2, 1])], -1),
    'f64[2,4]',
    [0, 1, 2, 8, 3, 4, 5, 9],
  ],
  ['concat of one', () => core.concat([b([1, 0])]), 'bool[2]', [1, 0]],
  ['stack', () => core.stack([i([1, 2]), i([3, 4])]), 'i32[2,2]', [1, 2, 3, 4]],
  ['stack at the end', () => core.stack([i([1, 2]), i([3, 4])], -1), 'i32[2,2]', [1, 3, 2, 4]],
  [
    'stack in between',
    () => core.stack([m(), m()], 1),
    'f64[2,2,3]',
    [0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5],
  ],
  ['tile', () => core.tile(f([1, 2]), [2]), 'f64[4]', [1, 2, 1, 2]],
  ['tile, a new axis', () => core.tile(f([1, 2]), [2, 1]), 'f64[2,2]', [1, 2, 1, 2]],
  [
    'tile of the last axis',
    () => core.tile(counted(2, 2), [2]),
    'f64[2,4]',
    [0, 1, 0, 1, 2, 3, 2, 3],
  ],
  [
    'tile of both axes',
    () => core.tile(i([1, 2], [2, 1]), [2, 2]),
    'i32[4,2]',
    [1, 1, 2, 2, 1, 1, 2, 2],
  ],
  ['tile no times', () => core.tile(f([1, 2]), [0]), 'f64[0]', []],
  ['repeatInterleave', () => core.repeatInterleave(i([1, 2]), 2, 0), 'i32[4]', [1, 1, 2, 2]],
  [
    'repeatInterleave of rows',
    () => core.repeatInterleave(counted(2, 2), 2, -2),
    'f64[4,2]',
    [0, 1, 0, 1, 2, 3, 2, 3],
  ],
  ['repeatInterleave no times', () => core.repeatInterleave(i([1, 2]), 0, 0), 'i32[0]', []],
];

const column = (...xs: number[]): Tensor => i(xs, [xs.length, 1]);

const indexed: readonly Row[] = [
  ['gather', () => core.gather(m(), i([2, 0, 1, 1], [2, 2]), 1), 'f64[2,2]', [2, 0, 4, 4]],
  ['gather of rows', () => core.gather(m(), i([1, 0, 1], [1, 3]), 0), 'f64[1,3]', [3, 1, 5]],
  [
    'gather more than there is',
    () => core.gather(b([1, 0]), i([0, 0, 1]), -1),
    'bool[3]',
    [1, 1, 0],
  ],
  [
    'scatterAdd',
    () => core.scatterAdd(i([10, 20]), i([1, 1, 0]), i([1, 2, 3]), 0),
    'i32[2]',
    [13, 23],
  ],
  [
    'scatterAdd of columns',
    () => core.scatterAdd(m(), column(2, 0), f([10, 20], [2, 1]), -1),
    'f64[2,3]',
    [0, 1, 12, 23, 4, 5],
  ],
  [
    'scatterAdd leaves what no index names',
    () => core.scatterAdd(zeroed(2), i([1]), f([5, 7]), 0),
    'f64[2]',
    [0, 5],
  ],
  ['embedding', () => core.embedding(m(), i([1, 0, 1])), 'f64[3,3]', [3, 4, 5, 0, 1, 2, 3, 4, 5]],
  ['embedding of a scalar id', () => core.embedding(m(), i([1], [])), 'f64[3]', [3, 4, 5]],
  ['embedding of numbers', () => core.embedding(i([7, 8]), i([1, 0], [2, 1])), 'i32[2,1]', [8, 7]],
  [
    'embeddingGrad',
    () => core.embeddingGrad(i([1, 1]), counted(2, 2), 3),
    'f64[3,2]',
    [0, 0, 2, 4, 0, 0],
  ],
  ['embeddingGrad of no rows', () => core.embeddingGrad(i([]), zeroed(0, 2), 0), 'f64[0,2]', []],
  ['indexSelect', () => core.indexSelect(m(), i([1, 1]), 0), 'f64[2,3]', [3, 4, 5, 3, 4, 5]],
  ['indexSelect of columns', () => core.indexSelect(m(), i([2, 0]), 1), 'f64[2,2]', [2, 0, 5, 3]],
  [
    'indexSelect in between',
    () => core.indexSelect(counted(2, 2, 2), i([1]), -2),
    'f64[2,1,2]',
    [2, 3, 6, 7],
  ],
  ['updateSlice', () => core.updateSlice(counted(4), f([8, 9]), 1, 0), 'f64[4]', [0, 8, 9, 3]],
  [
    'updateSlice to the end',
    () => core.updateSlice(counted(3), f([8, 9]), 1, 0),
    'f64[3]',
    [0, 8, 9],
  ],
  ['updateSlice of all', () => core.updateSlice(counted(2), f([8, 9]), 0, 0), 'f64[2]', [8, 9]],
  [
    'updateSlice of a column from a tensor',
    () => core.updateSlice(m(), f([8, 9], [2, 1]), i([2], []), -1),
    'f64[2,3]',
    [0, 1, 8, 3, 4, 9],
  ],
  ['oneHot', () => core.oneHot(i([2, 0]), 3), 'f32[2,3]', [0, 0, 1, 1, 0, 0]],
  ['oneHot of a scalar', () => core.oneHot(i([1], []), 2), 'f32[2]', [0, 1]],
  ['oneHot of one class', () => core.oneHot(i([0]), 1), 'f32[1,1]', [1]],
  [
    'oneHot of integers',
    () => core.oneHot(column(1, 0), 2, { dtype: 'i32' }),
    'i32[2,1,2]',
    [0, 1, 1, 0],
  ],
  ['oneHot of f64', () => core.oneHot(i([1]), 2, { dtype: 'f64' }), 'f64[1,2]', [0, 1]],
];

for (const [title, rows] of Object.entries({ shaped, sliced, joined, indexed })) {
  describe(title, () => it.each(rows)('%s', (...row) => gives(row)));
}

describe('split', () => {
  it('by a number gives equal pieces, the last one smaller', () => {
    expect(core.split(counted(5), 2).map(read)).toEqual([
      ['f64[2]', [0, 1]],
      ['f64[2]', [2, 3]],
      ['f64[1]', [4]],
    ]);
  });

  it('by a number that divides gives no empty piece', () => {
    expect(core.split(m(), 1, 0).map(read)).toEqual([
      ['f64[1,3]', [0, 1, 2]],
      ['f64[1,3]', [3, 4, 5]],
    ]);
  });

  it('by a list gives pieces of those sizes, also of none', () => {
    expect(core.split(m(), [0, 2, 1], -1).map(read)).toEqual([
      ['f64[2,0]', []],
      ['f64[2,2]', [0, 1, 3, 4]],
      ['f64[2,1]', [2, 5]],
    ]);
  });

  it('of nothing gives no pieces', () => {
    expect(core.split(counted(0), 3)).toEqual([]);
  });
});

describe('memory', () => {
  const shares = (view: (t: Tensor) => Tensor, size = 8): boolean => {
    const t = of(
      'f32',
      Array.from({ length: size }, (_, k) => k),
      [1, 2, size / 2],
    );
    return view(t).storage === t.storage;
  };

  it('is shared by what lies in one run of the tensor', () => {
    expect(shares((t) => core.reshape(t, [8]))).toBe(true);
    expect(shares((t) => core.slice(t, [0, 0, 0], [1, 2, 4]))).toBe(true);
    expect(shares((t) => core.slice(t, [0, 1, 0], [1, 1, 4]))).toBe(true);
    expect(shares((t) => core.slice(t, [0, 1, 0], [1, 1, 4], [1, 2, 1]))).toBe(true);
    expect(shares((t) => core.narrow(t, 0, 0, 1))).toBe(true);
    expect(shares((t) => core.slice(t.reshape(8), [2], [3]))).toBe(true);
  });

  it('is new for what lies apart', () => {
    expect(shares((t) => core.narrow(t, 2, 1, 2))).toBe(false);
    expect(shares((t) => core.slice(t, [0, 1, 0], [1, 1, 2]))).toBe(false);
    expect(shares((t) => core.slice(t.reshape(8), [0], [3], [2]))).toBe(false);
    expect(shares((t) => core.slice(t.reshape(8), [7], [8], [-1]))).toBe(false);
    expect(shares((t) => core.slice(t, [0, 1, 3], [1, 1, 4], [1, 1, -1]))).toBe(false);
  });
});
