/** Ops that look at the same cell of each input: arithmetic, comparisons, functions of one number. */
import {
  type BinaryAttrs,
  type CompareAttrs,
  type Kernels,
  type LogicAttrs,
  type TestAttrs,
  type UnaryAttrs,
  ValueError,
} from '@loretta-ts/core';
import type { MakeKernel } from './cells';

type UnaryName = keyof UnaryAttrs | keyof TestAttrs | 'not';
type BinaryName = keyof BinaryAttrs | keyof CompareAttrs | Exclude<keyof LogicAttrs, 'not'>;
type Unary = (x: number) => number;
type Binary = (x: number, y: number) => number;

/** 2/√π e^(−x²) Σ 2ⁿ x²ⁿ⁺¹ / (2n + 1)!!: every term has the sign of x, so nothing cancels. */
function erf(x: number): number {
  if (Math.abs(x) > 6) return Math.sign(x);
  let term = x;
  let sum = x;
  for (let n = 1; Math.abs(term) > 1e-17 * Math.abs(sum); n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return ((2 * sum) / Math.sqrt(Math.PI)) * Math.exp(-x * x);
}

/** Halves go to the even neighbour, as in IEEE 754. */
function round(x: number): number {
  return Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x);
}

/** Has the sign of the divisor, as Python's `%`. */
function remainder(x: number, y: number): number {
  const r = x % y;
  return r !== 0 && r < 0 !== y < 0 ? r + y : r;
}

/** Integers have no infinity to give. */
function wantNonZero(op: string, y: number): number {
  if (y === 0) throw new ValueError(op, 'i32 divisor is 0: cast to a float, or mask the zeros');
  return y;
}

/** Kernels of the elementwise ops. */
export function elementwise(kernel: MakeKernel) {
  // i32 takes its own rule where the product or quotient of doubles is another number
  const unary = (f: Unary, integer: Unary = f) =>
    kernel<UnaryName>(([x]) => {
      const g = x!.dtype === 'i32' ? integer : f;
      return (index) => g(x!.at(index));
    });
  const binary = (f: Binary, integer: Binary = f) =>
    kernel<BinaryName>(([x, y]) => {
      const g = x!.dtype === 'i32' ? integer : f;
      return (index) => g(x!.at(index), y!.at(index));
    });
  const test = (f: (x: number, y: number) => boolean) => binary((x, y) => Number(f(x, y)));

  return {
    add: binary((x, y) => x + y),
    sub: binary((x, y) => x - y),
    mul: binary((x, y) => x * y, Math.imul),
    div: binary(
      (x, y) => x / y,
      (x, y) => Math.trunc(x / wantNonZero('div', y)),
    ),
    maximum: binary((x, y) => Math.max(x, y)), // NaN wins, as the op wants it
    minimum: binary((x, y) => Math.min(x, y)),
    pow: binary((x, y) => (x === 1 || (x === -1 && Math.abs(y) === Infinity) ? 1 : x ** y)),
    atan2: binary(Math.atan2),
    remainder: binary(remainder, (x, y) => remainder(x, wantNonZero('remainder', y))),
    eq: test((x, y) => x === y),
    ne: test((x, y) => x !== y),
    lt: test((x, y) => x < y),
    le: test((x, y) => x <= y),
    gt: test((x, y) => x > y),
    ge: test((x, y) => x >= y),
    and: test((x, y) => x !== 0 && y !== 0),
    or: test((x, y) => x !== 0 || y !== 0),
    xor: test((x, y) => x !== y),
    not: unary((x) => Number(x === 0)),
    neg: unary((x) => -x),
    abs: unary(Math.abs),
    sign: unary(Math.sign),
    exp: unary(Math.exp),
    expm1: unary(Math.expm1),
    log: unary(Math.log),
    log1p: unary(Math.log1p),
    sqrt: unary(Math.sqrt),
    rsqrt: unary((x) => 1 / Math.sqrt(x)),
    reciprocal: unary((x) => 1 / x),
    square: unary(
      (x) => x * x,
      (x) => Math.imul(x, x),
    ),
    sin: unary(Math.sin),
    cos: unary(Math.cos),
    tanh: unary(Math.tanh),
    sigmoid: unary((x) => 1 / (1 + Math.exp(-x))),
    softplus: unary((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
    erf: unary(erf),
    relu: unary((x) => Math.max(x, 0)),
    floor: unary(Math.floor),
    ceil: unary(Math.ceil),
    round: unary(round),
    isNaN: unary((x) => Number(Number.isNaN(x))),
    isInf: unary((x) => Number(Math.abs(x) === Infinity)),
    isFinite: unary((x) => Number(Number.isFinite(x))),
  } satisfies Partial<Kernels>;
}
