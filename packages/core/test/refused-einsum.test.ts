/** What Einstein sums refuse: class, shapes, message, and nothing left in memory. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, it } from 'vitest';
import * as core from '../src';
import { setBackend, ShapeError, type Tensor } from '../src';
import { counted, refused, type RefusedShapes } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const of = (...shape: number[]): Tensor => counted(...shape);
const [two, three] = [(): Tensor => of(2, 2), (): Tensor => of(2, 3)];
const form = "write it as 'ij,jk->ik'";
const einsums: RefusedShapes = [
  ['no arrow', () => core.einsum('ij', two()), `einsum: 'ij' with f64[2,2]: ${form}`, [[2, 2]]],
  [
    'two arrows',
    () => core.einsum('ij->ji->ij', two()),
    `einsum: 'ij->ji->ij' with f64[2,2]: ${form}`,
    [[2, 2]],
  ],
  [
    'other characters',
    () => core.einsum('i1->i', two()),
    `einsum: 'i1->i' with f64[2,2]: ${form}`,
    [[2, 2]],
  ],
  [
    'other characters first',
    () => core.einsum('1i->i', two()),
    `einsum: '1i->i' with f64[2,2]: ${form}`,
    [[2, 2]],
  ],
  [
    'other characters in one operand',
    () => core.einsum('ij,j+->i', two(), two()),
    `einsum: 'ij,j+->i' with f64[2,2], f64[2,2]: ${form}`,
    [
      [2, 2],
      [2, 2],
    ],
  ],
  [
    'other characters in the output',
    () => core.einsum('ij->i!', two()),
    `einsum: 'ij->i!' with f64[2,2]: ${form}`,
    [[2, 2]],
  ],
  [
    'two dots',
    () => core.einsum('..i->i', two()),
    `einsum: '..i->i' with f64[2,2]: ${form}`,
    [[2, 2]],
  ],
  [
    'one dot',
    () => core.einsum('.i->i', two()),
    `einsum: '.i->i' with f64[2,2]: ${form}`,
    [[2, 2]],
  ],
  [
    'two ellipses',
    () => core.einsum('...i...->i', two()),
    `einsum: '...i...->i' with f64[2,2]: ${form}`,
    [[2, 2]],
  ],
  [
    'too few operands',
    () => core.einsum('i,i->', of(2)),
    "einsum: 'i,i->' with f64[2]: names 2 operands, got 1",
    [[2]],
  ],
  [
    'too many operands',
    () => core.einsum('i->', of(2), of(2)),
    "einsum: 'i->' with f64[2], f64[2]: names 1 operands, got 2",
    [[2], [2]],
  ],
  [
    'too many letters',
    () => core.einsum('ijk->i', two()),
    "einsum: 'ijk->i' with f64[2,2]: operand 0 has 2 axes, 'ijk' names 3",
    [[2, 2]],
  ],
  [
    'too many letters beside an ellipsis',
    () => core.einsum('...ijk->i', two()),
    "einsum: '...ijk->i' with f64[2,2]: operand 0 has 2 axes, '...ijk' names 3",
    [[2, 2]],
  ],
  [
    'too few letters',
    () => core.einsum('i,j->ij', of(2), two()),
    "einsum: 'i,j->ij' with f64[2], f64[2,2]: operand 1 has 2 axes, 'j' names 1",
    [[2], [2, 2]],
  ],
  [
    'sizes',
    () => core.einsum('ij,ij->', two(), three()),
    "einsum: 'ij,ij->' with f64[2,2], f64[2,3]: index j is 2 and 3",
    [
      [2, 2],
      [2, 3],
    ],
  ],
  [
    'sizes of one operand',
    () => core.einsum('ii->i', three()),
    "einsum: 'ii->i' with f64[2,3]: index i is 2 and 3",
    [[2, 3]],
  ],
  [
    'a letter does not broadcast',
    () => core.einsum('i,i->i', of(1), of(3)),
    "einsum: 'i,i->i' with f64[1], f64[3]: index i is 1 and 3",
    [[1], [3]],
  ],
  [
    'a letter does not broadcast back',
    () => core.einsum('i,i->i', of(3), of(1)),
    "einsum: 'i,i->i' with f64[3], f64[1]: index i is 3 and 1",
    [[3], [1]],
  ],
  [
    'sizes under ellipses',
    () => core.einsum('...,...->...', of(2), of(3)),
    "einsum: '...,...->...' with f64[2], f64[3]: index ... is 2 and 3",
    [[2], [3]],
  ],
  [
    'an output that repeats',
    () => core.einsum('ij->ii', two()),
    "einsum: 'ij->ii' with f64[2,2]: an output index repeats",
    [[2, 2]],
  ],
  [
    'an output of no operand',
    () => core.einsum('ij->ik', two()),
    "einsum: 'ij->ik' with f64[2,2]: output index k is in no operand",
    [[2, 2]],
  ],
];

describe('equations that do not fit their operands are named', () => {
  it.each(einsums)('%s', (_, call, message, named) => {
    refused(call, message, { name: ShapeError.name, shapes: named });
  });
});
