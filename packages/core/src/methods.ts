/** Chained methods of Tensor: each calls the function of the same name. */
import { showAval, type DType, type Shape } from './dtype';
import { ShapeError } from './errors';
import { add, div, log, maximum, minimum, mul, neg, pow, sub } from './ops/arithmetic';
import {
  broadcastTo,
  cast,
  flatten,
  permute,
  type ReduceOptions,
  reshape,
  squeeze,
  sum,
  transpose,
  unsqueeze,
} from './ops/linear';
import { type MatmulOptions, matmul } from './ops/matmul';
import { argmax, argmin, max, mean, min } from './ops/reduce';
import { and, eq, ge, gt, le, lt, ne, not, type Operand, or, xor } from './ops/select';
import { narrow, select, slice } from './ops/shape';
import {
  abs,
  cos,
  exp,
  reciprocal,
  relu,
  rsqrt,
  sigmoid,
  sin,
  sqrt,
  square,
  tanh,
} from './ops/unary';
import { stopGradient } from './stop-gradient';
import { Tensor } from './tensor';

type AxesArg = number | readonly number[] | null;

/** Functions as methods; see the function of each name. */
export interface TensorMethods {
  /** this + b, broadcast. */
  add(b: Operand): Tensor;
  /** this − b, broadcast. */
  sub(b: Operand): Tensor;
  /** this · b elementwise, broadcast. */
  mul(b: Operand): Tensor;
  /** this / b elementwise, broadcast; integers truncate. */
  div(b: Operand): Tensor;
  /** The larger of each two elements; NaN wins. */
  maximum(b: Operand): Tensor;
  /** The smaller of each two elements; NaN wins. */
  minimum(b: Operand): Tensor;
  /** this to the power of b. Floats. */
  pow(b: Operand): Tensor;
  /** −x. */
  neg(): Tensor;
  /** |x|. */
  abs(): Tensor;
  /** e^x. */
  exp(): Tensor;
  /** Natural logarithm. */
  log(): Tensor;
  /** √x. */
  sqrt(): Tensor;
  /** 1 / √x. */
  rsqrt(): Tensor;
  /** 1 / x. */
  reciprocal(): Tensor;
  /** x². */
  square(): Tensor;
  /** Sine of radians. */
  sin(): Tensor;
  /** Cosine of radians. */
  cos(): Tensor;
  /** Hyperbolic tangent. */
  tanh(): Tensor;
  /** 1 / (1 + e^−x). */
  sigmoid(): Tensor;
  /** max(x, 0). */
  relu(): Tensor;
  /** this = b, as bool. */
  eq(b: Operand): Tensor;
  /** this ≠ b, as bool. */
  ne(b: Operand): Tensor;
  /** this < b, as bool. */
  lt(b: Operand): Tensor;
  /** this ≤ b, as bool. */
  le(b: Operand): Tensor;
  /** this > b, as bool. */
  gt(b: Operand): Tensor;
  /** this ≥ b, as bool. */
  ge(b: Operand): Tensor;
  /** Logical and of bools. */
  and(b: Tensor): Tensor;
  /** Logical or of bools. */
  or(b: Tensor): Tensor;
  /** Exclusive or of bools. */
  xor(b: Tensor): Tensor;
  /** Logical not of bools. */
  not(): Tensor;
  /** `[..., m, k] @ [..., k, n] -> [..., m, n]`. */
  matmul(b: Tensor, options?: MatmulOptions): Tensor;
  /** Sum over axes, all by default. */
  sum(axes?: AxesArg, options?: ReduceOptions): Tensor;
  /** Mean over axes, all by default. */
  mean(axes?: AxesArg, options?: ReduceOptions): Tensor;
  /** Maximum over axes, all by default. */
  max(axes?: AxesArg, options?: ReduceOptions): Tensor;
  /** Minimum over axes, all by default. */
  min(axes?: AxesArg, options?: ReduceOptions): Tensor;
  /** i32 index of the maximum along an axis, or of all elements; the first of a tie. */
  argmax(axis?: number | null, options?: ReduceOptions): Tensor;
  /** i32 index of the minimum along an axis, or of all elements; the first of a tie. */
  argmin(axis?: number | null, options?: ReduceOptions): Tensor;
  /** Sizes as arguments or as one array; one may be -1. */
  reshape(...shape: readonly number[] | readonly [Shape]): Tensor;
  /** Axis i of the result is axis `axes[i]`: a copy. */
  permute(...axes: readonly number[]): Tensor;
  /** Two axes exchanged, the last two by default: a copy. */
  transpose(a?: number, b?: number): Tensor;
  /** `sizes` elements of each axis from `starts` by `steps`. */
  slice(starts: readonly number[], sizes: readonly number[], steps?: readonly number[]): Tensor;
  /** `size` elements of one axis from `start`. */
  narrow(axis: number, start: number, size: number): Tensor;
  /** One slice along an axis, without the axis. */
  select(axis: number, index: number): Tensor;
  /** Without axes of size 1, all by default. */
  squeeze(axes?: AxesArg): Tensor;
  /** With a new axis of size 1. */
  unsqueeze(axis: number): Tensor;
  /** Axes from `start` to `end` as one, all by default. */
  flatten(start?: number, end?: number): Tensor;
  /** Repeated along axes of size 1 and new leading axes. */
  broadcastTo(shape: Shape): Tensor;
  /** Converted to another dtype. */
  cast(dtype: DType): Tensor;
  /** The same values; no gradient flows through. */
  stopGradient(): Tensor;
  /** Slices along the first axis. @throws ShapeError for a scalar */
  [Symbol.iterator](): Iterator<Tensor>;
}

type Named = Omit<TensorMethods, 'reshape' | 'permute' | typeof Symbol.iterator>;

/** Functions of a tensor that are its methods as they are. */
const functions: {
  readonly [N in keyof Named]: (x: Tensor, ...args: Parameters<Named[N]>) => Tensor;
} = {
  ...{ add, sub, mul, div, maximum, minimum, pow, neg, log },
  ...{ abs, exp, sqrt, rsqrt, reciprocal, square, sin, cos, tanh, sigmoid, relu },
  ...{ eq, ne, lt, le, gt, ge, and, or, xor, not },
  ...{ matmul, sum, mean, max, min, argmax, argmin },
  ...{ transpose, squeeze, unsqueeze, flatten, broadcastTo, cast },
  ...{ slice, narrow, select, stopGradient },
};

const methods: Omit<TensorMethods, keyof Named> & ThisType<Tensor> = {
  reshape(...sizes) {
    const first = sizes[0];
    return reshape(this, Array.isArray(first) ? first : (sizes as readonly number[]));
  },
  permute(...axes) {
    return permute(this, axes);
  },
  *[Symbol.iterator]() {
    if (this.rank === 0) {
      throw new ShapeError('iterate', `${showAval(this)} has no axis: use item()`, [this.shape]);
    }
    for (let i = 0; i < this.shape[0]!; i++) yield select(this, 0, i);
  },
};

Object.assign(Tensor.prototype, methods);
for (const [name, fn] of Object.entries<(x: Tensor, ...args: never[]) => Tensor>(functions)) {
  Object.assign(Tensor.prototype, {
    [name](this: Tensor, ...args: never[]) {
      return fn(this, ...args);
    },
  });
}
