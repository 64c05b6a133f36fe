import { broadcastShapes, ValueError } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  at,
  bool,
  broadcastable,
  f32,
  f64,
  i32,
  indices,
  law,
  run,
  special,
  tensors,
} from './reference-harness';

const binary = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  maximum: (a: number, b: number) => Math.max(a, b),
  minimum: (a: number, b: number) => Math.min(a, b),
  atan2: (a: number, b: number) => Math.atan2(a, b),
} as const;
const compare = {
  eq: (a: number, b: number) => a === b,
  ne: (a: number, b: number) => a !== b,
  lt: (a: number, b: number) => a < b,
  le: (a: number, b: number) => a <= b,
  gt: (a: number, b: number) => a > b,
  ge: (a: number, b: number) => a >= b,
} as const;
const names = <T extends object>(table: T): (keyof T)[] => Object.keys(table) as (keyof T)[];

const pair = (dtype: 'f32' | 'f64' | 'bool') =>
  broadcastable(2).chain(([a, b]) =>
    fc.tuple(tensors(dtype, fc.constant(a!)), tensors(dtype, fc.constant(b!))),
  );

describe('binary ops', () => {
  it.each(names(binary))('%s broadcasts as NumPy does', (op) => {
    fc.assert(
      fc.property(pair('f64'), ([a, b]) => {
        const shape = broadcastShapes(a.shape, b.shape)!;
        const [got] = run(op, [a, b], [{ shape, dtype: 'f64' }], {});
        expect(got).toEqual(indices(shape).map((i) => binary[op](at(a, i), at(b, i))));
      }),
      law(60),
    );
  });

  it.each(names(binary))('%s of f32 is the double result rounded once', (op) => {
    fc.assert(
      fc.property(pair('f32'), ([a, b]) => {
        const shape = broadcastShapes(a.shape, b.shape)!;
        const [got] = run(op, [a, b], [{ shape, dtype: 'f32' }], {});
        expect(got).toEqual(indices(shape).map((i) => Math.fround(binary[op](at(a, i), at(b, i)))));
      }),
      law(30),
    );
  });

  it.each(names(binary))('%s takes every pair of special values', (op) => {
    const n = special.length;
    const a = f64([n, 1], special);
    const b = f64([n], special);
    const [got] = run(op, [a, b], [{ shape: [n, n], dtype: 'f64' }], {});
    expect(got).toEqual(special.flatMap((x) => special.map((y) => binary[op](x, y))));
  });

  it('maximum and minimum order the zeros and let NaN win', () => {
    const a = f64([4], [0, -0, Number.NaN, 1]);
    const b = f64([4], [-0, 0, 1, Number.NaN]);
    const out = [{ shape: [4], dtype: 'f64' as const }];
    expect(run('maximum', [a, b], out, {})[0]).toEqual([0, 0, Number.NaN, Number.NaN]);
    expect(run('minimum', [a, b], out, {})[0]).toEqual([-0, -0, Number.NaN, Number.NaN]);
  });

  it('i32 wraps, truncates and takes the sign of the divisor', () => {
    const out = [{ shape: [2], dtype: 'i32' as const }];
    const big = i32([2], [2147483647, -2147483648]);
    const of = (x: number, y: number) => i32([2], [x, y]);
    expect(run('add', [big, of(1, -1)], out, {})[0]).toEqual([-2147483648, 2147483647]);
    expect(run('mul', [of(123456789, -7), of(987654321, 3)], out, {})[0]).toEqual([
      Math.imul(123456789, 987654321),
      -21,
    ]);
    expect(run('div', [of(-7, 7), of(2, -2)], out, {})[0]).toEqual([-3, -3]);
    expect(run('div', [big, of(1, -1)], out, {})[0]).toEqual([2147483647, -2147483648]);
    expect(run('remainder', [of(-7, 7), of(3, -3)], out, {})[0]).toEqual([2, -2]);
  });

  it.each(['div', 'remainder'] as const)('i32 %s by zero throws and writes nothing', (op) => {
    const call = () => run(op, [i32([2], [1, 2]), i32([2], [1, 0])], [i32([2], [0, 0])], {});
    expect(call).toThrow(ValueError);
    expect(call).toThrow(expect.objectContaining({ op }));
    // Nothing is divided when nothing is there.
    expect(run(op, [i32([0], []), i32([1], [0])], [i32([0], [])], {})).toEqual([[]]);
  });
});

describe('comparisons and logic', () => {
  it.each(names(compare))('%s takes every pair of special values', (op) => {
    const n = special.length;
    const inputs = [f64([n, 1], special), f64([n], special)];
    const [got] = run(op, inputs, [{ shape: [n, n], dtype: 'bool' }], {});
    expect(got).toEqual(special.flatMap((x) => special.map((y) => Number(compare[op](x, y)))));
  });

  it('logic is that of Boole', () => {
    fc.assert(
      fc.property(pair('bool'), ([a, b]) => {
        const shape = broadcastShapes(a.shape, b.shape)!;
        const out = [{ shape, dtype: 'bool' as const }];
        const [and, or, xor] = [
          run('and', [a, b], out, {})[0]!,
          run('or', [a, b], out, {})[0]!,
          run('xor', [a, b], out, {})[0]!,
        ];
        for (const [o, i] of indices(shape).entries()) {
          expect([and[o], or[o], xor[o]]).toEqual([
            at(a, i) & at(b, i),
            at(a, i) | at(b, i),
            at(a, i) ^ at(b, i),
          ]);
        }
      }),
      law(40),
    );
    expect(run('not', [bool([2], [0, 1])], [bool([2], [0, 0])], {})[0]).toEqual([1, 0]);
  });

  it('tests see NaN and infinities', () => {
    const x = f32([4], [Number.NaN, Infinity, -Infinity, 1]);
    const out = [{ shape: [4], dtype: 'bool' as const }];
    expect(run('isNaN', [x], out, {})[0]).toEqual([1, 0, 0, 0]);
    expect(run('isInf', [x], out, {})[0]).toEqual([0, 1, 1, 0]);
    expect(run('isFinite', [x], out, {})[0]).toEqual([0, 0, 0, 1]);
  });
});

describe('unary ops', () => {
  const unary = {
    neg: (x: number) => -x,
    abs: Math.abs,
    sign: Math.sign,
    exp: Math.exp,
    expm1: Math.expm1,
    log: Math.log,
    log1p: Math.log1p,
    sqrt: Math.sqrt,
    rsqrt: (x: number) => 1 / Math.sqrt(x),
    reciprocal: (x: number) => 1 / x,
    square: (x: number) => x * x,
    sin: Math.sin,
    cos: Math.cos,
    tanh: Math.tanh,
    floor: Math.floor,
    ceil: Math.ceil,
    relu: (x: number) => Math.max(x, 0),
  } as const;

  it.each(names(unary))('%s takes special values in f64 and f32', (op) => {
    const shape = [special.length];
    expect(run(op, [f64(shape, special)], [{ shape, dtype: 'f64' }], {})[0]).toEqual(
      special.map(unary[op]),
    );
    const narrow = special.map(Math.fround);
    expect(run(op, [f32(shape, special)], [{ shape, dtype: 'f32' }], {})[0]).toEqual(
      narrow.map((x) => Math.fround(unary[op](x))),
    );
  });

  it('takes scalars and tensors without elements', () => {
    expect(run('exp', [f32([], [0])], [f32([], [9])], {})).toEqual([[1]]);
    expect(run('exp', [f32([2, 0], [])], [f32([2, 0], [])], {})).toEqual([[]]);
  });

  it('i32 stays in 32 bits', () => {
    const x = i32([4], [-2147483648, -5, 0, 123456789]);
    const out = [{ shape: [4], dtype: 'i32' as const }];
    expect(run('neg', [x], out, {})[0]).toEqual([-2147483648, 5, 0, -123456789]);
    expect(run('abs', [x], out, {})[0]).toEqual([-2147483648, 5, 0, 123456789]);
    expect(run('sign', [x], out, {})[0]).toEqual([-1, -1, 0, 1]);
    expect(run('square', [x], out, {})[0]).toEqual([0, 25, 0, Math.imul(123456789, 123456789)]);
    expect(run('relu', [x], out, {})[0]).toEqual([0, 0, 0, 123456789]);
  });
});
