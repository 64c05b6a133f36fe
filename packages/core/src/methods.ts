/** Chained methods of Tensor: each calls the function of the same name. */
import { showAval, type DType, type Shape } from './dtype';
import { ShapeError } from './errors';
import * as arithmetic from './ops/arithmetic';
import * as linear from './ops/linear';
import { type MatmulOptions, matmul } from './ops/matmul';
import * as reduce from './ops/reduce';
import * as select from './ops/select';
import * as shape from './ops/shape';
import * as unary from './ops/unary';
import type { Operand } from './ops/select';
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
  sum(axes?: AxesArg, options?: linear.ReduceOptions): Tensor;
  /** Mean over axes, all by default. */
  mean(axes?: AxesArg, options?: linear.ReduceOptions): Tensor;
  /** Maximum over axes, all by default. */
  max(axes?: AxesArg, options?: linear.ReduceOptions): Tensor;
  /** Minimum over axes, all by default. */
  min(axes?: AxesArg, options?: linear.ReduceOptions): Tensor;
  /** i32 index of the maximum along an axis, or of all elements; the first of a tie. */
  argmax(axis?: number | null, options?: linear.ReduceOptions): Tensor;
  /** i32 index of the minimum along an axis, or of all elements; the first of a tie. */
  argmin(axis?: number | null, options?: linear.ReduceOptions): Tensor;
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

const methods: TensorMethods & ThisType<Tensor> = {
  add(b) {
    return arithmetic.add(this, b);
  },
  sub(b) {
    return arithmetic.sub(this, b);
  },
  mul(b) {
    return arithmetic.mul(this, b);
  },
  div(b) {
    return arithmetic.div(this, b);
  },
  maximum(b) {
    return arithmetic.maximum(this, b);
  },
  minimum(b) {
    return arithmetic.minimum(this, b);
  },
  pow(b) {
    return arithmetic.pow(this, b);
  },
  neg() {
    return arithmetic.neg(this);
  },
  abs() {
    return unary.abs(this);
  },
  exp() {
    return unary.exp(this);
  },
  log() {
    return arithmetic.log(this);
  },
  sqrt() {
    return unary.sqrt(this);
  },
  rsqrt() {
    return unary.rsqrt(this);
  },
  reciprocal() {
    return unary.reciprocal(this);
  },
  square() {
    return unary.square(this);
  },
  sin() {
    return unary.sin(this);
  },
  cos() {
    return unary.cos(this);
  },
  tanh() {
    return unary.tanh(this);
  },
  sigmoid() {
    return unary.sigmoid(this);
  },
  relu() {
    return unary.relu(this);
  },
  eq(b) {
    return select.eq(this, b);
  },
  ne(b) {
    return select.ne(this, b);
  },
  lt(b) {
    return select.lt(this, b);
  },
  le(b) {
    return select.le(this, b);
  },
  gt(b) {
    return select.gt(this, b);
  },
  ge(b) {
    return select.ge(this, b);
  },
  and(b) {
    return select.and(this, b);
  },
  or(b) {
    return select.or(this, b);
  },
  xor(b) {
    return select.xor(this, b);
  },
  not() {
    return select.not(this);
  },
  matmul(b, options) {
    return matmul(this, b, options);
  },
  sum(axes, options) {
    return linear.sum(this, axes, options);
  },
  mean(axes, options) {
    return reduce.mean(this, axes, options);
  },
  max(axes, options) {
    return reduce.max(this, axes, options);
  },
  min(axes, options) {
    return reduce.min(this, axes, options);
  },
  argmax(axis, options) {
    return reduce.argmax(this, axis, options);
  },
  argmin(axis, options) {
    return reduce.argmin(this, axis, options);
  },
  reshape(...sizes) {
    const first = sizes[0];
    return linear.reshape(this, Array.isArray(first) ? first : (sizes as readonly number[]));
  },
  permute(...axes) {
    return linear.permute(this, axes);
  },
  transpose(a, b) {
    return linear.transpose(this, a, b);
  },
  slice(starts, sizes, steps) {
    return shape.slice(this, starts, sizes, steps);
  },
  narrow(axis, start, size) {
    return shape.narrow(this, axis, start, size);
  },
  select(axis, index) {
    return shape.select(this, axis, index);
  },
  squeeze(axes) {
    return linear.squeeze(this, axes);
  },
  unsqueeze(axis) {
    return linear.unsqueeze(this, axis);
  },
  flatten(start, end) {
    return linear.flatten(this, start, end);
  },
  broadcastTo(to) {
    return linear.broadcastTo(this, to);
  },
  cast(dtype) {
    return linear.cast(this, dtype);
  },
  stopGradient() {
    return stopGradient(this);
  },
  *[Symbol.iterator]() {
    if (this.rank === 0) {
      throw new ShapeError('iterate', `${showAval(this)} has no axis: use item()`, [this.shape]);
    }
    for (let i = 0; i < this.shape[0]!; i++) yield shape.select(this, 0, i);
  },
};

Object.assign(Tensor.prototype, methods);
