/** Dtypes and values that functions refuse: class, fields, message, and nothing left in memory. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, it } from 'vitest';
import * as core from '../src';
import { DTypeError, setBackend, type Tensor, ValueError } from '../src';
import { b, counted, i, refused } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const of = (...shape: number[]): Tensor => counted(...shape);
const bools = (): Tensor => b([1, 0]);
const ints = (): Tensor => i([0, 1]);
const id = (): Tensor => i([0]);

const dtypes: readonly (readonly [string, () => unknown, string, readonly string[]])[] = [
  [
    'add',
    () => core.add(of(2), ints()),
    "add: dtypes differ: f64[2], i32[2]: convert one with .cast('f64')",
    ['f64', 'i32'],
  ],
  [
    'add of bools',
    () => core.add(bools(), bools()),
    "add: bool[2] and bool[2] are bools: convert them with .cast('i32')",
    ['bool'],
  ],
  ['two numbers', () => core.eq(1, 2), 'eq: both sides are numbers: one must be a tensor', []],
  [
    'pow of integers',
    () => core.pow(ints(), 2),
    "pow: i32[2] is not floating point: convert it with .cast('f32')",
    ['i32'],
  ],
  [
    'atan2 of integers',
    () => core.atan2(ints(), ints()),
    'atan2: i32[2] is not floating point',
    ['i32'],
  ],
  ['neg of bools', () => core.neg(bools()), 'neg: bool[2] is bool: use not()', ['bool']],
  ['floor of integers', () => core.floor(ints()), 'floor: i32[2] is not floating', ['i32']],
  ['log of integers', () => core.log(ints()), 'log: i32[2] is not floating', ['i32']],
  [
    'abs of bools',
    () => core.abs(bools()),
    "abs: bool[2] is bool: convert it with .cast('f32')",
    ['bool'],
  ],
  ['exp of integers', () => core.exp(ints()), 'exp: i32[2] is not floating point', ['i32']],
  ['eq', () => core.eq(of(2), ints()), 'eq: dtypes differ: f64[2], i32[2]', ['f64', 'i32']],
  [
    'and',
    () => core.and(bools(), ints()),
    "and: input is i32[2], not bool: convert it with .cast('bool')",
    ['i32'],
  ],
  ['not', () => core.not(of(2)), 'not: input is f64[2], not bool', ['f64']],
  ['isNaN', () => core.isNaN(ints()), 'isNaN: i32[2] is not floating point', ['i32']],
  ['where', () => core.where(of(2), 1, of(2)), 'where: the condition is f64[2], not bool', ['f64']],
  [
    'where of two dtypes',
    () => core.where(bools(), of(2), ints()),
    'where: the choices are f64[2] and i32[2]: cast one',
    ['f64', 'i32'],
  ],
  ['where of two numbers', () => core.where(bools(), 1, 2), 'where: both sides are numbers', []],
  [
    'sum of bools',
    () => core.sum(bools()),
    "sum: bool[2] cannot be added: convert it with .cast('i32')",
    ['bool'],
  ],
  [
    'max of bools',
    () => core.max(bools()),
    "max: bool[2] is bool: convert it with .cast('i32')",
    ['bool'],
  ],
  ['min of bools', () => core.min(bools()), 'min: bool[2] is bool', ['bool']],
  ['prod of bools', () => core.prod(bools()), 'prod: bool[2] is bool', ['bool']],
  ['argmax of bools', () => core.argmax(bools()), 'argmax: bool[2] is bool', ['bool']],
  ['argmin of bools', () => core.argmin(bools(), 0), 'argmin: bool[2] is bool', ['bool']],
  ['argsort of bools', () => core.argsort(bools()), 'argsort: bool[2] is bool', ['bool']],
  ['cumsum of bools', () => core.cumsum(bools(), 0), 'cumsum: bool[2] is bool', ['bool']],
  ['mean of integers', () => core.mean(ints()), 'mean: i32[2] is not floating point', ['i32']],
  [
    'variance of integers',
    () => core.variance(ints()),
    'variance: i32[2] is not floating',
    ['i32'],
  ],
  ['logSumExp of integers', () => core.logSumExp(ints()), 'logSumExp: i32[2] is not', ['i32']],
  [
    'concat',
    () => core.concat([of(2), ints()]),
    'concat: dtypes differ: f64[2], i32[2]',
    ['f64', 'i32'],
  ],
  [
    'gather',
    () => core.gather(of(2), of(2), 0),
    "gather: the index is f64[2], not i32: convert it with .cast('i32')",
    ['f64'],
  ],
  [
    'scatterAdd',
    () => core.scatterAdd(of(2), of(2), of(2), 0),
    'scatterAdd: the index is f64[2], not i32',
    ['f64'],
  ],
  [
    'scatterAdd of a source',
    () => core.scatterAdd(of(2), ints(), ints(), 0),
    'scatterAdd: dtypes differ: f64[2], i32[2]',
    ['f64', 'i32'],
  ],
  ['embedding', () => core.embedding(of(2), of(2)), 'embedding: ids is f64[2], not i32', ['f64']],
  [
    'embeddingGrad',
    () => core.embeddingGrad(of(2), of(2), 2),
    'embeddingGrad: ids is f64[2], not i32',
    ['f64'],
  ],
  [
    'updateSlice',
    () => core.updateSlice(of(2), ints(), 0, 0),
    'updateSlice: dtypes differ',
    ['f64', 'i32'],
  ],
  [
    'updateSlice of a start',
    () => core.updateSlice(of(2), of(1), of(), 0),
    'updateSlice: start is f64[], not i32',
    ['f64'],
  ],
  ['oneHot', () => core.oneHot(of(2), 3), 'oneHot: ids is f64[2], not i32', ['f64']],
];

const values: readonly (readonly [string, () => unknown, string])[] = [
  [
    'full',
    () => core.full([2], 1.5, { dtype: 'i32' }),
    "full: 1.5 is not an integer: use dtype 'f32'",
  ],
  [
    'iota of a start',
    () => core.iota(2, { start: 0.5 }),
    "iota: start 0.5 and step 1 are not integers: use dtype 'f32'",
  ],
  ['iota of a step', () => core.iota(2, { step: 0.5 }), 'iota: start 0 and step 0.5 are not'],
  [
    'slice',
    () => core.slice(of(2, 3), [0, 0], [1, 1], [1, 0]),
    'slice: step of axis 1 is 0: use another',
  ],
  ['split', () => core.split(of(3), 0), 'split: the size 0 is not an integer from 1 to 2147483647'],
  ['split of a fraction', () => core.split(of(3), 1.5), 'split: the size 1.5 is not an integer'],
  ['roll', () => core.roll(of(3), 0.5, 0), 'roll: shift 0.5 is not an integer'],
  ['topK', () => core.topK(of(3), 4), 'topK: k 4 is not an integer from 0 to 3'],
  [
    'topK of less than none',
    () => core.topK(of(3), -1),
    'topK: k -1 is not an integer from 0 to 3',
  ],
  ['gather', () => core.gather(of(2), i([2]), 0), 'gather: '],
  ['gather from the end', () => core.gather(of(2), i([-1]), 0), 'gather: '],
  ['scatterAdd', () => core.scatterAdd(of(2), i([2]), of(1), 0), 'scatterAdd: '],
  ['embedding', () => core.embedding(of(2), i([2])), 'embedding: '],
  ['indexSelect', () => core.indexSelect(of(2, 2), i([-1]), 1), 'embedding: '],
  [
    'embeddingGrad',
    () => core.embeddingGrad(id(), of(1), -1),
    'embeddingGrad: rows -1 is not an integer from 0 to 2147483647',
  ],
  [
    'embeddingGrad of a fraction',
    () => core.embeddingGrad(id(), of(1), 1.5),
    'embeddingGrad: rows 1.5 is not',
  ],
  [
    'updateSlice',
    () => core.updateSlice(of(4), of(2), 3, 0),
    'updateSlice: start 3 is not an integer from 0 to 2',
  ],
  [
    'updateSlice from before',
    () => core.updateSlice(of(4), of(2), -1, 0),
    'updateSlice: start -1 is not an integer from 0 to 2',
  ],
  [
    'updateSlice of more than there is',
    () => core.updateSlice(of(1), of(2), 0, 0),
    'updateSlice: start 0 is not',
  ],
  [
    'updateSlice from a tensor',
    () => core.updateSlice(of(4), of(2), i([3], []), 0),
    'updateSlice: ',
  ],
  [
    'oneHot',
    () => core.oneHot(ints(), 0),
    'oneHot: classes 0 is not an integer from 1 to 2147483647',
  ],
  ['oneHot beyond', () => core.oneHot(ints(), 1), 'scatterAdd: '],
];

describe('dtypes that do not go together are named', () => {
  it.each(dtypes)('%s', (_, call, message, named) => {
    refused(call, message, { name: DTypeError.name, dtypes: named });
  });
});

describe('values outside their domain are named', () => {
  it.each(values)('%s', (_, call, message) => {
    refused(call, message, { name: ValueError.name });
  });
});
