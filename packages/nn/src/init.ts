/** Initialisers by explicit key. Weights are `[out, in, ...kernel]`: fan-in is in × kernel, fan-out out × kernel. */
import {
  type FloatDType,
  type Key,
  normal,
  type Shape,
  ShapeError,
  type Tensor,
  truncatedNormal,
  uniform,
  ValueError,
} from '@loretta-ts/core';

/** Options of all initialisers. */
export interface InitOptions {
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** Options of `xavierUniform` and `xavierNormal`. */
export interface XavierOptions extends InitOptions {
  /** Factor on the deviation; default 1. */
  readonly gain?: number;
}

/** Options of `kaimingUniform` and `kaimingNormal`. */
export interface KaimingOptions extends InitOptions {
  /** Which variance to keep: that of activations (`fan_in`, default) or of gradients. */
  readonly mode?: 'fan_in' | 'fan_out';
  /** Decides the gain; default `leaky_relu` with `a`. */
  readonly nonlinearity?: 'relu' | 'leaky_relu' | 'linear' | 'tanh';
  /** Negative slope of leaky_relu; default 0. */
  readonly a?: number;
}

/** U(-b, b), b = gain · √(6 / (fanIn + fanOut)) (Glorot and Bengio 2010, eq. 16). */
export function xavierUniform(key: Key, shape: Shape, options: XavierOptions = {}): Tensor {
  const { fanIn, fanOut } = fans('xavierUniform', shape);
  return symmetric(key, shape, (options.gain ?? 1) * Math.sqrt(6 / (fanIn + fanOut)), options);
}

/** N(0, σ²), σ = gain · √(2 / (fanIn + fanOut)) (Glorot and Bengio 2010). */
export function xavierNormal(key: Key, shape: Shape, options: XavierOptions = {}): Tensor {
  const { fanIn, fanOut } = fans('xavierNormal', shape);
  return gaussian(key, shape, 0, (options.gain ?? 1) * Math.sqrt(2 / (fanIn + fanOut)), options);
}

/** U(-b, b), b = gain · √(3 / fan) (He et al. 2015). */
export function kaimingUniform(key: Key, shape: Shape, options: KaimingOptions = {}): Tensor {
  return symmetric(
    key,
    shape,
    Math.sqrt(3) * kaimingStd('kaimingUniform', shape, options),
    options,
  );
}

/** N(0, σ²), σ = gain / √fan (He et al. 2015, eq. 10). */
export function kaimingNormal(key: Key, shape: Shape, options: KaimingOptions = {}): Tensor {
  return gaussian(key, shape, 0, kaimingStd('kaimingNormal', shape, options), options);
}

/** N(mean, std²). */
export function normalInit(
  key: Key,
  shape: Shape,
  options: InitOptions & { readonly mean?: number; readonly std?: number } = {},
): Tensor {
  return gaussian(key, shape, options.mean ?? 0, options.std ?? 1, options);
}

/** N(mean, std²) cut to [low, high] (absolute bounds, as PyTorch's `trunc_normal_`; default ±2). */
export function truncNormalInit(
  key: Key,
  shape: Shape,
  options: InitOptions & {
    readonly mean?: number;
    readonly std?: number;
    readonly low?: number;
    readonly high?: number;
  } = {},
): Tensor {
  const { mean = 0, std = 1, low = -2, high = 2, dtype = 'f32' } = options;
  if (!(low < high) || !(std > 0)) {
    throw new ValueError(
      'truncNormalInit',
      `needs low < high and std > 0, not [${low}, ${high}] and ${std}`,
    );
  }
  return truncatedNormal(key, shape, { mean, std, low, high, dtype });
}

/** U(low, high). */
export function uniformInit(
  key: Key,
  shape: Shape,
  options: InitOptions & { readonly low?: number; readonly high?: number } = {},
): Tensor {
  const { low = 0, high = 1, dtype = 'f32' } = options;
  return uniform(key, shape, { low, high, dtype });
}

/** N(0, (0.02 / √(2 · layers))²): weights that write into the residual stream (GPT-2). */
export function gpt2Residual(
  key: Key,
  shape: Shape,
  layers: number,
  options: InitOptions = {},
): Tensor {
  return gaussian(key, shape, 0, 0.02 / Math.sqrt(2 * layers), options);
}

function gaussian(key: Key, shape: Shape, mean: number, std: number, options: InitOptions): Tensor {
  return normal(key, shape, { mean, std, dtype: options.dtype ?? 'f32' });
}

function symmetric(key: Key, shape: Shape, bound: number, options: InitOptions): Tensor {
  return uniform(key, shape, { low: -bound, high: bound, dtype: options.dtype ?? 'f32' });
}

function kaimingStd(op: string, shape: Shape, options: KaimingOptions): number {
  const { fanIn, fanOut } = fans(op, shape);
  const { mode = 'fan_in', nonlinearity = 'leaky_relu', a = 0 } = options;
  const gain = { relu: Math.SQRT2, leaky_relu: Math.sqrt(2 / (1 + a * a)), linear: 1, tanh: 5 / 3 }[
    nonlinearity
  ];
  return gain / Math.sqrt(mode === 'fan_in' ? fanIn : fanOut);
}

function fans(op: string, shape: Shape): { readonly fanIn: number; readonly fanOut: number } {
  if (shape.length < 2) {
    throw new ShapeError(
      op,
      `[${shape.join(',')}] has no fan-in and fan-out: use uniformInit or normalInit`,
      [shape],
    );
  }
  const kernel = shape.slice(2).reduce((n, d) => n * d, 1);
  return { fanIn: shape[1]! * kernel, fanOut: shape[0]! * kernel };
}
