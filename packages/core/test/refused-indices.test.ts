/** What reductions and reads by index refuse by shape: class, shapes, message, and nothing left in memory. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, it } from 'vitest';
import * as core from '../src';
import { setBackend, ShapeError, type Tensor } from '../src';
import { counted, i, refused, type RefusedShapes } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const of = (...shape: number[]): Tensor => counted(...shape);
const ints = (): Tensor => i([0, 1]);
const id = (): Tensor => i([0]);

const shapes: RefusedShapes = [
  [
    'max of nothing',
    () => core.max(of(2, 0), 1),
    'max: no elements along axes [1] of f64[2,0]',
    [[2, 0]],
  ],
  ['min of nothing', () => core.min(of(0)), 'min: no elements along axes [0] of f64[0]', [[0]]],
  [
    'argmax of nothing',
    () => core.argmax(of(2, 0), 1),
    'argmax: no elements along axes [1]',
    [[2, 0]],
  ],
  ['argmin of nothing', () => core.argmin(of(0, 2)), 'argmin: no elements along axes [0]', [[0]]],
  [
    'gather off the axis',
    () => core.gather(of(1, 3), i([0, 0], [2, 1]), 1),
    'gather: index i32[2,1] is larger than f64[1,3] off axis 1',
    [
      [1, 3],
      [2, 1],
    ],
  ],
  [
    'gather of a rank',
    () => core.gather(of(2, 3), ints(), 1),
    'gather: the index is i32[2], not of rank 2',
    [[2]],
  ],
  [
    'gather of an axis',
    () => core.gather(of(2), ints(), 1),
    'gather: axis 1 is out of range',
    [[2]],
  ],
  [
    'scatterAdd beyond the source',
    () => core.scatterAdd(of(3), ints(), of(1), 0),
    'scatterAdd: index i32[2] is larger than source f64[1] or f64[3] off axis 0',
    [[3], [2], [1]],
  ],
  [
    'scatterAdd off the axis',
    () => core.scatterAdd(of(1, 2), i([0, 0], [2, 1]), of(2, 1), 1),
    'scatterAdd: index i32[2,1]',
    [
      [1, 2],
      [2, 1],
      [2, 1],
    ],
  ],
  [
    'scatterAdd of an index of another rank',
    () => core.scatterAdd(of(2, 2), ints(), of(2, 2), 0),
    'scatterAdd: the index is i32[2], not of rank 2',
    [[2]],
  ],
  [
    'scatterAdd of a source of another rank',
    () => core.scatterAdd(of(2), ints(), of(2, 2), 0),
    'scatterAdd: the source is f64[2,2], not of rank 1',
    [[2, 2]],
  ],
  [
    'embedding',
    () => core.embedding(of(), id()),
    'embedding: the table is f64[]: it needs a row axis',
    [[]],
  ],
  [
    'embeddingGrad',
    () => core.embeddingGrad(ints(), of(3, 2), 4),
    'embeddingGrad: the leading part is f64[3], not [2]',
    [[3], [2]],
  ],
  [
    'indexSelect',
    () => core.indexSelect(of(2), i([0], [1, 1]), 0),
    'indexSelect: the index is i32[1,1], not of rank 1',
    [[1, 1]],
  ],
  [
    'indexSelect of an axis',
    () => core.indexSelect(of(2), id(), 1),
    'indexSelect: axis 1 is out of range',
    [[2]],
  ],
  [
    'updateSlice off the axis',
    () => core.updateSlice(of(2, 3), of(1, 1), 0, 1),
    'updateSlice: f64[1,1] does not fit f64[2,3] along axis 1',
    [
      [2, 3],
      [1, 1],
    ],
  ],
  [
    'updateSlice along the axis',
    () => core.updateSlice(of(1), of(2), i([0], []), 0),
    'updateSlice: f64[2] does not fit f64[1] along axis 0',
    [[1], [2]],
  ],
  [
    'updateSlice of a rank',
    () => core.updateSlice(of(2, 3), of(2), i([0], []), 1),
    'updateSlice: the update is f64[2], not of rank 2',
    [[2]],
  ],
  [
    'updateSlice of a rank, a number',
    () => core.updateSlice(of(2, 3), of(2), 3, 1),
    'updateSlice: the update is f64[2], not of rank 2',
    [[2]],
  ],
  [
    'updateSlice of two starts',
    () => core.updateSlice(of(2), of(1), ints(), 0),
    'updateSlice: start is i32[2], not []',
    [[2], []],
  ],
];

describe('reductions of nothing and indices that do not fit are named', () => {
  it.each(shapes)('%s', (_, call, message, named) => {
    refused(call, message, { name: ShapeError.name, shapes: named });
  });
});
