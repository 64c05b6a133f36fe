/** Ops along a sequence, each as the sum that defines it. */
import type { Kernel, Kernels } from '@loretta-ts/core';
import { at, eachIndex, type MakeKernel, type Memory, source } from './cells';
import { along } from './moves';

/** Σ_t x_t e^(∓2πi k t / n) for each row: two outputs, so it is a kernel of its own. */
function fourier(memory: Memory): Kernel<'fft'> {
  return (ins, outs, { inverse }) => {
    const [re, im] = ins.map((view) => source(memory, view));
    const axis = re!.shape.length - 1;
    const n = re!.shape[axis]!;
    eachIndex(re!.shape, (index, place) => {
      const [xs, ys] = [along(re!, axis, index), along(im!, axis, index)];
      const k = index[axis]!;
      let real = 0;
      let imaginary = 0;
      for (let t = 0; t < n; t++) {
        const angle = ((inverse ? 2 : -2) * Math.PI * ((k * t) % n)) / n;
        const [c, s] = [Math.cos(angle), Math.sin(angle)];
        real += xs[t]! * c - ys[t]! * s;
        imaginary += xs[t]! * s + ys[t]! * c;
      }
      memory.set(outs[0]!, place, inverse ? real / n : real);
      memory.set(outs[1]!, place, inverse ? imaginary / n : imaginary);
    });
  };
}

/** Kernels of the ops along a sequence. */
export function sequences(kernel: MakeKernel, memory: Memory) {
  return {
    fft: fourier(memory),
    longConv: kernel<'longConv'>(([u, k]) => (i) => {
      const axis = i.length - 1;
      const t = i[axis]!;
      let sum = 0;
      for (let s = 0; s <= t; s++) sum += k!.at(at(i, axis, s)) * u!.at(at(i, axis, t - s));
      return sum;
    }),
    linearRecurrence: kernel<'linearRecurrence'>(([a, b], { reverse }) => (i) => {
      const axis = i.length - 2;
      const last = a!.shape[axis]! - 1;
      const steps = reverse ? last - i[axis]! : i[axis]!;
      let h = 0;
      for (let step = 0; step <= steps; step++) {
        const here = at(i, axis, reverse ? last - step : step);
        h = a!.at(here) * h + b!.at(here);
      }
      return h;
    }),
  } satisfies Partial<Kernels>;
}
