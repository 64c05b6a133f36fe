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
 * The pixel of a `[h, w]` plane that each place of its `[kh * kw, oh * ow]` columns shows; -1 for padding. One table
 * serves every plane.
 */
function pixelsUnder(h: number, w: number, window: SlidingWindow): Int32Array {
  const { kernel, stride, padding, dilation } = window;
  const oh = positions(h, window, 0);
  const ow = positions(w, window, 1);
  const pixels = new Int32Array(kernel[0] * kernel[1] * oh * ow).fill(-1);
  for (let ky = 0; ky < kernel[0]; ky++) {
    for (let kx = 0; kx < kernel[1]; kx++) {
      const row = (ky * kernel[1] + kx) * oh * ow;
      for (let oy = 0; oy < oh; oy++) {
        const y = oy * stride[0] - padding[0] + ky * dilation[0];
        if (y < 0 || y >= h) continue;
        for (let ox = 0; ox < ow; ox++) {
          const x = ox * stride[1] - padding[1] + kx * dilation[1];
          if (x >= 0 && x < w) pixels[row + oy * ow + ox] = y * w + x;
        }
      }
    }
  }
  return pixels;
}

function unfold(read: Read): Kernel<'unfold'> {
  return ([x], [out], window) => {
    const [b, c, h, w] = x!.shape as readonly [number, number, number, number];
    const from = read(x!);
    const to = read(out!);
    const pixels = pixelsUnder(h, w, window);
    const columns = pixels.length;
    for (let plane = 0; plane < b * c; plane++) {
      const [source, target] = [plane * h * w, plane * columns];
      for (let i = 0; i < columns; i++) {
        const pixel = pixels[i]!;
        to[target + i] = pixel < 0 ? 0 : from[source + pixel]!;
      }
    }
  };
}

function fold(read: Read): Kernel<'fold'> {
  return ([x], [out], attrs) => {
    const [b, c, h, w] = out!.shape as readonly [number, number, number, number];
    const from = read(x!);
    const to = read(out!);
    const pixels = pixelsUnder(h, w, attrs);
    const columns = pixels.length;
    const sums = new Float64Array(h * w);
    for (let plane = 0; plane < b * c; plane++) {
      const source = plane * columns;
      sums.fill(0);
      for (let i = 0; i < columns; i++) {
        const pixel = pixels[i]!;
        if (pixel >= 0) sums[pixel]! += from[source + i]!;
      }
      to.set(sums, plane * h * w);
    }
  };
}

/** Kernels of `unfold` and of its adjoint `fold`. */
export function convKernels(read: Read): Pick<Kernels, 'unfold' | 'fold'> {
  return { unfold: unfold(read), fold: fold(read) };
}
