/** What slices, pads and joins refuse: class, shapes, message, and nothing left in memory. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import * as core from '../src';
import { setBackend, ShapeError, type Tensor } from '../src';
import { counted, refused, type RefusedShapes } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const of = (...shape: number[]): Tensor => counted(...shape);

const shapes: RefusedShapes = [
  [
    'slice beyond',
    () => core.slice(of(4), [3], [2]),
    'slice: 2 elements of axis 0 from 3 by 1 leave f64[4]',
    [[4]],
  ],
  [
    'slice from the end',
    () => core.slice(of(4), [4], [1]),
    'slice: 1 elements of axis 0 from 4',
    [[4]],
  ],
  [
    'slice from before',
    () => core.slice(of(4), [-1], [1]),
    'slice: 1 elements of axis 0 from -1',
    [[4]],
  ],
  [
    'slice backwards beyond',
    () => core.slice(of(4), [1], [3], [-1]),
    'slice: 3 elements of axis 0 from 1 by -1',
    [[4]],
  ],
  [
    'slice into the tensor',
    () => core.slice(of(4), [5], [2], [-3]),
    'slice: 2 elements of axis 0 from 5 by -3',
    [[4]],
  ],
  [
    'slice from before, backwards',
    () => core.slice(of(4), [-1], [2], [2]),
    'slice: 2 elements',
    [[4]],
  ],
  [
    'slice of a negative size',
    () => core.slice(of(4), [0], [-1]),
    'slice: -1 elements of axis 0',
    [[4]],
  ],
  [
    'slice of too few',
    () => core.slice(of(2, 3), [0], [1, 1], [1, 1]),
    'slice: [0] for f64[2,3]: give one integer an axis',
    [[2, 3]],
  ],
  [
    'slice of too few sizes',
    () => core.slice(of(2, 3), [0, 0], [1]),
    'slice: [1] for f64[2,3]',
    [[2, 3]],
  ],
  [
    'slice of too many steps',
    () => core.slice(of(2), [0], [1], [1, 1]),
    'slice: [1,1] for f64[2]',
    [[2]],
  ],
  [
    'slice of a fraction',
    () => core.slice(of(2, 3), [0, 0], [1, 1.5]),
    'slice: [1,1.5] for f64[2,3]',
    [[2, 3]],
  ],
  [
    'narrow',
    () => core.narrow(of(2, 3), 1, 2, 2),
    'slice: 2 elements of axis 1 from 2 by 1 leave f64[2,3]',
    [[2, 3]],
  ],
  ['narrow of an axis', () => core.narrow(of(2), 1, 0, 1), 'narrow: axis 1 is out of range', [[2]]],
  [
    'select',
    () => core.select(of(2, 3), 1, 3),
    'select: index 3 is out of range for axis 1 of f64[2,3]',
    [[2, 3]],
  ],
  [
    'select from the end',
    () => core.select(of(2, 3), -1, -4),
    'select: index -4 is out of range for axis 1',
    [[2, 3]],
  ],
  ['select of a fraction', () => core.select(of(2), 0, 0.5), 'select: index 0.5', [[2]]],
  [
    'pad of too few',
    () => core.pad(of(2, 3), [[1, 1]]),
    'pad: 1 pads for f64[2,3]: give one pair an axis',
    [[2, 3]],
  ],
  [
    'pad of zeros for too many',
    () =>
      core.pad(of(2), [
        [0, 0],
        [0, 0],
      ]),
    'pad: 2 pads for f64[2]',
    [[2]],
  ],
  [
    'concat',
    () => core.concat([of(2, 3), of(2, 4)]),
    'concat: shapes differ off axis 0: f64[2,3], f64[2,4]',
    [
      [2, 3],
      [2, 4],
    ],
  ],
  [
    'concat of ranks',
    () => core.concat([of(2, 1), of(2)]),
    'concat: shapes differ off axis 0',
    [[2, 1], [2]],
  ],
  ['concat of nothing', () => core.concat([]), 'concat: no tensors: give at least one', []],
  ['concat of an axis', () => core.concat([of(2)], 1), 'concat: axis 1 is out of range', [[2]]],
  ['stack', () => core.stack([of(2), of(3)]), 'stack: shapes differ: f64[2], f64[3]', [[2], [3]]],
  ['stack of ranks', () => core.stack([of(2), of(2, 1)]), 'stack: shapes differ', [[2], [2, 1]]],
  ['stack of nothing', () => core.stack([]), 'stack: no tensors: give at least one', []],
  [
    'split',
    () => core.split(of(2, 3), [1, 1], 1),
    'split: sizes [1,1] do not add up to axis 1 of f64[2,3]',
    [[2, 3]],
  ],
  ['split of a negative size', () => core.split(of(3), [4, -1]), 'split: sizes [4,-1]', [[3]]],
  ['split of fractions', () => core.split(of(3), [1.5, 1.5]), 'split: sizes [1.5,1.5]', [[3]]],
  ['roll', () => core.roll(of(3), 1, 1), 'roll: axis 1 is out of range', [[3]]],
  [
    'repeatInterleave',
    () => core.repeatInterleave(of(2), 2, 1),
    'repeatInterleave: axis 1 is out',
    [[2]],
  ],
];

describe('slices, pads and joins that leave the tensor are named', () => {
  it.each(shapes)('%s', (_, call, message, named) => {
    refused(call, message, { name: ShapeError.name, shapes: named });
  });
});

const MOST = 2 ** 31 - 1;

describe('repeats that are no counts', () => {
  it.each([-1, 1.5, NaN, 2 ** 31])('are named by what was called: %d', (n) => {
    const what = `repeats ${n} is not an integer from 0 to ${MOST}`;
    const named = { name: 'ValueError' };
    refused(() => core.tile(of(2), [1, n]), `tile: ${what}`, named);
    refused(() => core.repeatInterleave(of(2), n, 0), `repeatInterleave: ${what}`, named);
  });

  it('may be 0', () => {
    expect(core.repeatInterleave(of(2), 0, 0).shape).toEqual([0]);
    expect(core.tile(of(2), [0]).shape).toEqual([0]);
  });
});
