/** Elementwise arithmetic of two operands, and the three functions of one that its gradients call. */
import { apply1 } from '../apply';
import type { BinaryAttrs } from '../attrs';
import { type Aval, showAval } from '../dtype';
import { DTypeError } from '../errors';
import type { Op, Saved, Vjp } from '../op';
import { broadcast, sameDType, wantFloat } from '../shape-rules';
import type { Tensor } from '../tensor';
import { full } from './create';
import { sumTo } from './linear';
import { and, eq, ge, gt, type Operand, isNaNOf, le, lt, ne, or, pairwise, where } from './select';
import { tidy } from '../scope';

type Pair = readonly [Tensor | null, Tensor | null];

function binaryOp<N extends keyof BinaryAttrs>(
  name: N,
  domain: 'number' | 'float',
  saveIns: Saved,
  /** Cotangents before broadcasting is undone; called only for what is needed. */
  rule: (a: Tensor, b: Tensor, ct: Tensor, needs: readonly boolean[]) => Pair,
): Op<N> {
  const infer = (ins: readonly Aval[]): readonly Aval[] => {
    const dtype = sameDType(name, ins);
    if (domain === 'float') wantFloat(name, ...ins);
    if (dtype === 'bool') {
      throw new DTypeError(
        name,
        `${ins.map(showAval).join(' and ')} are bools: convert them with .cast('i32')`,
        ['bool'],
      );
    }
    return [{ shape: broadcast(name, ...ins), dtype }];
  };
  const vjp: Vjp<BinaryAttrs[N]> = ({ ins, cts, needs }) => {
    const [a, b] = [ins[0]!, ins[1]!];
    const [da, db] = rule(a, b, cts[0]!, needs);
    return [da && sumTo(da, a.shape), db && sumTo(db, b.shape)];
  };
  return { name, infer, vjp, saveIns, elementwise: true };
}

export const addOp: Op<'add'> = binaryOp('add', 'number', 'none', (_a, _b, ct) => [ct, ct]);

export const subOp: Op<'sub'> = binaryOp('sub', 'number', 'none', (_a, _b, ct, needs) => [
  ct,
  needs[1] ? neg(ct) : null,
]);

export const mulOp: Op<'mul'> = binaryOp('mul', 'number', 'all', (a, b, ct, needs) => [
  needs[0] ? mul(ct, b) : null,
  needs[1] ? mul(ct, a) : null,
]);

// d(a/b) = da / b - a db / b^2
export const divOp: Op<'div'> = binaryOp('div', 'number', 'all', (a, b, ct, needs) => [
  needs[0] ? div(ct, b) : null,
  needs[1] ? neg(div(mul(ct, a), mul(b, b))) : null,
]);

/** The share of a maximum or minimum: 1 where it wins, 1/2 at a tie; NaN passes to the side that is NaN. */
function share(wins: Tensor, a: Tensor, b: Tensor, ct: Tensor): Tensor {
  return where(or(wins, isNaNOf(a)), ct, where(eq(a, b), mul(ct, 0.5), 0));
}

export const maximumOp: Op<'maximum'> = binaryOp('maximum', 'number', 'all', (a, b, ct, needs) => [
  needs[0] ? share(gt(a, b), a, b, ct) : null,
  needs[1] ? share(gt(b, a), b, a, ct) : null,
]);

export const minimumOp: Op<'minimum'> = binaryOp('minimum', 'number', 'all', (a, b, ct, needs) => [
  needs[0] ? share(lt(a, b), a, b, ct) : null,
  needs[1] ? share(lt(b, a), b, a, ct) : null,
]);

// d a^b = b a^(b-1) da + a^b log(a) db, with 0 where b = 0, and 0 for db where a = 0 and b >= 0
export const powOp: Op<'pow'> = binaryOp('pow', 'float', 'all', (a, b, ct, needs) => [
  needs[0] ? mul(ct, where(eq(b, 0), 0, mul(b, pow(a, sub(b, 1))))) : null,
  needs[1] ? mul(ct, where(and(eq(a, 0), ge(b, 0)), 0, mul(pow(a, b), log(a)))) : null,
]);

// d atan2(a, b) = (b da - a db) / (a^2 + b^2)
export const atan2Op: Op<'atan2'> = binaryOp('atan2', 'float', 'all', (a, b, ct, needs) => {
  const scaled = div(ct, add(mul(a, a), mul(b, b)));
  return [needs[0] ? mul(scaled, b) : null, needs[1] ? neg(mul(scaled, a)) : null];
});

// a mod b = a - b floor(a / b)
export const remainderOp: Op<'remainder'> = binaryOp(
  'remainder',
  'number',
  'all',
  (a, b, ct, needs) => [ct, needs[1] ? neg(mul(ct, floor(div(a, b)))) : null],
);

export const negOp: Op<'neg'> = {
  name: 'neg',
  elementwise: true,
  infer: ([x]) => {
    if (x!.dtype === 'bool')
      throw new DTypeError('neg', `${showAval(x!)} is bool: use not()`, ['bool']);
    return [{ shape: x!.shape, dtype: x!.dtype }];
  },
  saveIns: 'none',
  vjp: ({ cts }) => [neg(cts[0]!)],
};

export const floorOp: Op<'floor'> = {
  name: 'floor',
  elementwise: true,
  infer: ([x]) => {
    wantFloat('floor', x!);
    return [{ shape: x!.shape, dtype: x!.dtype }];
  },
  saveIns: 'none',
  vjp: () => [null],
};

export const logOp: Op<'log'> = {
  name: 'log',
  elementwise: true,
  infer: ([x]) => {
    wantFloat('log', x!);
    return [{ shape: x!.shape, dtype: x!.dtype }];
  },
  // d log x = dx / x
  vjp: ({ ins, cts }) => [div(cts[0]!, ins[0]!)],
};

/** −x. @throws DTypeError for bools */
export function neg(x: Tensor): Tensor {
  return apply1(negOp, [x], {});
}
/** The largest integer that is not above. @throws DTypeError for integers */
export function floor(x: Tensor): Tensor {
  return apply1(floorOp, [x], {});
}
/** Natural logarithm. @throws DTypeError for integers */
export function log(x: Tensor): Tensor {
  return apply1(logOp, [x], {});
}

/** Sum, broadcast. @throws ShapeError when shapes do not broadcast, DTypeError when dtypes differ */
export function add(a: Operand, b: Operand): Tensor {
  return pairwise(addOp, {}, a, b);
}
/** Difference, broadcast. @throws ShapeError, DTypeError */
export function sub(a: Operand, b: Operand): Tensor {
  return pairwise(subOp, {}, a, b);
}
/** Product, broadcast. @throws ShapeError, DTypeError */
export function mul(a: Operand, b: Operand): Tensor {
  return pairwise(mulOp, {}, a, b);
}
/** Quotient, broadcast; integers truncate towards zero. @throws ShapeError, DTypeError */
export function div(a: Operand, b: Operand): Tensor {
  return pairwise(divOp, {}, a, b);
}
/** The larger of each pair; NaN wins. @throws ShapeError, DTypeError */
export function maximum(a: Operand, b: Operand): Tensor {
  return pairwise(maximumOp, {}, a, b);
}
/** The smaller of each pair; NaN wins. @throws ShapeError, DTypeError */
export function minimum(a: Operand, b: Operand): Tensor {
  return pairwise(minimumOp, {}, a, b);
}
/** Power, by IEEE 754. @throws ShapeError, DTypeError for integers */
export function pow(a: Operand, b: Operand): Tensor {
  return pairwise(powOp, {}, a, b);
}
/** Angle of the point (b, a) in radians. @throws ShapeError, DTypeError */
export function atan2(a: Operand, b: Operand): Tensor {
  return pairwise(atan2Op, {}, a, b);
}
/** Remainder with the sign of the divisor. @throws ShapeError, DTypeError */
export function remainder(a: Operand, b: Operand): Tensor {
  return pairwise(remainderOp, {}, a, b);
}

/** Limits values to [min, max]; the gradient passes at the bounds. NaN stays NaN. @throws DTypeError */
export function clamp(
  x: Tensor,
  bounds: { readonly min?: number | null; readonly max?: number | null },
): Tensor {
  return tidy(() => {
    const { min = null, max = null } = bounds;
    let y = x;
    if (min !== null) y = where(lt(y, min), full([], min, { dtype: x.dtype }), y);
    if (max !== null)
      y = where(le(y, max), y, where(ne(y, y), y, full([], max, { dtype: x.dtype })));
    return y;
  });
}
