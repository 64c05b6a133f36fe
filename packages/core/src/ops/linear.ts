/** Reshape, permute, broadcast, sum, cast: linear ops whose gradients are each other. */
import { apply1 } from '../apply';
import {
  broadcastShapes,
  type DType,
  isFloat,
  sameShape,
  type Shape,
  showAval,
  sizeOf,
} from '../dtype';
import { DTypeError, ShapeError } from '../errors';
import type { Op } from '../op';
import { checkShape, normalizeAxes, normalizeAxis } from '../shape-rules';
import type { Tensor } from '../tensor';

export const reshapeOp: Op<'reshape'> = {
  name: 'reshape',
  infer([x], { shape }) {
    checkShape('reshape', shape);
    if (sizeOf(shape) !== sizeOf(x!.shape)) {
      throw new ShapeError(
        'reshape',
        `${showAval(x!)} has ${sizeOf(x!.shape)} elements, [${shape}] has ${sizeOf(shape)}`,
        [x!.shape, shape],
      );
    }
    return [{ shape, dtype: x!.dtype }];
  },
  saveIns: 'none',
  vjp: ({ ins, cts }) => [reshape(cts[0]!, ins[0]!.shape)],
  viewOffset: () => 0,
};

export const permuteOp: Op<'permute'> = {
  name: 'permute',
  infer([x], { axes }) {
    const { shape, dtype } = x!;
    if (axes.length !== shape.length || new Set(axes).size !== axes.length) {
      throw new ShapeError(
        'permute',
        `axes [${axes}] are not an order of the axes of ${showAval(x!)}`,
        [shape],
      );
    }
    return [{ shape: axes.map((a) => shape[normalizeAxis('permute', a, shape)]!), dtype }];
  },
  saveIns: 'none',
  vjp: ({ cts, attrs }) => {
    const inverse = new Array<number>(attrs.axes.length);
    attrs.axes.forEach((a, i) => {
      inverse[a] = i;
    });
    return [permute(cts[0]!, inverse)];
  },
};

export const broadcastToOp: Op<'broadcastTo'> = {
  name: 'broadcastTo',
  infer([x], { shape }) {
    checkShape('broadcastTo', shape);
    const to = broadcastShapes(x!.shape, shape);
    if (to === null || !sameShape(to, shape)) {
      throw new ShapeError(
        'broadcastTo',
        `${showAval(x!)} does not broadcast to [${shape}]: sizes must match or be 1, from the last axis`,
        [x!.shape, shape],
      );
    }
    return [{ shape, dtype: x!.dtype }];
  },
  saveIns: 'none',
  vjp: ({ ins, cts }) => [sumTo(cts[0]!, ins[0]!.shape)],
};

export const sumOp: Op<'sum'> = {
  name: 'sum',
  infer([x], attrs) {
    if (x!.dtype === 'bool') {
      throw new DTypeError('sum', `${showAval(x!)} cannot be added: convert it with .cast('i32')`, [
        'bool',
      ]);
    }
    return [{ shape: reducedShape(x!.shape, attrs.axes, attrs.keepDims), dtype: x!.dtype }];
  },
  saveIns: 'none',
  // d sum: dy, repeated along the reduced axes
  vjp: ({ ins, cts, attrs }) => [expandReduced(cts[0]!, ins[0]!.shape, attrs.axes)],
};

export const castOp: Op<'cast'> = {
  name: 'cast',
  elementwise: true,
  infer([x], { dtype }) {
    return [{ shape: x!.shape, dtype }];
  },
  saveIns: 'none',
  vjp: ({ ins, cts, attrs }) => [isFloat(attrs.dtype) ? cast(cts[0]!, ins[0]!.dtype) : null],
};

/** The shape after a reduction over non-negative axes. */
export function reducedShape(shape: Shape, axes: readonly number[], keepDims: boolean): number[] {
  return keepDims
    ? shape.map((d, i) => (axes.includes(i) ? 1 : d))
    : shape.filter((_, i) => !axes.includes(i));
}

/** A reduced tensor (axes kept or dropped) repeated to the shape before the reduction. */
export function expandReduced(y: Tensor, shape: Shape, axes: readonly number[]): Tensor {
  return broadcastTo(reshape(y, reducedShape(shape, axes, true)), shape);
}

/** Sums away what broadcasting from `shape` added. */
export function sumTo(x: Tensor, shape: Shape): Tensor {
  if (sameShape(x.shape, shape)) return x;
  const lead = x.shape.length - shape.length;
  const axes = x.shape.flatMap((d, i) =>
    i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : [],
  );
  const summed = axes.length === 0 ? x : sum(x, axes, { keepDims: true });
  return reshape(summed, shape);
}

/** The same elements in another shape, as a view; one size may be -1. @throws ShapeError */
export function reshape(x: Tensor, shape: Shape): Tensor {
  return apply1(reshapeOp, [x], { shape: completeShape(x, shape) });
}

function completeShape(x: Tensor, shape: Shape): number[] {
  const unknown = shape.indexOf(-1);
  if (unknown < 0) return [...shape];
  const known = shape.reduce((n, d, i) => (i === unknown ? n : n * d), 1);
  const fits = shape.every((d, i) => i === unknown || (Number.isInteger(d) && d >= 0));
  if (!fits || known === 0 || x.size % known !== 0) {
    throw new ShapeError(
      'reshape',
      `${showAval(x)} does not fit [${shape}]: one size may be -1, and the others must divide ${x.size}`,
      [x.shape, shape],
    );
  }
  return shape.map((d, i) => (i === unknown ? x.size / known : d));
}

/** Axes in another order; `axes[i]` is the source of output axis i. @throws ShapeError */
export function permute(x: Tensor, axes: readonly number[]): Tensor {
  return apply1(permuteOp, [x], {
    axes: axes.map((a) => normalizeAxis('permute', a, x.shape)),
  });
}

/** Swaps two axes, the last two unless named. @throws ShapeError */
export function transpose(x: Tensor, a = -2, b = -1): Tensor {
  const i = normalizeAxis('transpose', a, x.shape);
  const j = normalizeAxis('transpose', b, x.shape);
  const axes = x.shape.map((_, k) => (k === i ? j : k === j ? i : k));
  return permute(x, axes);
}

/** Repeats axes of size 1 and adds leading axes, by NumPy's rules. @throws ShapeError */
export function broadcastTo(x: Tensor, shape: Shape): Tensor {
  return sameShape(x.shape, shape) ? x : apply1(broadcastToOp, [x], { shape: [...shape] });
}

/** Options of reductions. */
export interface ReduceOptions {
  /** Keep reduced axes as size 1. */
  readonly keepDims?: boolean;
}

/** Sum over axes, all of them by default. @throws ShapeError, DTypeError for bools */
export function sum(
  x: Tensor,
  axes: number | readonly number[] | null = null,
  options: ReduceOptions = {},
): Tensor {
  return apply1(sumOp, [x], {
    axes: normalizeAxes('sum', axes, x.shape),
    keepDims: options.keepDims ?? false,
  });
}

/** Another dtype. Floats to i32 truncate; anything to bool is `!= 0`. */
export function cast(x: Tensor, dtype: DType): Tensor {
  return x.dtype === dtype ? x : apply1(castOp, [x], { dtype });
}

/** Drops axes of size 1: all of them, or the ones named. @throws ShapeError when a named axis is not 1 */
export function squeeze(x: Tensor, axes: number | readonly number[] | null = null): Tensor {
  const drop =
    axes === null
      ? x.shape.flatMap((d, i) => (d === 1 ? [i] : []))
      : normalizeAxes('squeeze', axes, x.shape);
  for (const a of drop) {
    if (x.shape[a] !== 1) {
      throw new ShapeError('squeeze', `axis ${a} of ${showAval(x)} is not 1`, [x.shape]);
    }
  }
  return reshape(
    x,
    x.shape.filter((_, i) => !drop.includes(i)),
  );
}

/** A new axis of size 1 before `axis` of the result. @throws ShapeError */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const shape = [...x.shape];
  const at = normalizeAxis('unsqueeze', axis, [...shape, 1]);
  shape.splice(at, 0, 1);
  return reshape(x, shape);
}

/** Joins the axes from `start` to `end`, both included. @throws ShapeError */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  if (x.rank === 0) return reshape(x, [1]);
  const a = normalizeAxis('flatten', start, x.shape);
  const b = normalizeAxis('flatten', end, x.shape);
  if (a > b) throw new ShapeError('flatten', `axis ${start} comes after ${end}`, [x.shape]);
  return reshape(x, [
    ...x.shape.slice(0, a),
    sizeOf(x.shape.slice(a, b + 1)),
    ...x.shape.slice(b + 1),
  ]);
}
