/** The short causal convolution that Mamba and Hyena put before their long one. */
import {
  concat,
  type FloatDType,
  type Key,
  pad,
  type Tensor,
  uniform,
  zeros,
} from '@loretta-ts/core';
import { Module, Param } from '../module';

/** Options of `ShortConv`. */
export interface ShortConvOptions {
  /** Null makes zeros, to be loaded. */
  readonly key: Key | null;
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** Channel by channel, y_t = bias + Σ_j w_j x_{t - k + 1 + j}: a sum of k shifted products, which reads `[b, t, c]` as it is. */
export class ShortConv extends Module {
  /** `[c, 1, k]`. */
  readonly weight: Param;
  /** `[c]`. */
  readonly bias: Param;

  constructor(channels: number, kernel: number, options: ShortConvOptions) {
    super();
    const { key, dtype = 'f32' } = options;
    const bound = 1 / Math.sqrt(kernel); // PyTorch's default
    const draw = (stream: number, shape: readonly number[]): Tensor =>
      key === null
        ? zeros(shape, { dtype })
        : uniform(key.fold(stream), shape, { low: -bound, high: bound, dtype });
    this.weight = new Param(draw(0, [channels, 1, kernel]));
    this.bias = new Param(draw(1, [channels]));
  }

  /**
   * `[b, t, c] -> [b, t, c]`.
   * @param window `[b, k - 1, c]`: the inputs before; null is zeros
   * @param segments i32 `[b, t]`: inputs of another number count as 0
   */
  forward(x: Tensor, window: Tensor | null = null, segments: Tensor | null = null): Tensor {
    const [b, t, c] = x.shape as [number, number, number];
    const k = this.weight.shape[2]!;
    const all = this.behind(x, window); // [b, k - 1 + t, c]
    const taps = this.weight.value.reshape(c, k).transpose(); // [k, c]
    const earlier = segments === null ? null : before(segments, k - 1);
    let y = this.bias.value; // [c]
    for (let j = 0; j < k; j++) {
      const shifted = all.narrow(1, j, t); // [b, t, c]
      const term = shifted.mul(taps.select(0, j));
      const same = earlier === null || j === k - 1 ? null : earlier.narrow(1, j, t).eq(segments!); // [b, t]
      y = (same === null ? term : term.mul(same.cast(x.dtype).reshape(b, t, 1))).add(y);
    }
    return y;
  }

  /** `[b, k - 1, c]`: the last inputs, for the call that goes on. */
  window(x: Tensor, window: Tensor | null): Tensor {
    return this.behind(x, window).narrow(1, x.shape[1]!, this.weight.shape[2]! - 1);
  }

  private behind(x: Tensor, window: Tensor | null): Tensor {
    if (window !== null) return concat([window, x], 1);
    return pad(x, [
      [0, 0],
      [this.weight.shape[2]! - 1, 0],
      [0, 0],
    ]);
  }
}

/** `i32 [b, n + t]`; the first n are of no segment that counts: inputs there are 0. */
function before(segments: Tensor, n: number): Tensor {
  return pad(segments, [
    [0, 0],
    [n, 0],
  ]);
}
