/**
 * Tensors, automatic differentiation, random keys and capture; backends plug in.
 * @module @loretta-ts/core
 */
import './methods';

export { type Abortable, throwIfAborted } from './abort';
export type * from './attrs';
export type {
  Backend,
  BackendInfo,
  Buffer,
  Kernel,
  Kernels,
  MemoryInfo,
  View,
  ViewName,
} from './backend';
export {
  checkpoint,
  type CustomGrad,
  customGrad,
  grad,
  Grads,
  type Leaf,
  noGrad,
  type Pullback,
  type ValueAndGrad,
  valueAndGrad,
  vjp,
} from './autograd';
export { apply, apply1 } from './apply';
export { capture, Captured, type CaptureOptions, type State } from './capture';
export { tensor, type TensorData, type TensorOptions } from './create-tensor';
export {
  type Aval,
  broadcastShapes,
  bytesPerElement,
  type DType,
  type FloatDType,
  isFloat,
  sameShape,
  type Shape,
  showAval,
  sizeOf,
  stridesOf,
  type TypedArray,
  typedArray,
  viewOf,
} from './dtype';
export {
  BackendError,
  CaptureError,
  DisposedError,
  DTypeError,
  NonFiniteError,
  ShapeError,
  ValueError,
  type WantedMemory,
} from './errors';
export type { TensorMethods } from './methods';
export type { Op, Saved, Vjp, VjpArgs } from './op';
export {
  add,
  atan2,
  clamp,
  div,
  floor,
  log,
  maximum,
  minimum,
  mul,
  neg,
  pow,
  remainder,
  sub,
} from './ops/arithmetic';
export {
  avgPool2d,
  conv1d,
  type Conv1dOptions,
  conv2d,
  type Conv2dOptions,
  convTranspose1d,
  convTranspose2d,
  fold,
  maxPool2d,
  type PairArg,
  type PoolOptions,
  unfold,
  upsampleNearest2d,
} from './ops/conv';
export { type CreateOptions, full, iota, ones, zeros } from './ops/create';
export { gelu, type GeluOptions, silu, swiglu } from './ops/fused/activation';
export { adamw, type AdamwOptions } from './ops/fused/adamw';
export { attention, type AttentionOptions } from './ops/fused/attention';
export { layerNorm, type NormOptions, rmsNorm } from './ops/fused/norm';
export { rope, type RopeOptions } from './ops/fused/rope';
export {
  selectiveScan,
  type SelectiveScanOptions,
  selectiveScanWithState,
} from './ops/fused/scan';
export {
  crossEntropy,
  type CrossEntropyOptions,
  logSoftmax,
  softmax,
} from './ops/fused/softmax';
export {
  embedding,
  embeddingGrad,
  gather,
  indexSelect,
  oneHot,
  scatterAdd,
  updateSlice,
} from './ops/index-ops';
export {
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
export { einsum, linear, matmul, type MatmulOptions, tril, triu } from './ops/matmul';
export {
  all,
  any,
  argmax,
  argmin,
  argsort,
  cumprod,
  cumsum,
  logSumExp,
  max,
  mean,
  min,
  norm,
  prod,
  sort,
  std,
  topK,
  variance,
} from './ops/reduce';
export {
  and,
  eq,
  ge,
  gt,
  isFiniteOf as isFinite,
  isInfOf as isInf,
  isNaNOf as isNaN,
  le,
  lt,
  ne,
  not,
  type Operand,
  or,
  where,
  xor,
} from './ops/select';
export { fft, irfft, linearRecurrence, longConv, rfft } from './ops/sequence';
export {
  concat,
  flip,
  narrow,
  pad,
  repeatInterleave,
  roll,
  select,
  slice,
  split,
  stack,
  tile,
} from './ops/shape';
export {
  abs,
  ceil,
  cos,
  elu,
  erf,
  exp,
  expm1,
  leakyRelu,
  log1p,
  logSigmoid,
  reciprocal,
  relu,
  round,
  rsqrt,
  sigmoid,
  sign,
  sin,
  softplus,
  sqrt,
  square,
  tanh,
} from './ops/unary';
export type { Plan, Place, Slot } from './plan';
export type { NestedNumbers } from './print';
export { type Instruction, Program } from './program';
export {
  bernoulli,
  categorical,
  type FloatOptions,
  gumbel,
  type HostRandom,
  hostRandom,
  Key,
  key,
  type KeyLike,
  normal,
  permutation,
  randomBits,
  splitTensor,
  truncatedNormal,
  uniform,
} from './random';
export { getBackend, setBackend, withBackend } from './runtime';
export { construct, keep, type Scope, scope, tidy } from './scope';
export { stopGradient } from './stop-gradient';
export { Tensor } from './tensor';
