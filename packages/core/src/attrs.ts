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
/** Attributes of a reduction. */
export interface Axes {
  /** Sorted, distinct, non-negative; empty reduces nothing. */
  readonly axes: readonly number[];
  /** Keep reduced axes as size 1. */
  readonly keepDims: boolean;
}
/** Attributes of an op along one axis. */
export interface Axis {
  /** Non-negative. */ readonly axis: number;
}

/** `(a, b) -> broadcast(a, b)`, same float or i32 dtype. */
export interface BinaryAttrs {
  /** a + b. */ add: None;
  /** a − b. */ sub: None;
  /** a · b. */ mul: None;
  /** Integers truncate towards zero. */
  div: None;
  /** NaN wins; a tie gives each side half of the gradient. */
  maximum: None;
  /** As `maximum`. */ minimum: None;
  /** IEEE 754 `pow`: pow(1, y) = 1, pow(-1, ±inf) = 1. Floats only. */
  pow: None;
  /** Floats only. */
  atan2: None;
  /** Sign of the divisor, as Python's `%`. */
  remainder: None;
}

/** `(a, b) -> bool`, broadcast; comparisons with NaN are false but for `ne`. */
export interface CompareAttrs {
  /** a = b. */ eq: None;
  /** a ≠ b; true where either is NaN. */ ne: None;
  /** a < b. */ lt: None;
  /** a ≤ b. */ le: None;
  /** a > b. */ gt: None;
  /** a ≥ b. */ ge: None;
}

/** `(a, b) -> bool` on bools, broadcast; `not` takes one. */
export interface LogicAttrs {
  /** Both. */ and: None;
  /** One at least. */ or: None;
  /** Exactly one. */ xor: None;
  /** The opposite. */ not: None;
}

/** `x -> same shape`, floats (`neg abs sign square relu` i32 too). */
export interface UnaryAttrs {
  /** −x. */ neg: None;
  /** |x|. */ abs: None;
  /** NaN stays NaN, sign(±0) = ±0. */
  sign: None;
  /** e^x. */ exp: None;
  /** e^x − 1, exact near 0. */ expm1: None;
  /** Natural logarithm. */ log: None;
  /** log(1 + x), exact near 0. */ log1p: None;
  /** √x. */ sqrt: None;
  /** 1 / √x. */ rsqrt: None;
  /** 1 / x. */ reciprocal: None;
  /** x². */ square: None;
  /** Sine of radians. */ sin: None;
  /** Cosine of radians. */ cos: None;
  /** Hyperbolic tangent. */ tanh: None;
  /** 1 / (1 + e^−x). */ sigmoid: None;
  /** log(1 + e^x), exact for large |x|. */
  softplus: None;
  /** Gauss error function. */ erf: None;
  /** max(x, 0). */ relu: None;
  /** Down to an integer. */ floor: None;
  /** Up to an integer. */ ceil: None;
  /** Halves to even. */
  round: None;
}

/** `x -> bool`, floats. */
export interface TestAttrs {
  /** NaN. */ isNaN: None;
  /** +∞ or −∞. */ isInf: None;
  /** Neither NaN nor infinite. */ isFinite: None;
}

/** Reductions, and what runs along one axis. */
export interface ReduceAttrs {
  /** Floats and i32. */
  sum: Axes;
  /** Product, 1 of nothing. */ prod: Axes;
  /** NaN wins. An empty reduction throws. */
  max: Axes;
  /** As `max`. */ min: Axes;
  /** `x -> i32`, the axis removed; first index of a tie, NaN wins. */
  argmax: Axis;
  /** As `argmax`. */ argmin: Axis;
  /** `x -> i32` of the shape of x: stable order along the axis; NaN counts as largest. */
  argsort: {
    /** Non-negative. */ readonly axis: number;
    /** Largest first. */ readonly descending: boolean;
  };
  /** Running sum along the axis; `reverse` runs from the end. */
  cumsum: {
    /** Non-negative. */ readonly axis: number;
    /** From the end. */ readonly reverse: boolean;
  };
}

/** Ops that move, repeat or convert elements. */
export interface ShapeAttrs {
  /** `x -> other dtype`; float to i32 truncates, NaN to 0; anything to bool is `!= 0`. */
  cast: {
    /** Of the result. */ readonly dtype: DType;
  };
  /** A view: no kernel runs. */
  reshape: {
    /** Of the result, of the same size. */ readonly shape: Shape;
  };
  /** Axis i of the result is axis `axes[i]` of x. */ permute: {
    /** Every axis once. */ readonly axes: readonly number[];
  };
  /** `size` elements of each axis from `start` by `step` (never 0, may be negative). Leading-axis unit-step slices are views. */
  slice: {
    /** First element of each axis. */ readonly starts: readonly number[];
    /** Elements of each axis. */ readonly sizes: readonly number[];
    /** Step of each axis. */ readonly steps: readonly number[];
  };
  /** Non-negative `before`/`after` of each axis; bool pads with `value !== 0`. */
  pad: {
    /** Elements in front, by axis. */ readonly before: readonly number[];
    /** Elements behind, by axis. */ readonly after: readonly number[];
    /** What they are filled with. */ readonly value: number;
  };
  /** `(x0, x1, …) -> joined along axis`. */
  concat: Axis;
  /** Repeats axes of size 1, and adds axes in front. */ broadcastTo: {
    /** Of the result. */ readonly shape: Shape;
  };
  /** Reverses axes. */ flip: {
    /** Sorted, distinct. */ readonly axes: readonly number[];
  };
}

/** Ops that read or write by index. */
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
  embeddingGrad: {
    /** Rows of the table. */ readonly rows: number;
  };
  /** `(x, update, start: i32[]) -> x` with `update` written at `start` (a scalar tensor) along axis. Other axes are whole. x may be donated. */
  updateSlice: Axis;
}

/** Ops without tensor inputs, but for a key. */
export interface CreateAttrs {
  /** `() -> value everywhere`. */
  fill: {
    /** Of the result. */ readonly shape: Shape;
    /** Of the result. */ readonly dtype: DType;
    /** Of every element. */ readonly value: number;
  };
  /** `() -> start + i * step`, 1-D, f32, f64 or i32. */
  iota: {
    /** Number of elements. */ readonly size: number;
    /** Of the result. */ readonly dtype: Exclude<DType, 'bool'>;
    /** First element. */ readonly start: number;
    /** From one element to the next. */ readonly step: number;
  };
  /** `(key: i32[2]) -> i32[shape]`: element i is word i % 2 of Threefry-2x32-20(key, counter = [i >> 1, stream]). */
  randomBits: {
    /** Of the result. */ readonly shape: Shape;
    /** Second word of the counter. */ readonly stream: number;
  };
}

/** The matrix product. */
export interface MatmulAttrs {
  /** `([..., m, k], [..., k, n]) -> [..., m, n]`, ranks >= 2, batch axes broadcast; a flag says that the operand is stored transposed ([..., k, m] or [..., n, k]). */
  matmul: {
    /** a is stored as [..., k, m]. */ readonly transA: boolean;
    /** b is stored as [..., n, k]. */ readonly transB: boolean;
  };
}

/** A sliding window, each pair [height, width]. */
export interface Window2d {
  /** Size of the window. */ readonly kernel: readonly [number, number];
  /** Step of the window. */ readonly stride: readonly [number, number];
  /** Zeros on both sides: [height, width]. */
  readonly padding: readonly [number, number];
  /** Distance between elements of the window; 1 is none left out. */ readonly dilation: readonly [
    number,
    number,
  ];
}
/** What convolutions and pooling are made of. */
export interface ConvAttrs {
  /** `[b, c, h, w] -> [b, c * kh * kw, oh * ow]`: the patches under a sliding window, as columns (im2col). */
  unfold: Window2d;
  /** `[b, c * kh * kw, oh * ow] -> [b, c, h, w]`: its adjoint, overlapping patches add. */
  fold: Window2d & {
    /** [h, w] of the result. */ readonly size: readonly [number, number];
  };
}

/** Ops along a sequence. */
export interface SequenceAttrs {
  /** `(re, im) -> (re, im)`: discrete Fourier transform of the last axis, any length; `inverse` has the + sign and divides by n. */
  fft: {
    /** The inverse transform. */ readonly inverse: boolean;
  };
  /** `(u: [..., l], k: [..., l]) -> [..., l]`: y_t = sum_{s <= t} k_s u_{t-s}, by FFT; leading axes broadcast. */
  longConv: None;
  /** `(a, b) -> h`, same shape [..., t, n]: h_t = a_t h_{t-1} + b_t along axis -2, h_{-1} = 0; `reverse` runs from the end. */
  linearRecurrence: {
    /** From the end. */ readonly reverse: boolean;
  };
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

/** Attributes of attention. */
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

/** Attributes of `selectiveScan`. */
export interface ScanAttrs {
  /** Which optional inputs follow u, delta, A, B and C, in this order. */
  readonly has: {
    /** float [b, d, n]: h before the first step. */
    readonly state: boolean;
    /** bool [b, l]: before a true step h is forgotten. */
    readonly starts: boolean;
  };
}

/** Ops with a `decompose` into core ops; backends may have a kernel of their own. Floats. */
export interface FusedAttrs {
  /** Along the last axis. A row of -inf only gives zeros. */
  softmax: None;
  /** `(y, dy) -> dx`. */
  softmaxGrad: None;
  /** x − log Σ e^x along the last axis. */ logSoftmax: None;
  /** `(y, dy) -> dx`, y the log-probabilities. */
  logSoftmaxGrad: None;
  /** `(logits: [n, v], targets: i32[n]) -> (loss: [n], lse: [n])`: negative log-likelihood of each row; a target equal to `ignoreIndex` gives 0. */
  crossEntropy: {
    /** Target of rows that do not count. */ readonly ignoreIndex: number;
  };
  /** `(logits, targets, lse, dloss: [n]) -> dlogits`. */
  crossEntropyGrad: {
    /** As the op's. */ readonly ignoreIndex: number;
  };
  /** `(x: [..., d], weight: [d], bias: [d]) -> (y, mean: [...], rstd: [...])`. */
  layerNorm: {
    /** Added to the variance. */ readonly eps: number;
  };
  /** `(x, weight, mean, rstd, dy) -> (dx, dweight, dbias)`. */
  layerNormGrad: None;
  /** `(x: [..., d], weight: [d]) -> (y, rstd: [...])`. */
  rmsNorm: {
    /** Added to the mean square. */ readonly eps: number;
  };
  /** `(x, weight, rstd, dy) -> (dx, dweight)`. */
  rmsNormGrad: None;
  /** tanh approximation, or exact with erf. */
  gelu: {
    /** By tanh. */ readonly approximate: boolean;
  };
  /** `(x, dy) -> dx`. */
  geluGrad: {
    /** As the op's. */ readonly approximate: boolean;
  };
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
    /** Base of the frequencies. */ readonly theta: number;
    /** Leading features that turn. */ readonly rotaryDim: number;
    /** Pairs are neighbours. */ readonly interleaved: boolean;
    /** Turns back. */ readonly inverse: boolean;
  };
  /** `(q: [b, t, h, d], k: [b, s, hkv, d], v: [b, s, hkv, dv], ...has) -> (o: [b, t, h, dv], lse: [b, h, t])`; a query that sees nothing gives 0 and lse -inf. */
  attention: AttentionAttrs;
  /** `(q, k, v, ...has, o, lse, do) -> (dq, dk, dv)` and dbias, of the bias' shape, where there is one. */
  attentionGrad: AttentionAttrs;
  /**
   * `(p, g, m, v, hyper: float[5]) -> (p, m, v)`; p, m and v may be donated. hyper is a tensor so that captured steps can
   * change it: [lr, 1 - beta1^t, 1 - beta2^t, gradScale, weightDecay]. Decoupled decay before the step (AdamW).
   */
  adamw: {
    /** Decay of the first moment. */ readonly beta1: number;
    /** Decay of the second moment. */ readonly beta2: number;
    /** Added to the root of the second moment. */ readonly eps: number;
  };
  /**
   * `(u, delta: [b, d, l], A: [d, n], B, C: [b, l, n], ...has) -> (y: [b, d, l], last h: [b, d, n])`: h_t = exp(delta_t A)
   * h_{t-1} + delta_t B_t u_t, y_t = C_t · h_t (Mamba, eq. 2).
   */
  selectiveScan: ScanAttrs;
  /** `(u, delta, A, B, C, ...has, dy) -> (du, ddelta, dA, dB, dC)`, dA of every row: [b, d, n]. */
  selectiveScanGrad: ScanAttrs;
}

/** Attributes by op: the whole table. */
export type OpAttrs = CoreAttrs & FusedAttrs;
/** Name of a core op. */
export type CoreName = keyof CoreAttrs;
/** Name of a fused op. */
export type FusedName = keyof FusedAttrs;
/** Name of an op. */
export type OpName = keyof OpAttrs;
