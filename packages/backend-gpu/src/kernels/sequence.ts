/** Sliding windows, recurrences, convolution and Fourier transform: sums per output element, without shared work. */
import type { Kernel, Kernels, View } from '@loretta-ts/core';
import { broadcastStrides, coalesce } from '../layout';
import { compute, type Context, launch } from '../launch';
import {
  coordinates,
  divide,
  dotStrides,
  type KernelSource,
  sizeNames,
  strideNames,
} from '../source';

type SequenceName = 'unfold' | 'fold' | 'fft' | 'longConv' | 'linearRecurrence';

const window = ['kh', 'kw', 'sy', 'sx', 'py', 'px', 'dy', 'dx'];

function windowSizes(attrs: {
  readonly kernel: readonly [number, number];
  readonly stride: readonly [number, number];
  readonly padding: readonly [number, number];
  readonly dilation: readonly [number, number];
}): number[] {
  return [...attrs.kernel, ...attrs.stride, ...attrs.padding, ...attrs.dilation];
}

/** Windows along one spatial axis. */
function positions(
  size: number,
  kernel: number,
  stride: number,
  padding: number,
  dilation: number,
): number {
  return Math.floor((size + 2 * padding - dilation * (kernel - 1) - 1) / stride) + 1;
}

const unfoldSource: KernelSource = {
  name: 'unfold',
  arrays: ['a'],
  ints: ['offset', 'h', 'w', 'oh', 'ow', ...window],
  floats: [],
  body: `${divide('q1', 'ox', 'this.thread.x', 'ow')}${divide('q2', 'oy', 'q1', 'oh')}
${divide('q3', 'kx', 'q2', 'kw')}${divide('plane', 'ky', 'q3', 'kh')}
const y = oy * sy - py + ky * dy;
const x = ox * sx - px + kx * dx;
if (y >= 0 && y < h && x >= 0 && x < w) { return a[offset + (plane * h + y) * w + x]; }
return 0;`,
};

/** Adds every column whose window shows this pixel. */
const foldSource: KernelSource = {
  name: 'fold',
  arrays: ['a'],
  ints: ['offset', 'h', 'w', 'oh', 'ow', ...window],
  floats: [],
  body: `${divide('q1', 'x', 'this.thread.x', 'w')}${divide('plane', 'y', 'q1', 'h')}
let s = 0.0;
for (let ky = 0; ky < kh; ky++) {
  const ty = y + py - ky * dy;
  ${divide('oy', 'ry', 'ty', 'sy')}
  if (ty >= 0 && ry === 0 && oy < oh) {
    for (let kx = 0; kx < kw; kx++) {
      const tx = x + px - kx * dx;
      ${divide('ox', 'rx', 'tx', 'sx')}
      if (tx >= 0 && rx === 0 && ox < ow) {
        s += a[offset + (((plane * kh + ky) * kw + kx) * oh + oy) * ow + ox];
      }
    }
  }
}
return s;`,
};

function unfold(context: Context): Kernel<'unfold'> {
  return ([x], [out], attrs) => launchWindow(context, unfoldSource, x!, out!, x!, attrs);
}

function fold(context: Context): Kernel<'fold'> {
  return ([x], [out], attrs) => launchWindow(context, foldSource, x!, out!, out!, attrs);
}

function launchWindow(
  context: Context,
  source: KernelSource,
  x: View,
  out: View,
  image: View,
  attrs: Parameters<typeof windowSizes>[0],
): void {
  const h = image.shape[2]!;
  const w = image.shape[3]!;
  const along = (axis: 0 | 1, size: number) =>
    positions(
      size,
      attrs.kernel[axis],
      attrs.stride[axis],
      attrs.padding[axis],
      attrs.dilation[axis],
    );
  launch(context, source, [x], out, {
    ints: [x.offset, h, w, along(0, h), along(1, w), ...windowSizes(attrs)],
  });
}

/** `h_t` from the start of the line to t: every element walks its own line. */
const recurrenceSource: KernelSource = {
  name: 'linearRecurrence',
  arrays: ['a', 'b'],
  ints: ['oa', 'ob', 'steps', 'n', 'reverse'],
  floats: [],
  body: `${divide('q', 'column', 'this.thread.x', 'n')}${divide('line', 'at', 'q', 'steps')}
const base = line * steps * n + column;
const last = reverse > 0 ? steps - 1 - at : at;
let state = 0.0;
for (let j = 0; j < steps; j++) {
  if (j <= last) {
    const t = reverse > 0 ? steps - 1 - j : j;
    state = a[oa + base + t * n] * state + b[ob + base + t * n];
  }
}
return state;`,
};

function linearRecurrence(context: Context): Kernel<'linearRecurrence'> {
  return ([a, b], [out], { reverse }) => {
    const rank = a!.shape.length;
    launch(context, recurrenceSource, [a!, b!], out!, {
      ints: [a!.offset, b!.offset, a!.shape[rank - 2]!, a!.shape[rank - 1]!, Number(reverse)],
    });
  };
}

/** y_t = Σ_{s ≤ t} k_s u_{t-s}, summed as it stands: O(l²). */
function convolutionSource(rank: number): KernelSource {
  return {
    name: `longConv/${rank}`,
    arrays: ['u', 'k'],
    ints: [
      ...sizeNames(rank),
      'ou',
      'ok',
      ...strideNames('u', rank),
      ...strideNames('k', rank),
      'l',
    ],
    floats: [],
    body: `${divide('line', 't', 'this.thread.x', 'l')}${coordinates('line', rank)}
const pu = ou + ${dotStrides('u', rank)};
const pk = ok + ${dotStrides('k', rank)};
let s = 0.0;
for (let j = 0; j < l; j++) {
  if (j <= t) { s += k[pk + j] * u[pu + t - j]; }
}
return s;`,
  };
}

function longConv(context: Context): Kernel<'longConv'> {
  return ([u, k], [out]) => {
    const { shape } = out!;
    const length = shape[shape.length - 1]!;
    const batch = shape.slice(0, -1);
    const walk = coalesce(
      batch,
      [u!, k!].map((v) => broadcastStrides(v.shape.slice(0, -1), batch).map((s) => s * length)),
    );
    launch(context, convolutionSource(walk.shape.length), [u!, k!], out!, {
      ints: [...walk.shape.slice(1), u!.offset, k!.offset, ...walk.strides.flat(), length],
    });
  };
}

/** One part of X_k = Σ_t x_t e^(∓2πi k t / n); the phase k t mod n is kept exact by adding k. */
function fourierSource(part: 're' | 'im'): KernelSource {
  const term =
    part === 're'
      ? 're[pr + t] * cosines[phase] - im[pi + t] * sines[phase]'
      : 're[pr + t] * sines[phase] + im[pi + t] * cosines[phase]';
  return {
    name: `fft.${part}`,
    arrays: ['re', 'im', 'cosines', 'sines'],
    ints: ['or', 'oi', 'n'],
    floats: ['factor'],
    body: `${divide('line', 'k', 'this.thread.x', 'n')}const pr = or + line * n;
const pi = oi + line * n;
let s = 0.0;
let phase = 0.0;
for (let t = 0; t < n; t++) {
  s += ${term};
  phase = phase + k;
  if (phase >= n) { phase = phase - n; }
}
return s * factor;`,
  };
}

/** Sums over a table of twiddles, O(n²). */
function fft(context: Context): Kernel<'fft'> {
  return ([re, im], [outRe, outIm], { inverse }) => {
    const n = re!.shape[re!.shape.length - 1]!;
    if (re!.size === 0) return;
    const angle = ((inverse ? 2 : -2) * Math.PI) / n;
    const table = (f: 'cos' | 'sin') =>
      context.constants.get(`fft ${f} ${angle}`, () =>
        Float32Array.from({ length: n }, (_, i) => Math[f](angle * i)),
      );
    const twiddles = [table('cos'), table('sin')];
    const arrays = [...[re!, im!].map((v) => context.memory.load('fft', v)), ...twiddles];
    const options = { ints: [re!.offset, im!.offset, n], floats: [inverse ? 1 / n : 1] };
    for (const [part, out] of [
      ['re', outRe!],
      ['im', outIm!],
    ] as const) {
      const sums = compute(context, fourierSource(part), arrays, out.size, options);
      context.memory.store(out, sums);
    }
  };
}

/** Kernels of `unfold`, `fold`, `fft`, `longConv` and `linearRecurrence`. */
export function sequenceKernels(context: Context): Pick<Kernels, SequenceName> {
  return {
    unfold: unfold(context),
    fold: fold(context),
    fft: fft(context),
    longConv: longConv(context),
    linearRecurrence: linearRecurrence(context),
  };
}
