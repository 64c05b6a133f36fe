/** Sliding windows as columns (im2col) and back: convolution is `unfold`, then `matmul`. */
import type { Kernel, Kernels, OpAttrs } from '@loretta-ts/core';
import type { Read } from './strided';

type SlidingWindow = OpAttrs['unfold'];

/** Positions of the window along one spatial axis. */
function positions(size: number, window: SlidingWindow, axis: 0 | 1): number {
  const { kernel, stride, padding, dilation } = window;
  const reach = dilation[axis] * (kernel[axis] - 1) + 1;
  return Math.floor((size + 2 * padding[axis] - reach) / stride[axis]) + 1;
}

/**
 * Calls `pair(pixel, column)` for every pixel of one `[h, w]` plane under the window, and its place
 * in the `[kh * kw, oh * ow]` columns of that plane; places that show padding are left out.
 */
function eachPair(
  h: number,
  w: number,
  window: SlidingWindow,
  pair: (pixel: number, column: number) => void,
): void {
  const { kernel, stride, padding, dilation } = window;
  const oh = positions(h, window, 0);
  const ow = positions(w, window, 1);
  for (let ky = 0; ky < kernel[0]; ky++) {
    for (let kx = 0; kx < kernel[1]; kx++) {
      const row = (ky * kernel[1] + kx) * oh * ow;
      for (let oy = 0; oy < oh; oy++) {
        const y = oy * stride[0] - padding[0] + ky * dilation[0];
        if (y < 0 || y >= h) continue;
        for (let ox = 0; ox < ow; ox++) {
          const x = ox * stride[1] - padding[1] + kx * dilation[1];
          if (x >= 0 && x < w) pair(y * w + x, row + oy * ow + ox);
        }
      }
    }
  }
}

function unfold(read: Read): Kernel<'unfold'> {
  return ([x], [out], window) => {
    const [b, c, h, w] = x!.shape as readonly [number, number, number, number];
    const from = read(x!);
    const to = read(out!);
    to.fill(0);
    const columns = out!.size / (b * c);
    for (let plane = 0; plane < b * c; plane++) {
      eachPair(h, w, window, (pixel, column) => {
        to[plane * columns + column] = from[plane * h * w + pixel]!;
      });
    }
  };
}

function fold(read: Read): Kernel<'fold'> {
  return ([x], [out], attrs) => {
    const [b, c, h, w] = out!.shape as readonly [number, number, number, number];
    const from = read(x!);
    const to = read(out!);
    const columns = x!.size / (b * c);
    const sums = new Float64Array(h * w);
    for (let plane = 0; plane < b * c; plane++) {
      sums.fill(0);
      eachPair(h, w, attrs, (pixel, column) => {
        sums[pixel]! += from[plane * columns + column]!;
      });
      to.set(sums, plane * h * w);
    }
  };
}

/** Kernels of `unfold` and of its adjoint `fold`. */
export function convKernels(read: Read): Pick<Kernels, 'unfold' | 'fold'> {
  return { unfold: unfold(read), fold: fold(read) };
}
