/** Samples of elementwise ops. */
import * as fc from 'fast-check';
import type {
  BinaryAttrs,
  CompareAttrs,
  LogicAttrs,
  None,
  TestAttrs,
  UnaryAttrs,
} from '../../attrs';
import {
  bools,
  broadcastPair,
  divisor,
  floats,
  grid,
  integers,
  numbers,
  positive,
  quarterGrid,
  shapes,
  special,
} from '../values';
import { type Samples, sample } from './sample';

/** Two broadcasting operands, floats or (where it is allowed) i32. */
function pairs(
  a: fc.Arbitrary<number>,
  b: fc.Arbitrary<number>,
  divisors: fc.Arbitrary<number> | null,
): Samples<None> {
  return broadcastPair().chain(([x, y]) => {
    const real = fc.tuple(floats(x, a), floats(y, b));
    const whole = divisors === null ? real : fc.tuple(integers(x), integers(y, divisors));
    return fc
      .oneof({ weight: 3, arbitrary: real }, { weight: 1, arbitrary: whole })
      .map((ins) => sample(ins, {}));
  });
}

const anyInteger = fc.integer({ min: -5, max: 5 });
const nonZero = anyInteger.filter((n) => n !== 0);

export const binarySamples: { readonly [N in keyof BinaryAttrs]: Samples<BinaryAttrs[N]> } = {
  add: pairs(grid, grid, anyInteger),
  sub: pairs(grid, grid, anyInteger),
  mul: pairs(grid, grid, anyInteger),
  div: pairs(grid, divisor, nonZero),
  maximum: pairs(grid, quarterGrid, anyInteger),
  minimum: pairs(grid, quarterGrid, anyInteger),
  pow: pairs(positive, grid, null),
  atan2: pairs(grid, grid, null),
  remainder: pairs(grid, divisor, nonZero),
};

const compared: Samples<None> = broadcastPair().chain(([x, y]) =>
  fc
    .oneof(
      { weight: 3, arbitrary: fc.tuple(floats(x, special), floats(y, special)) },
      { weight: 1, arbitrary: fc.tuple(integers(x), integers(y)) },
    )
    .map((ins) => sample(ins, {})),
);

export const compareSamples: { readonly [N in keyof CompareAttrs]: Samples<CompareAttrs[N]> } = {
  eq: compared,
  ne: compared,
  lt: compared,
  le: compared,
  gt: compared,
  ge: compared,
};

const logical: Samples<None> = broadcastPair().chain(([x, y]) =>
  fc.tuple(bools(x), bools(y)).map((ins) => sample(ins, {})),
);

export const logicSamples: { readonly [N in keyof LogicAttrs]: Samples<LogicAttrs[N]> } = {
  and: logical,
  or: logical,
  xor: logical,
  not: shapes().chain((s) => bools(s).map((x) => sample([x], {}))),
};

const of = (element: fc.Arbitrary<number>): Samples<None> =>
  shapes().chain((s) => floats(s, element).map((x) => sample([x], {})));

const ofNumbers: Samples<None> = shapes().chain((s) => numbers(s).map((x) => sample([x], {})));

export const unarySamples: { readonly [N in keyof UnaryAttrs]: Samples<UnaryAttrs[N]> } = {
  neg: ofNumbers,
  abs: ofNumbers,
  sign: ofNumbers,
  square: ofNumbers,
  relu: ofNumbers,
  exp: of(grid),
  expm1: of(grid),
  log: of(positive),
  log1p: of(positive),
  sqrt: of(positive),
  rsqrt: of(positive),
  reciprocal: of(divisor),
  sin: of(grid),
  cos: of(grid),
  tanh: of(grid),
  sigmoid: of(grid),
  softplus: of(grid),
  erf: of(grid),
  floor: of(grid),
  ceil: of(grid),
  round: of(grid.map((x) => x * 4)),
};

export const testSamples: { readonly [N in keyof TestAttrs]: Samples<TestAttrs[N]> } = {
  isNaN: of(special),
  isInf: of(special),
  isFinite: of(special),
};
