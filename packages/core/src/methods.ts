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
  add(b: Operand): Tensor;
  sub(b: Operand): Tensor;
  mul(b: Operand): Tensor;
  div(b: Operand): Tensor;
  maximum(b: Operand): Tensor;
  minimum(b: Operand): Tensor;
  pow(b: Operand): Tensor;
  neg(): Tensor;
  abs(): Tensor;
  exp(): Tensor;
  log(): Tensor;
  sqrt(): Tensor;
  rsqrt(): Tensor;
  reciprocal(): Tensor;
  square(): Tensor;
  sin(): Tensor;
  cos(): Tensor;
  tanh(): Tensor;
  sigmoid(): Tensor;
  relu(): Tensor;
  eq(b: Operand): Tensor;
  ne(b: Operand): Tensor;
  lt(b: Operand): Tensor;
  le(b: Operand): Tensor;
  gt(b: Operand): Tensor;
  ge(b: Operand): Tensor;
  and(b: Tensor): Tensor;
  or(b: Tensor): Tensor;
  xor(b: Tensor): Tensor;
  not(): Tensor;
  matmul(b: Tensor, options?: MatmulOptions): Tensor;
  sum(axes?: AxesArg, options?: linear.ReduceOptions): Tensor;
  mean(axes?: AxesArg, options?: linear.ReduceOptions): Tensor;
  max(axes?: AxesArg, options?: linear.ReduceOptions): Tensor;
  min(axes?: AxesArg, options?: linear.ReduceOptions): Tensor;
  argmax(axis?: number | null, options?: linear.ReduceOptions): Tensor;
  argmin(axis?: number | null, options?: linear.ReduceOptions): Tensor;
  /** Sizes as arguments or as one array; one may be -1. */
  reshape(...shape: readonly number[] | readonly [Shape]): Tensor;
  permute(...axes: readonly number[]): Tensor;
  transpose(a?: number, b?: number): Tensor;
  slice(starts: readonly number[], sizes: readonly number[], steps?: readonly number[]): Tensor;
  narrow(axis: number, start: number, size: number): Tensor;
  select(axis: number, index: number): Tensor;
  squeeze(axes?: AxesArg): Tensor;
  unsqueeze(axis: number): Tensor;
  flatten(start?: number, end?: number): Tensor;
  broadcastTo(shape: Shape): Tensor;
  cast(dtype: DType): Tensor;
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
