/** Transposed convolutions over `[b, channels, ...space]`. */
import { convTranspose1d, convTranspose2d, type Tensor } from '@loretta-ts/core';
import { Module, type Param } from '../module';
import { type ConvOptions, convParams } from './conv';

/** Options of `ConvTranspose1d` and `ConvTranspose2d`; `padding` is cut off both sides of the result. */
export type ConvTransposeOptions = Pick<
  ConvOptions,
  'key' | 'stride' | 'padding' | 'bias' | 'dtype'
>;

/** The adjoint of a convolution over a line; the weight is `[in, out, kernel]`. */
export class ConvTranspose1d extends Module {
  /** `[in, out, kernel]`. */
  readonly weight: Param;
  /** `[out]`, or null. */
  readonly bias: Param | null;
  private readonly stride: number;
  private readonly padding: number;

  constructor(
    inChannels: number,
    outChannels: number,
    kernel: number,
    options: ConvTransposeOptions,
  ) {
    super();
    [this.weight, this.bias] = convParams([inChannels, outChannels, kernel], outChannels, options);
    this.stride = options.stride ?? 1;
    this.padding = options.padding ?? 0;
  }

  /** `[b, in, l] -> [b, out, (l − 1) · stride − 2 · padding + kernel]`. */
  forward(x: Tensor): Tensor {
    const { stride, padding } = this;
    return convTranspose1d(x, this.weight.value, this.bias?.value ?? null, { stride, padding });
  }
}

/** The adjoint of a convolution over a plane, square kernel; the weight is `[in, out, kernel, kernel]`. */
export class ConvTranspose2d extends Module {
  /** `[in, out, kernel, kernel]`. */
  readonly weight: Param;
  /** `[out]`, or null. */
  readonly bias: Param | null;
  private readonly stride: number;
  private readonly padding: number;

  constructor(
    inChannels: number,
    outChannels: number,
    kernel: number,
    options: ConvTransposeOptions,
  ) {
    super();
    const shape = [inChannels, outChannels, kernel, kernel];
    [this.weight, this.bias] = convParams(shape, outChannels, options);
    this.stride = options.stride ?? 1;
    this.padding = options.padding ?? 0;
  }

  /** `[b, in, h, w] -> [b, out, h', w']`, each `(n − 1) · stride − 2 · padding + kernel`. */
  forward(x: Tensor): Tensor {
    const { stride, padding } = this;
    return convTranspose2d(x, this.weight.value, this.bias?.value ?? null, { stride, padding });
  }
}
