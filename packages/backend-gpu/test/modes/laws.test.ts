/** Every kernel gives what the reference gives. */
import type { OpAttrs } from '@loretta-ts/core';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { gpu, supportedOps } from '../../src/index';
import { cases } from './cases';
import { type Case, expectSame } from './harness';
import { mode } from './mode';

fc.configureGlobal({ seed: 20261124 });

type Tested = keyof typeof cases;

/** rtol and atol. Others move, choose or compare values, and are exact. */
const rounding = [4e-6, 4e-6] as const;
const tolerances: Readonly<Partial<Record<Tested, readonly [number, number]>>> = Object.fromEntries(
  (
    [
      ...['div', 'pow', 'atan2', 'remainder', 'exp', 'expm1', 'log', 'log1p', 'sqrt', 'rsqrt'],
      ...['reciprocal', 'sin', 'cos', 'tanh', 'sigmoid', 'softplus', 'erf', 'sum', 'prod'],
      ...['cumsum', 'scatterAdd', 'embeddingGrad', 'matmul', 'fold', 'longConv'],
    ] as Tested[]
  ).map((op) => [op, rounding]),
);
// Sums of 5 terms that may cancel; products of 5 states up to 4 each.
const wide: Readonly<Partial<Record<Tested, readonly [number, number]>>> = {
  fft: [4e-6, 2e-5],
  linearRecurrence: [2e-5, 2e-4],
};

const backend = await gpu({ mode, require: true });
afterAll(() => backend.dispose());

describe(`mode ${mode}`, () => {
  it.each(Object.keys(cases) as Tested[])('%s', async (op) => {
    const before = backend.memory();
    await fc.assert(
      fc.asyncProperty(cases[op] as fc.Arbitrary<Case<OpAttrs[Tested]>>, async (c) => {
        await expectSame(backend, op, c, wide[op] ?? tolerances[op] ?? [0, 0]);
      }),
      { numRuns: mode === 'cpu' || mode === 'webasm' ? 25 : 10 },
    );
    expect(backend.memory().buffers).toBe(before.buffers);
    expect(backend.memory().bytes).toBe(before.bytes);
  });
});

it('has every core op', () => {
  const core = Object.keys(cases);
  expect(
    supportedOps()
      .filter((op) => core.includes(op))
      .sort(),
  ).toEqual(core.sort());
});
