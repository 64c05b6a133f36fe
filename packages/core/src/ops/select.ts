/** Comparisons, logic and choice. */
import { apply1 } from '../apply';
import type { BinaryAttrs, CompareAttrs, LogicAttrs, OpAttrs, TestAttrs } from '../attrs';
import { type FloatDType, showAval } from '../dtype';
import { DTypeError } from '../errors';
import type { Op } from '../op';
import { broadcast, sameDType, wantDType, wantFloat } from '../shape-rules';
import { withBackend } from '../runtime';
import type { Tensor } from '../tensor';
import { full } from './create';
import { sumTo } from './linear';

/** A tensor, or a number that becomes a scalar of the other side's dtype. */
export type Operand = Tensor | number;

/** Two operands as tensors of one dtype. */
function lift(op: string, a: Operand, b: Operand): readonly [Tensor, Tensor] {
  if (typeof a === 'number') {
    if (typeof b === 'number')
      throw new DTypeError(op, 'both sides are numbers: one must be a tensor');
    return [scalarLike(a, b), b];
  }
  return typeof b === 'number' ? [a, scalarLike(b, a)] : [a, b];
}

/** A scalar of a tensor's dtype, on its backend. */
function scalarLike(value: number, like: Tensor): Tensor {
  return withBackend(like.backend, () => full([], value, { dtype: like.dtype }));
}

/** Runs an op of two operands; a scalar made of a number does not outlive it. */
export function pairwise<N extends keyof BinaryAttrs | keyof CompareAttrs>(
  op: Op<N>,
  attrs: OpAttrs[N],
  a: Operand,
  b: Operand,
): Tensor {
  const [x, y] = lift(op.name, a, b);
  try {
    return apply1(op, [x, y], attrs);
  } finally {
    if (x !== a) x.dispose();
    if (y !== b) y.dispose();
  }
}

function compareOp<N extends keyof CompareAttrs>(name: N): Op<N> {
  const infer: Op['infer'] = (ins) => {
    sameDType(name, ins);
    return [{ shape: broadcast(name, ...ins), dtype: 'bool' }];
  };
  return { name, infer, vjp: null, elementwise: true };
}

function logicOp<N extends keyof LogicAttrs>(name: N): Op<N> {
  const infer: Op['infer'] = (ins) => {
    for (const x of ins) wantDType(name, 'input', x, 'bool');
    return [{ shape: broadcast(name, ...ins), dtype: 'bool' }];
  };
  return { name, infer, vjp: null, elementwise: true };
}

function testOp<N extends keyof TestAttrs>(name: N): Op<N> {
  const infer: Op['infer'] = ([x]) => {
    wantFloat(name, x!);
    return [{ shape: x!.shape, dtype: 'bool' }];
  };
  return { name, infer, vjp: null, elementwise: true };
}

export const eqOp: Op<'eq'> = compareOp('eq');
export const neOp: Op<'ne'> = compareOp('ne');
export const ltOp: Op<'lt'> = compareOp('lt');
export const leOp: Op<'le'> = compareOp('le');
export const gtOp: Op<'gt'> = compareOp('gt');
export const geOp: Op<'ge'> = compareOp('ge');
export const andOp: Op<'and'> = logicOp('and');
export const orOp: Op<'or'> = logicOp('or');
export const xorOp: Op<'xor'> = logicOp('xor');
export const notOp: Op<'not'> = logicOp('not');
export const isNaNOp: Op<'isNaN'> = testOp('isNaN');
export const isInfOp: Op<'isInf'> = testOp('isInf');
export const isFiniteOp: Op<'isFinite'> = testOp('isFinite');

export const whereOp: Op<'where'> = {
  name: 'where',
  elementwise: true,
  infer([cond, a, b]) {
    wantDType('where', 'the condition', cond!, 'bool');
    if (a!.dtype !== b!.dtype) {
      throw new DTypeError(
        'where',
        `the choices are ${showAval(a!)} and ${showAval(b!)}: cast one`,
        [a!.dtype, b!.dtype],
      );
    }
    return [{ shape: broadcast('where', cond!, a!, b!), dtype: a!.dtype }];
  },
  saveIns: [0],
  vjp: ({ ins, cts, needs }) => {
    const [cond, a, b] = ins;
    const ct = cts[0]!;
    const none = full([], 0, { dtype: ct.dtype as FloatDType });
    return [
      null,
      needs[1] ? sumTo(where(cond!, ct, none), a!.shape) : null,
      needs[2] ? sumTo(where(cond!, none, ct), b!.shape) : null,
    ];
  },
};

/** Elementwise `a === b`, as bool. */
export function eq(a: Operand, b: Operand): Tensor {
  return pairwise(eqOp, {}, a, b);
}
/** Elementwise `a !== b`; true where either is NaN. */
export function ne(a: Operand, b: Operand): Tensor {
  return pairwise(neOp, {}, a, b);
}
/** Elementwise `a < b`, as bool; false where either is NaN. */
export function lt(a: Operand, b: Operand): Tensor {
  return pairwise(ltOp, {}, a, b);
}
/** Elementwise `a <= b`, as bool; false where either is NaN. */
export function le(a: Operand, b: Operand): Tensor {
  return pairwise(leOp, {}, a, b);
}
/** Elementwise `a > b`, as bool; false where either is NaN. */
export function gt(a: Operand, b: Operand): Tensor {
  return pairwise(gtOp, {}, a, b);
}
/** Elementwise `a >= b`, as bool; false where either is NaN. */
export function ge(a: Operand, b: Operand): Tensor {
  return pairwise(geOp, {}, a, b);
}
/** Logical and of bools, broadcast. */
export function and(a: Tensor, b: Tensor): Tensor {
  return apply1(andOp, [a, b], {});
}
/** Logical or of bools, broadcast. @throws DTypeError, ShapeError */
export function or(a: Tensor, b: Tensor): Tensor {
  return apply1(orOp, [a, b], {});
}
/** Exclusive or of bools, broadcast. @throws DTypeError, ShapeError */
export function xor(a: Tensor, b: Tensor): Tensor {
  return apply1(xorOp, [a, b], {});
}
/** Logical not of a bool tensor. @throws DTypeError */
export function not(x: Tensor): Tensor {
  return apply1(notOp, [x], {});
}
/** Elementwise: NaN, as bool. @throws DTypeError unless x is floating point */
export function isNaNOf(x: Tensor): Tensor {
  return apply1(isNaNOp, [x], {});
}
/** Elementwise: +∞ or −∞, as bool. @throws DTypeError unless x is floating point */
export function isInfOf(x: Tensor): Tensor {
  return apply1(isInfOp, [x], {});
}
/** Elementwise: neither NaN nor infinite, as bool. @throws DTypeError unless x is floating point */
export function isFiniteOf(x: Tensor): Tensor {
  return apply1(isFiniteOp, [x], {});
}

/** `a` where the condition holds, `b` elsewhere; all three broadcast. @throws ShapeError, DTypeError */
export function where(cond: Tensor, a: Operand, b: Operand): Tensor {
  const [x, y] = lift('where', a, b);
  try {
    return apply1(whereOp, [cond, x, y], {});
  } finally {
    if (x !== a) x.dispose();
    if (y !== b) y.dispose();
  }
}
