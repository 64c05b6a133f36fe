/** Binary, comparison, logic, unary and test ops, with NumPy broadcasting. */
import type { Kernels, TypedArray } from '@loretta-ts/core';
import { sameShape, ValueError } from '@loretta-ts/core';
import { erf, pow, remainder, roundHalfEven, sigmoid, softplus } from './math';
import type { PlainKernel, Read } from './strided';
import { broadcastStrides, coalesce, eachRow, innerStrides } from './strided';

type Unary = (x: number) => number;
type Binary = (x: number, y: number) => number;

type BinaryName =
  | 'add'
  | 'sub'
  | 'mul'
  | 'div'
  | 'maximum'
  | 'minimum'
  | 'pow'
  | 'atan2'
  | 'remainder';
type CompareName = 'eq' | 'ne' | 'lt' | 'le' | 'gt' | 'ge';
type LogicName = 'and' | 'or' | 'xor' | 'not';
type UnaryName =
  | 'neg'
  | 'abs'
  | 'sign'
  | 'exp'
  | 'expm1'
  | 'log'
  | 'log1p'
  | 'sqrt'
  | 'rsqrt'
  | 'reciprocal'
  | 'square'
  | 'sin'
  | 'cos'
  | 'tanh'
  | 'sigmoid'
  | 'softplus'
  | 'erf'
  | 'relu'
  | 'floor'
  | 'ceil'
  | 'round';
type TestName = 'isNaN' | 'isInf' | 'isFinite';

const binary: Readonly<Record<BinaryName, Binary>> = {
  add: (x, y) => x + y,
  sub: (x, y) => x - y,
  mul: (x, y) => x * y,
  div: (x, y) => x / y,
  // Math.max and Math.min propagate NaN and order the zeros.
  maximum: (x, y) => Math.max(x, y),
  minimum: (x, y) => Math.min(x, y),
  pow,
  atan2: (x, y) => Math.atan2(x, y),
  remainder,
};

// Stores into Int32Array wrap; only products leave the exact integers of a double before that.
const integerBinary: Readonly<Partial<Record<BinaryName, Binary>>> = {
  mul: (x, y) => Math.imul(x, y),
  div: (x, y) => Math.trunc(x / y),
};

const compare: Readonly<Record<CompareName, Binary>> = {
  eq: (x, y) => (x === y ? 1 : 0),
  ne: (x, y) => (x !== y ? 1 : 0),
  lt: (x, y) => (x < y ? 1 : 0),
  le: (x, y) => (x <= y ? 1 : 0),
  gt: (x, y) => (x > y ? 1 : 0),
  ge: (x, y) => (x >= y ? 1 : 0),
};

const logic: Readonly<Record<Exclude<LogicName, 'not'>, Binary>> = {
  and: (x, y) => (x !== 0 && y !== 0 ? 1 : 0),
  or: (x, y) => (x !== 0 || y !== 0 ? 1 : 0),
  xor: (x, y) => ((x !== 0) !== (y !== 0) ? 1 : 0),
};

const unary: Readonly<Record<UnaryName, Unary>> = {
  neg: (x) => -x,
  abs: (x) => Math.abs(x),
  sign: (x) => Math.sign(x),
  exp: (x) => Math.exp(x),
  expm1: (x) => Math.expm1(x),
  log: (x) => Math.log(x),
  log1p: (x) => Math.log1p(x),
  sqrt: (x) => Math.sqrt(x),
  rsqrt: (x) => 1 / Math.sqrt(x),
  reciprocal: (x) => 1 / x,
  square: (x) => x * x,
  sin: (x) => Math.sin(x),
  cos: (x) => Math.cos(x),
  tanh: (x) => Math.tanh(x),
  sigmoid,
  softplus,
  erf,
  relu: (x) => Math.max(x, 0),
  floor: (x) => Math.floor(x),
  ceil: (x) => Math.ceil(x),
  round: roundHalfEven,
};

const integerUnary: Readonly<Partial<Record<UnaryName, Unary>>> = {
  square: (x) => Math.imul(x, x),
};

const test: Readonly<Record<TestName, Unary>> = {
  isNaN: (x) => (Number.isNaN(x) ? 1 : 0),
  isInf: (x) => (Math.abs(x) === Infinity ? 1 : 0),
  isFinite: (x) => (Number.isFinite(x) ? 1 : 0),
};

function mapInto(out: TypedArray, x: TypedArray, f: Unary): void {
  for (let i = 0; i < out.length; i++) out[i] = f(x[i]!);
}

function unaryKernel(read: Read, f: Unary, integer: Unary = f): PlainKernel {
  return ([x], [out]) => mapInto(read(out!), read(x!), x!.dtype === 'i32' ? integer : f);
}

function zipRow(
  out: TypedArray,
  start: number,
  length: number,
  a: TypedArray,
  startA: number,
  stepA: number,
  b: TypedArray,
  startB: number,
  stepB: number,
  f: Binary,
): void {
  let i = startA;
  let j = startB;
  for (let o = start; o < start + length; o++) {
    out[o] = f(a[i]!, b[j]!);
    i += stepA;
    j += stepB;
  }
}

function binaryKernel(read: Read, f: Binary, integer: Binary = f): PlainKernel {
  return ([a, b], [out]) => {
    const to = read(out!);
    const x = read(a!);
    const y = read(b!);
    const g = a!.dtype === 'i32' ? integer : f;
    if (sameShape(a!.shape, b!.shape)) {
      zipRow(to, 0, to.length, x, 0, 1, y, 0, 1, g);
      return;
    }
    const shape = out!.shape;
    const walk = coalesce(shape, [
      broadcastStrides(a!.shape, shape),
      broadcastStrides(b!.shape, shape),
    ]);
    const [stepA, stepB] = innerStrides(walk) as [number, number];
    let o = 0;
    eachRow(walk, [0, 0], (n, at) => {
      zipRow(to, o, n, x, at[0]!, stepA, y, at[1]!, stepB, g);
      o += n;
    });
  };
}

/** Integers have no infinity to give. */
function refusingZeroDivisor(
  op: 'div' | 'remainder',
  read: Read,
  kernel: PlainKernel,
): PlainKernel {
  return (ins, outs, attrs) => {
    const divisor = ins[1]!;
    if (divisor.dtype === 'i32' && outs[0]!.size > 0 && read(divisor).includes(0)) {
      throw new ValueError(
        op,
        'i32 divisor is 0: cast to a float for infinities or mask the zeros',
      );
    }
    kernel(ins, outs, attrs);
  };
}

function mapTable<K extends string, V>(
  table: Readonly<Record<K, V>>,
  kernel: (entry: V, name: K) => PlainKernel,
): Record<K, PlainKernel> {
  const names = Object.keys(table) as K[];
  return Object.fromEntries(names.map((name) => [name, kernel(table[name], name)])) as Record<
    K,
    PlainKernel
  >;
}

/** Kernels of binary, comparison, logic, unary and test ops. */
export function elementwiseKernels(
  read: Read,
): Pick<Kernels, BinaryName | CompareName | LogicName | UnaryName | TestName> {
  const arithmetic = mapTable(binary, (f, name) => binaryKernel(read, f, integerBinary[name]));
  return {
    ...arithmetic,
    div: refusingZeroDivisor('div', read, arithmetic.div),
    remainder: refusingZeroDivisor('remainder', read, arithmetic.remainder),
    ...mapTable(compare, (f) => binaryKernel(read, f)),
    ...mapTable(logic, (f) => binaryKernel(read, f)),
    not: unaryKernel(read, (x) => (x === 0 ? 1 : 0)),
    ...mapTable(unary, (f, name) => unaryKernel(read, f, integerUnary[name])),
    ...mapTable(test, (f) => unaryKernel(read, f)),
  };
}
