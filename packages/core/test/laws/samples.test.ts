/** Samples of the ops: there are as many as are asked for, and the corner cases are among them. */
import * as fc from 'fast-check';
import { expect, it } from 'vitest';
import { sizeOf } from '../../src';
import { type OpSample, opSamples, ops, type Samples } from '../../src/testing';

function samplesOf(name: string): OpSample<unknown>[] {
  const from = opSamples[name as keyof typeof opSamples] as Samples<unknown>;
  return fc.sample(from, { seed: 1, numRuns: 400 });
}

it.each(Object.keys(ops))('%s has samples without end', (name) => {
  expect(samplesOf(name)).toHaveLength(400);
});

it('an op with a gradient has samples of inputs without elements', () => {
  const never = Object.entries(ops)
    .filter(([, { vjp }]) => vjp !== null)
    .filter(
      ([name]) =>
        !samplesOf(name).some(({ ins }) =>
          ins.some(({ shape, kind }) => kind === 'float' && sizeOf(shape) === 0),
        ),
    );
  expect(never.map(([name]) => name)).toEqual([]);
});
