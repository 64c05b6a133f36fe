/** Programs: what pruning drops, and how they print. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { setBackend, tensor } from '../src';
import type { Op } from '../src/op';
import { type Instruction, Program } from '../src/program';

beforeAll(() => setBackend(referenceBackend()));
const f32 = (...shape: number[]): { shape: number[]; dtype: 'f32' } => ({ shape, dtype: 'f32' });
const does = (
  name: string,
  ins: readonly number[],
  outs: readonly number[],
  attrs: object = {},
  donate = false,
): Instruction => ({
  op: { name } as unknown as Op,
  ...{ ins, outs, attrs: attrs as Instruction['attrs'], donate },
});

describe('pruning', () => {
  it('keeps an op with several results while anybody reads one', () => {
    const both = does('both', [0], [1, 2]);
    const vars = [f32(1), f32(1), f32(1)];
    for (const read of [1, 2]) {
      const { instructions } = new Program(vars, [0], new Map(), [both], [read]).pruned();
      expect(instructions).toEqual([both]);
    }
    expect(new Program(vars, [0], new Map(), [both], [0]).pruned().instructions).toEqual([]);
  });

  it('drops whatever only dropped instructions read, constants too, and keeps the order', () => {
    const constants = new Map([1, 2, 3].map((v) => [v, tensor([v])]));
    const [a, b, c, d] = [
      does('a', [0, 1], [4]),
      does('b', [2], [5]),
      does('c', [4], [6]),
      does('d', [5], [7]), // nobody reads it, so nobody reads 5, nor 2
    ];
    const vars = Array.from({ length: 8 }, () => f32(1));
    const pruned = new Program(vars, [0], constants, [a, b, c, d], [6, 3]).pruned();
    expect(pruned.instructions).toEqual([a, c]);
    expect([...pruned.constants.keys()]).toEqual([1, 3]);
    expect([pruned.inputs, pruned.outputs, pruned.vars]).toEqual([[0], [6, 3], vars]);
  });
});

it('prints attributes without quotes, those without a value too, and what is given away', () => {
  const attrs = { axis: 0, mode: 'same', pads: [1, 2], bias: undefined };
  const steps = [does('first', [3, 0], [5], attrs, true), does('second', [5, 3], [1, 2])];
  const vars = [f32(2), f32(), f32(1, 2), f32(3), f32(9), f32(2, 2)];
  const program = new Program(vars, [3], new Map([[0, tensor([1, 2])]]), steps, [2, 3]);
  expect(program.toString().split('\n')).toEqual([
    'inputs %0:f32[3]',
    'constants %1:f32[2]',
    '%2:f32[2,2] = first %0 %1 donate {axis: 0, mode: same, pads: [1,2], bias: undefined}',
    '%3:f32[], %4:f32[1,2] = second %2 %0',
    'outputs %4, %0',
  ]);
});
