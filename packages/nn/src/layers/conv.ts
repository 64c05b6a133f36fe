/** Convolutions over `[b, channels, ...space]`. */
import {
  conv1d,
  conv2d,
  type FloatDType,
  type Key,
  type Tensor,
  uniform,
  zeros,
} from '@loretta-ts/core';
import { Module, Param } from '../module';

/** Options of `Conv1d` and `Conv2d`. */
export interface ConvOptions {
  /** Null makes zeros, to be loaded. */
  readonly key: Key | null;
  /** Default 1. */
  readonly stride?: number;
  /** Zeros on both sides; default 0. */
  readonly padding?: number;
  /** Default 1. */
  readonly dilation?: number;
  /** Default 1; `inChannels` is depth-wise. */
  readonly groups?: number;
  /** Default true. */
  readonly bias?: boolean;
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** A convolution over a line; the weight is `[out, in / groups, kernel]`. */
export class Conv1d extends Module {
  /** `[out, in / groups, kernel]`. */
  readonly weight: Param;
  /** `[out]`, or null. */
  readonly bias: Param | null;
  private readonly window: Window;

  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvOptions) {
    super();
    const shape = [outChannels, inChannels / (options.groups ?? 1), kernel];
    [this.weight, this.bias] = convParams(shape, outChannels, options);
    this.window = windowOf(options);
  }

  /** `[b, in, l] -> [b, out, l']`. */
  forward(x: Tensor): Tensor {
    return conv1d(x, this.weight.value, this.bias?.value ?? null, this.window);
  }
}

/** A convolution over a plane, square kernel; the weight is `[out, in / groups, kernel, kernel]`. */
export class Conv2d extends Module {
  /** `[out, in / groups, kernel, kernel]`. */
  readonly weight: Param;
  /** `[out]`, or null. */
  readonly bias: Param | null;
  private readonly window: Window;

  constructor(inChannels: number, outChannels: number, kernel: number, options: ConvOptions) {
    super();
    const shape = [outChannels, inChannels / (options.groups ?? 1), kernel, kernel];
    [this.weight, this.bias] = convParams(shape, outChannels, options);
    this.window = windowOf(options);
  }

  /** `[b, in, h, w] -> [b, out, h', w']`. */
  forward(x: Tensor): Tensor {
    return conv2d(x, this.weight.value, this.bias?.value ?? null, this.window);
  }
}

interface Window {
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  readonly groups: number;
}

function windowOf({ stride = 1, padding = 0, dilation = 1, groups = 1 }: ConvOptions): Window {
  return { stride, padding, dilation, groups };
}

/** U(±1/√fan) for both, PyTorch's default: fan is the product of all sizes of the weight but the first. */
export function convParams(
  shape: readonly number[],
  outChannels: number,
  options: Pick<ConvOptions, 'key' | 'bias' | 'dtype'>,
): [Param, Param | null] {
  const { key, bias = true, dtype = 'f32' } = options;
  const bound = 1 / Math.sqrt(shape.slice(1).reduce((n, d) => n * d, 1));
  const draw = (stream: number, size: readonly number[]): Tensor =>
    key === null
      ? zeros(size, { dtype })
      : uniform(key.fold(stream), size, { low: -bound, high: bound, dtype });
  return [new Param(draw(0, shape)), bias ? new Param(draw(1, [outChannels])) : null];
}
