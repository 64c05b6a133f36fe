/** What functions of axes, sizes and broadcasting refuse: class, shapes, message, and nothing left in memory. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, it } from 'vitest';
import * as core from '../src';
import { setBackend, ShapeError, type Tensor } from '../src';
import { b, counted, refused, type RefusedShapes } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const of = (...shape: number[]): Tensor => counted(...shape);
const bools = (): Tensor => b([1, 0]);

const shapes: RefusedShapes = [
  [
    'axis',
    () => core.sum(of(2, 3), -3),
    'sum: axis -3 is out of range for shape [2,3]: use -2 to 1',
    [[2, 3]],
  ],
  ['axis of the rank', () => core.cumsum(of(2), 1), 'cumsum: axis 1 is out of range', [[2]]],
  ['fraction for an axis', () => core.flip(of(2), 0.5), 'flip: axis 0.5 is out of range', [[2]]],
  [
    'axis of a scalar',
    () => core.sum(of(), 0),
    'sum: axis 0 is out of range for shape []: use a tensor with axes',
    [[]],
  ],
  [
    'axis twice',
    () => core.max(of(2, 3), [1, -1]),
    'max: axes [1,-1] repeat for shape [2,3]',
    [[2, 3]],
  ],
  [
    'negative size',
    () => core.full([2, -1], 0),
    'fill: [2,-1] is not a shape: sizes are integers from 0',
    [[2, -1]],
  ],
  ['fraction of a size', () => core.iota(1.5), 'iota: [1.5] is not a shape', [[1.5]]],
  [
    'add',
    () => core.add(of(2), of(3)),
    'add: shapes do not broadcast: f64[2], f64[3]: sizes must match or be 1',
    [[2], [3]],
  ],
  ['lt', () => core.lt(of(2), of(3)), 'lt: shapes do not broadcast', [[2], [3]]],
  ['and', () => core.and(bools(), b([1, 1, 1])), 'and: shapes do not broadcast', [[2], [3]]],
  [
    'where',
    () => core.where(bools(), of(2), of(3)),
    'where: shapes do not broadcast: bool[2], f64[2], f64[3]',
    [[2], [2], [3]],
  ],
  [
    'reshape',
    () => core.reshape(of(2, 3), [7]),
    'reshape: f64[2,3] has 6 elements, [7] has 7',
    [[2, 3], [7]],
  ],
  [
    'reshape to a negative size',
    () => core.reshape(of(4), [-2, -2]),
    'reshape: [-2,-2] is not a shape',
    [[-2, -2]],
  ],
  [
    'reshape by what does not divide',
    () => core.reshape(of(6), [4, -1]),
    'reshape: f64[6] does not fit [4,-1]: one size may be -1',
    [[6], [4, -1]],
  ],
  [
    'reshape of two unknown sizes',
    () => core.reshape(of(6), [-1, -1]),
    'reshape: f64[6] does not fit [-1,-1]',
    [[6], [-1, -1]],
  ],
  [
    'reshape beside a zero',
    () => core.reshape(of(0), [0, -1]),
    'reshape: f64[0] does not fit [0,-1]',
    [[0], [0, -1]],
  ],
  [
    'reshape of a fraction',
    () => core.reshape(of(6), [1.5, -1]),
    'reshape: f64[6] does not fit [1.5,-1]',
    [[6], [1.5, -1]],
  ],
  [
    'reshape by minus three',
    () => core.reshape(of(6), [-3, -1]),
    'reshape: f64[6] does not fit [-3,-1]',
    [[6], [-3, -1]],
  ],
  [
    'permute of too few',
    () => core.permute(of(2, 3), [0]),
    'permute: axes [0] are not an order of the axes of f64[2,3]',
    [[2, 3]],
  ],
  [
    'permute twice',
    () => core.permute(of(2, 3), [1, -1]),
    'permute: axes [1,1] are not an order',
    [[2, 3]],
  ],
  [
    'permute beyond',
    () => core.permute(of(2, 3), [0, 2]),
    'permute: axis 2 is out of range',
    [[2, 3]],
  ],
  [
    'transpose of a vector',
    () => core.transpose(of(3)),
    'transpose: axis -2 is out of range',
    [[3]],
  ],
  [
    'broadcastTo',
    () => core.broadcastTo(of(2, 3), [2, 4]),
    'broadcastTo: f64[2,3] does not broadcast to [2,4]: sizes must',
    [
      [2, 3],
      [2, 4],
    ],
  ],
  [
    'broadcastTo fewer',
    () => core.broadcastTo(of(2, 3), [1, 3]),
    'broadcastTo: f64[2,3] does not',
    [
      [2, 3],
      [1, 3],
    ],
  ],
  [
    'broadcastTo no shape',
    () => core.broadcastTo(of(1), [-1]),
    'broadcastTo: [-1] is not a shape',
    [[-1]],
  ],
  [
    'squeeze',
    () => core.squeeze(of(1, 2), [0, 1]),
    'squeeze: axis 1 of f64[1,2] is not 1',
    [[1, 2]],
  ],
  ['unsqueeze', () => core.unsqueeze(of(2), 2), 'unsqueeze: axis 2 is out of range', [[2, 1]]],
  ['flatten', () => core.flatten(of(2, 3), 1, 0), 'flatten: axis 1 comes after 0', [[2, 3]]],
  ['flatten beyond', () => core.flatten(of(2), 0, 1), 'flatten: axis 1 is out of range', [[2]]],
  [
    'negative pad',
    () => core.pad(of(2), [[-1, 2]]),
    'pad: pad [-1, 2] of axis 0: use integers from 0',
    [[2]],
  ],
  ['negative pad after', () => core.pad(of(2), [[2, -1]]), 'pad: pad [2, -1] of axis 0', [[2]]],
  ['fractional pad', () => core.pad(of(2), [[0.5, 0]]), 'pad: pad [0.5, 0]', [[2]]],
  ['fractional pad after', () => core.pad(of(2), [[0, 0.5]]), 'pad: pad [0, 0.5]', [[2]]],
];

describe('axes and shapes that do not go together are named', () => {
  it.each(shapes)('%s', (_, call, message, named) => {
    refused(call, message, { name: ShapeError.name, shapes: named });
  });
});
