/** Extremes, products, scans and order along axes. */
import { apply1 } from '../apply';
import { type Aval, showAval } from '../dtype';
import { DTypeError, ShapeError } from '../errors';
import type { Op } from '../op';
import { normalizeAxes, normalizeAxis, wantFloat, wantInteger } from '../shape-rules';
import { stopGradient } from '../stop-gradient';
import type { Tensor } from '../tensor';
import { add, div, log, mul, sub } from './arithmetic';
import { iota } from './create';
import { gather } from './index-ops';
import {
  broadcastTo,
  cast,
  expandReduced,
  permute,
  type ReduceOptions,
  reducedShape,
  reshape,
  squeeze,
  sum,
  transpose,
  unsqueeze,
} from './linear';
import { and, eq, gt, isInfOf, isNaNOf, le, or, where } from './select';
import { narrow } from './shape';
import { exp, sqrt } from './unary';
import { tidy } from '../scope';

type AxesArg = number | readonly number[] | null;

function extremeRules(name: 'max' | 'min'): Omit<Op<'max'>, 'name'> {
  return {
    infer([x], { axes, keepDims }) {
      wantNumber(name, x!);
      wantElements(name, x!, axes);
      return [{ shape: reducedShape(x!.shape, axes, keepDims), dtype: x!.dtype }];
    },
    saveIns: 'all',
    saveOuts: 'all',
    // the gradient is split evenly among ties
    vjp: ({ ins, outs, cts, attrs }) => {
      const x = ins[0]!;
      const y = expandReduced(outs[0]!, x.shape, attrs.axes);
      const hit = cast(or(eq(x, y), and(isNaNOf(x), isNaNOf(y))), x.dtype);
      const ties = expandReduced(sum(hit, attrs.axes), x.shape, attrs.axes);
      return [mul(expandReduced(cts[0]!, x.shape, attrs.axes), div(hit, ties))];
    },
  };
}

export const maxOp: Op<'max'> = { name: 'max', ...extremeRules('max') };
export const minOp: Op<'min'> = { name: 'min', ...extremeRules('min') };

export const prodOp: Op<'prod'> = {
  name: 'prod',
  infer([x], { axes, keepDims }) {
    wantNumber('prod', x!);
    return [{ shape: reducedShape(x!.shape, axes, keepDims), dtype: x!.dtype }];
  },
  // d prod: the product of the others, without dividing, so that zeros are exact
  vjp: ({ ins, cts, attrs }) => {
    const x = ins[0]!;
    return [mul(expandReduced(cts[0]!, x.shape, attrs.axes), othersProduct(x, attrs.axes))];
  },
};

/** For each element the product of the others along the reduced axes. */
function othersProduct(x: Tensor, axes: readonly number[]): Tensor {
  const rest = x.shape.flatMap((_, i) => (axes.includes(i) ? [] : [i]));
  const order = [...rest, ...axes];
  const n = axes.reduce((k, a) => k * x.shape[a]!, 1);
  const outer = rest.reduce((k, a) => k * x.shape[a]!, 1);
  const rows = reshape(permute(x, order), [outer, 1, n]);
  const diagonal = eq(unsqueeze(iota(n), 1), iota(n)); // [n, n]
  const others = prod(where(diagonal, 1, broadcastTo(rows, [outer, n, n])), 2); // [outer, n]
  const back = order.map((_, i) => order.indexOf(i));
  return permute(
    reshape(
      others,
      order.map((a) => x.shape[a]!),
    ),
    back,
  );
}

function indexRules(name: 'argmax' | 'argmin'): Omit<Op<'argmax'>, 'name'> {
  return {
    infer([x], { axis }) {
      wantNumber(name, x!);
      wantElements(name, x!, [axis]);
      return [{ shape: x!.shape.filter((_, i) => i !== axis), dtype: 'i32' }];
    },
    vjp: null,
  };
}

export const argmaxOp: Op<'argmax'> = { name: 'argmax', ...indexRules('argmax') };
export const argminOp: Op<'argmin'> = { name: 'argmin', ...indexRules('argmin') };

export const argsortOp: Op<'argsort'> = {
  name: 'argsort',
  infer([x]) {
    wantNumber('argsort', x!);
    return [{ shape: x!.shape, dtype: 'i32' }];
  },
  vjp: null,
};

export const cumsumOp: Op<'cumsum'> = {
  name: 'cumsum',
  infer([x]) {
    wantNumber('cumsum', x!);
    return [{ shape: x!.shape, dtype: x!.dtype }];
  },
  saveIns: 'none',
  vjp: ({ cts, attrs }) => [apply1(cumsumOp, [cts[0]!], { ...attrs, reverse: !attrs.reverse })],
};

function wantNumber(op: string, x: Aval): void {
  if (x.dtype === 'bool') {
    throw new DTypeError(op, `${showAval(x)} is bool: convert it with .cast('i32')`, ['bool']);
  }
}

function wantElements(op: string, x: Aval, axes: readonly number[]): void {
  if (axes.some((a) => x.shape[a] === 0)) {
    throw new ShapeError(op, `no elements along axes [${axes}] of ${showAval(x)}`, [x.shape]);
  }
}

function reduceArgs(
  op: string,
  x: Tensor,
  axes: AxesArg,
  options: ReduceOptions,
): {
  axes: number[];
  keepDims: boolean;
} {
  return { axes: normalizeAxes(op, axes, x.shape), keepDims: options.keepDims ?? false };
}

/** Largest value over axes (all by default); NaN wins, ties share the gradient. @throws ShapeError for no elements */
export function max(x: Tensor, axes: AxesArg = null, options: ReduceOptions = {}): Tensor {
  return apply1(maxOp, [x], reduceArgs('max', x, axes, options));
}

/** Smallest value over axes (all by default). @throws ShapeError for no elements */
export function min(x: Tensor, axes: AxesArg = null, options: ReduceOptions = {}): Tensor {
  return apply1(minOp, [x], reduceArgs('min', x, axes, options));
}

/** Product over axes (all by default). */
export function prod(x: Tensor, axes: AxesArg = null, options: ReduceOptions = {}): Tensor {
  return apply1(prodOp, [x], reduceArgs('prod', x, axes, options));
}

/** Arithmetic mean over axes (all by default); NaN of nothing. @throws DTypeError for integers */
export function mean(x: Tensor, axes: AxesArg = null, options: ReduceOptions = {}): Tensor {
  return tidy(() => {
    wantFloat('mean', x);
    const list = normalizeAxes('mean', axes, x.shape);
    const n = list.reduce((k, a) => k * x.shape[a]!, 1);
    return div(sum(x, list, options), n);
  });
}

/** Variance over axes, divided by n - correction (1). @throws DTypeError for integers */
export function variance(
  x: Tensor,
  axes: AxesArg = null,
  options: ReduceOptions & { readonly correction?: number } = {},
): Tensor {
  return tidy(() => {
    wantFloat('variance', x);
    const list = normalizeAxes('variance', axes, x.shape);
    const n = list.reduce((k, a) => k * x.shape[a]!, 1);
    const centred = sub(x, mean(x, list, { keepDims: true }));
    return div(
      sum(mul(centred, centred), list, options),
      Math.max(0, n - (options.correction ?? 1)),
    );
  });
}

/** Standard deviation over axes. @throws DTypeError for integers */
export function std(
  x: Tensor,
  axes: AxesArg = null,
  options: ReduceOptions & { readonly correction?: number } = {},
): Tensor {
  return tidy(() => {
    return sqrt(variance(x, axes, options));
  });
}

/** log sum exp over axes, without overflow; -inf of nothing but -inf. @throws DTypeError for integers */
export function logSumExp(x: Tensor, axes: AxesArg = null, options: ReduceOptions = {}): Tensor {
  return tidy(() => {
    wantFloat('logSumExp', x);
    const list = normalizeAxes('logSumExp', axes, x.shape);
    const top = max(stopGradient(x), list, { keepDims: true });
    const shift = where(isInfOf(top), 0, top);
    const summed = add(log(sum(exp(sub(x, shift)), list, { keepDims: true })), shift);
    return options.keepDims ? summed : squeeze(summed, list);
  });
}

/** True where any element along the axes is. */
export function any(x: Tensor, axes: AxesArg = null, options: ReduceOptions = {}): Tensor {
  return tidy(() => {
    return gt(sum(cast(x, 'i32'), axes, options), 0);
  });
}

/** True where all elements along the axes are. */
export function all(x: Tensor, axes: AxesArg = null, options: ReduceOptions = {}): Tensor {
  return tidy(() => {
    return eq(sum(cast(eq(cast(x, 'i32'), 0), 'i32'), axes, options), 0);
  });
}

/** Index of the largest element: i32, first of a tie; over all elements when axis is null. @throws ShapeError for no elements */
export function argmax(x: Tensor, axis: number | null = null, options: ReduceOptions = {}): Tensor {
  return argExtreme(argmaxOp, x, axis, options);
}

/** Index of the smallest element: i32, first of a tie. @throws ShapeError for no elements */
export function argmin(x: Tensor, axis: number | null = null, options: ReduceOptions = {}): Tensor {
  return argExtreme(argminOp, x, axis, options);
}

function argExtreme(
  op: Op<'argmax'> | Op<'argmin'>,
  x: Tensor,
  axis: number | null,
  options: ReduceOptions,
): Tensor {
  return tidy(() => {
    const source = axis === null ? reshape(x, [x.size]) : x;
    const attrs = { axis: axis === null ? 0 : normalizeAxis(op.name, axis, x.shape) };
    const y = op.name === 'argmax' ? apply1(op, [source], attrs) : apply1(op, [source], attrs);
    if (!options.keepDims) return y;
    return reshape(
      y,
      axis === null ? x.shape.map(() => 1) : reducedShape(x.shape, [attrs.axis], true),
    );
  });
}

/** Indices that sort an axis, i32; stable, NaN counts as largest. @throws ShapeError */
export function argsort(
  x: Tensor,
  axis = -1,
  options: { readonly descending?: boolean } = {},
): Tensor {
  return apply1(argsortOp, [x], {
    axis: normalizeAxis('argsort', axis, x.shape),
    descending: options.descending ?? false,
  });
}

/** Sorted values and their indices. @throws ShapeError */
export function sort(
  x: Tensor,
  axis = -1,
  options: { readonly descending?: boolean } = {},
): readonly [values: Tensor, indices: Tensor] {
  return tidy(() => {
    const order = argsort(x, axis, options);
    return [gather(x, order, axis), order];
  });
}

/** The k largest (or smallest) values along an axis in order, and their indices. @throws ShapeError, ValueError */
export function topK(
  x: Tensor,
  k: number,
  options: { readonly axis?: number; readonly largest?: boolean } = {},
): readonly [values: Tensor, indices: Tensor] {
  return tidy(() => {
    const axis = normalizeAxis('topK', options.axis ?? -1, x.shape);
    wantInteger('topK', 'k', k, 0, x.shape[axis]!);
    const order = narrow(argsort(x, axis, { descending: options.largest ?? true }), axis, 0, k);
    return [gather(x, order, axis), order];
  });
}

/** Running sum along an axis. @throws ShapeError, DTypeError for bools */
export function cumsum(
  x: Tensor,
  axis: number,
  options: { readonly reverse?: boolean } = {},
): Tensor {
  return apply1(cumsumOp, [x], {
    axis: normalizeAxis('cumsum', axis, x.shape),
    reverse: options.reverse ?? false,
  });
}

/** Running product along an axis, exact gradients at zeros: O(n²) in that axis. @throws ShapeError */
export function cumprod(x: Tensor, axis: number): Tensor {
  return tidy(() => {
    const a = normalizeAxis('cumprod', axis, x.shape);
    const last = transpose(x, a, -1); // [..., n]
    const n = last.shape.at(-1)!;
    const reached = le(iota(n), unsqueeze(iota(n), 1)); // [n, n]: j <= i
    const rows = broadcastTo(unsqueeze(last, -2), [...last.shape, n]);
    return transpose(prod(where(reached, rows, 1), -1), a, -1);
  });
}

/** Euclidean norm over axes; gradient 0 at the zero vector. */
export function norm(x: Tensor, axes: AxesArg = null, options: ReduceOptions = {}): Tensor {
  return tidy(() => {
    const squares = sum(mul(x, x), axes, options);
    const zero = eq(squares, 0);
    return where(zero, 0, sqrt(where(zero, 1, squares)));
  });
}
