/**
 * The table of contents: every op with its attributes. One row, one op; the op itself (shapes,
 * gradient, public function) is in `ops/`, its kernels in the backends.
 *
 * `ins -> outs` stands beside each row. Axes are non-negative, shapes complete: public functions
 * normalise before they call `apply`. Broadcasting is NumPy's. Everything is contiguous.
 */
import type { DType, Shape } from './dtype';

/** No attributes. */
export type None = Readonly<Record<never, never>>;
export interface Axes {
  /** Sorted, distinct, non-negative; empty reduces nothing. */
  readonly axes: readonly number[];
  /** Keep reduced axes as size 1. */
  readonly keepDims: boolean;
}
export interface Axis {
  readonly axis: number;
}

/** `(a, b) -> broadcast(a, b)`, same float or i32 dtype. */
export interface BinaryAttrs {
  add: None;
  sub: None;
  mul: None;
  /** Integers truncate towards zero. */
  div: None;
  /** NaN wins; a tie gives each side half of the gradient. */
  maximum: None;
  minimum: None;
  /** IEEE 754 `pow`: pow(1, y) = 1, pow(-1, ±inf) = 1. Floats only. */
  pow: None;
  /** Floats only. */
  atan2: None;
  /** Sign of the divisor, as Python's `%`. */
  remainder: None;
}

/** `(a, b) -> bool`, broadcast; comparisons with NaN are false but for `ne`. */
export interface CompareAttrs {
  eq: None;
  ne: None;
  lt: None;
  le: None;
  gt: None;
  ge: None;
}

/** `(a, b) -> bool` on bools, broadcast; `not` takes one. */
export interface LogicAttrs {
  and: None;
  or: None;
  xor: None;
  not: None;
}

/** `x -> same shape`, floats (`neg abs sign square relu` i32 too). */
export interface UnaryAttrs {
  neg: None;
  abs: None;
  /** NaN stays NaN, sign(±0) = ±0. */
  sign: None;
  exp: None;
  expm1: None;
  log: None;
  log1p: None;
  sqrt: None;
  rsqrt: None;
  reciprocal: None;
  square: None;
  sin: None;
  cos: None;
  tanh: None;
  sigmoid: None;
  /** log(1 + e^x), exact for large |x|. */
  softplus: None;
  erf: None;
  relu: None;
  floor: None;
  ceil: None;
  /** Halves to even. */
  round: None;
}

/** `x -> bool`, floats. */
export interface TestAttrs {
  isNaN: None;
  isInf: None;
  isFinite: None;
}

export interface ReduceAttrs {
  /** Floats and i32. */
  sum: Axes;
  prod: Axes;
  /** NaN wins. An empty reduction throws. */
  max: Axes;
  min: Axes;
  /** `x -> i32`, the axis removed; first index of a tie, NaN wins. */
  argmax: Axis;
  argmin: Axis;
  /** `x -> i32` of the shape of x: stable order along the axis; NaN counts as largest. */
  argsort: { readonly axis: number; readonly descending: boolean };
  /** Running sum along the axis; `reverse` runs from the end. */
  cumsum: { readonly axis: number; readonly reverse: boolean };
}

export interface ShapeAttrs {
  /** `x -> other dtype`; float to i32 truncates, NaN to 0; anything to bool is `!= 0`. */
  cast: { readonly dtype: DType };
  /** A view: no kernel runs. */
  reshape: { readonly shape: Shape };
  permute: { readonly axes: readonly number[] };
  /** `size` elements of each axis from `start` by `step` (never 0, may be negative). Leading-axis unit-step slices are views. */
  slice: {
    readonly starts: readonly number[];
    readonly sizes: readonly number[];
    readonly steps: readonly number[];
  };
  /** Non-negative `before`/`after` of each axis; bool pads with `value !== 0`. */
  pad: {
    readonly before: readonly number[];
    readonly after: readonly number[];
    readonly value: number;
  };
  /** `(x0, x1, …) -> joined along axis`. */
  concat: Axis;
  broadcastTo: { readonly shape: Shape };
  flip: { readonly axes: readonly number[] };
}

export interface IndexAttrs {
  /** `(cond: bool, a, b) -> broadcast`. */
  where: None;
  /** `(x, index: i32)`, same rank: out[i][j] = x[index[i][j]][j] for axis 0. index sizes <= x sizes off the axis. */
  gather: Axis;
  /** `(x, index: i32, src)`: x with src added at the places that `gather` reads; repeated indices add in row-major order. */
  scatterAdd: Axis;
  /** `(table: [v, ...row], ids: i32[...]) -> [...ids, ...row]`: rows of a table. */
  embedding: None;
  /** `(ids: i32[...], dy: [...ids, ...row]) -> [rows, ...row]`: sum of dy over equal ids. */
  embeddingGrad: { readonly rows: number };
  /** `(x, update, start: i32[]) -> x` with `update` written at `start` (a scalar tensor) along axis. Other axes are whole. x may be donated. */
  updateSlice: Axis;
}

export interface CreateAttrs {
  /** `() -> value everywhere`. */
  fill: { readonly shape: Shape; readonly dtype: DType; readonly value: number };
  /** `() -> start + i * step`, 1-D, f32, f64 or i32. */
  iota: {
    readonly size: number;
    readonly dtype: Exclude<DType, 'bool'>;
    readonly start: number;
    readonly step: number;
  };
  /** `(key: i32[2]) -> i32[shape]`: element i is word i % 2 of Threefry-2x32-20(key, counter = [i >> 1, stream]). */
  randomBits: { readonly shape: Shape; readonly stream: number };
}

export interface MatmulAttrs {
  /** `([..., m, k], [..., k, n]) -> [..., m, n]`, ranks >= 2, batch axes broadcast; a flag says that the operand is stored transposed ([..., k, m] or [..., n, k]). */
  matmul: { readonly transA: boolean; readonly transB: boolean };
}

export interface Window2d {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  /** Zeros on both sides: [height, width]. */
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}
export interface ConvAttrs {
  /** `[b, c, h, w] -> [b, c * kh * kw, oh * ow]`: the patches under a sliding window, as columns (im2col). */
  unfold: Window2d;
  /** `[b, c * kh * kw, oh * ow] -> [b, c, h, w]`: its adjoint, overlapping patches add. */
  fold: Window2d & { readonly size: readonly [number, number] };
}

export interface SequenceAttrs {
  /** `(re, im) -> (re, im)`: discrete Fourier transform of the last axis, any length; `inverse` has the + sign and divides by n. */
  fft: { readonly inverse: boolean };
  /** `(u: [..., l], k: [..., l]) -> [..., l]`: y_t = sum_{s <= t} k_s u_{t-s}, by FFT; leading axes broadcast. */
  longConv: None;
  /** `(a, b) -> h`, same shape [..., t, n]: h_t = a_t h_{t-1} + b_t along axis -2, h_{-1} = 0; `reverse` runs from the end. */
  linearRecurrence: { readonly reverse: boolean };
}

/** Ops that every backend has. */
export type CoreAttrs = BinaryAttrs &
  CompareAttrs &
  LogicAttrs &
  UnaryAttrs &
  TestAttrs &
  ReduceAttrs &
  ShapeAttrs &
  IndexAttrs &
  CreateAttrs &
  MatmulAttrs &
  ConvAttrs &
  SequenceAttrs;

export interface AttentionAttrs {
  /** Query i of t sees key j of s iff j <= i + (s - t) (+ the row's offset where `lengths` is given). */
  readonly causal: boolean;
  /** Sees only the last `window` keys, its own included; 0 is no window. */
  readonly window: number;
  /** Factor on q·k, usually 1 / sqrt(d). */
  readonly scale: number;
  /**
   * Query i stands at position i + qOffset among the keys (causal and window). Without `lengths`.
   */
  readonly qOffset: number;
  /** Which optional inputs follow q, k, v, in this order. */
  readonly has: {
    /** bool, broadcastable to [b, h, t, s]: true may attend. */
    readonly mask: boolean;
    /** float, broadcastable to [b, h, t, s], added to the scaled scores. Differentiable. */
    readonly bias: boolean;
    /** i32 [b, s] (needs t = s): attends only where query and key have the same number. */
    readonly segments: boolean;
    /** i32 [b]: keys from lengths[b] on are not there, and query i stands at position lengths[b] - t + i. */
    readonly lengths: boolean;
  };
}

/** Ops with a `decompose` into core ops; backends may have a kernel of their own. Floats. */
export interface FusedAttrs {
  /** Along the last axis. A row of -inf only gives zeros. */
  softmax: None;
  /** `(y, dy) -> dx`. */
  softmaxGrad: None;
  logSoftmax: None;
  /** `(y, dy) -> dx`, y the log-probabilities. */
  logSoftmaxGrad: None;
  /** `(logits: [n, v], targets: i32[n]) -> (loss: [n], lse: [n])`: negative log-likelihood of each row; a target equal to `ignoreIndex` gives 0. */
  crossEntropy: { readonly ignoreIndex: number };
  /** `(logits, targets, lse, dloss: [n]) -> dlogits`. */
  crossEntropyGrad: { readonly ignoreIndex: number };
  /** `(x: [..., d], weight: [d], bias: [d]) -> (y, mean: [...], rstd: [...])`. */
  layerNorm: { readonly eps: number };
  /** `(x, weight, mean, rstd, dy) -> (dx, dweight, dbias)`. */
  layerNormGrad: None;
  /** `(x: [..., d], weight: [d]) -> (y, rstd: [...])`. */
  rmsNorm: { readonly eps: number };
  /** `(x, weight, rstd, dy) -> (dx, dweight)`. */
  rmsNormGrad: None;
  /** tanh approximation, or exact with erf. */
  gelu: { readonly approximate: boolean };
  /** `(x, dy) -> dx`. */
  geluGrad: { readonly approximate: boolean };
  /** x · sigmoid(x). */
  silu: None;
  /** `(x, dy) -> dx`. */
  siluGrad: None;
  /** `(gate, up) -> silu(gate) · up`, same shape. */
  swiglu: None;
  /** `(gate, up, dy) -> (dgate, dup)`. */
  swigluGrad: None;
  /**
   * `(x: [b, t, h, d], positions: i32[b, t] or [t]) -> rotated`: pair k turns by position · theta^(-2k/rotaryDim).
   * `interleaved` pairs (2k, 2k+1), else (k, k + rotaryDim/2). `inverse` turns back (the gradient).
   */
  rope: {
    readonly theta: number;
    readonly rotaryDim: number;
    readonly interleaved: boolean;
    readonly inverse: boolean;
  };
  /** `(q: [b, t, h, d], k: [b, s, hkv, d], v: [b, s, hkv, dv], ...has) -> (o: [b, t, h, dv], lse: [b, h, t])`; a query that sees nothing gives 0 and lse -inf. */
  attention: AttentionAttrs;
  /** `(q, k, v, ...has, o, lse, do) -> (dq, dk, dv)` and dbias, of the bias' shape, where there is one. */
  attentionGrad: AttentionAttrs;
  /**
   * `(p, g, m, v, hyper: float[5]) -> (p, m, v)`; p, m and v may be donated. hyper is a tensor so that captured steps can
   * change it: [lr, 1 - beta1^t, 1 - beta2^t, gradScale, weightDecay]. Decoupled decay before the step (AdamW).
   */
  adamw: { readonly beta1: number; readonly beta2: number; readonly eps: number };
  /** `(u, delta: [b, d, l], A: [d, n], B, C: [b, n, l]) -> y: [b, d, l]`: h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t, y_t = C_t · h_t (Mamba, eq. 2). */
  selectiveScan: None;
}

export type OpAttrs = CoreAttrs & FusedAttrs;
export type CoreName = keyof CoreAttrs;
export type FusedName = keyof FusedAttrs;
export type OpName = keyof OpAttrs;
