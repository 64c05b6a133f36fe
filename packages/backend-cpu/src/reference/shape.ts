/** Ops that move elements: one strided copy each. */
import type { Kernel, Kernels } from '@loretta-ts/core';
import { stridesOf } from '@loretta-ts/core';
import { toInt32Saturating } from './math';
import type { Read } from './strided';
import { aroundAxis, broadcastStrides, copyStrided } from './strided';

type ShapeName = 'cast' | 'permute' | 'slice' | 'pad' | 'concat' | 'broadcastTo' | 'flip';

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, v, i) => sum + v * b[i]!, 0);
}

/** Float to i32 truncates and saturates, NaN to 0; to bool is `!= 0`. */
function cast(read: Read): Kernel<'cast'> {
  return ([x], [out], { dtype }) => {
    const from = read(x!);
    const to = read(out!);
    if (dtype === 'bool') {
      for (let i = 0; i < to.length; i++) to[i] = from[i] !== 0 ? 1 : 0;
    } else if (dtype === 'i32') {
      for (let i = 0; i < to.length; i++) to[i] = toInt32Saturating(from[i]!);
    } else {
      to.set(from);
    }
  };
}

function permute(read: Read): Kernel<'permute'> {
  return ([x], [out], { axes }) => {
    const own = stridesOf(x!.shape);
    copyStrided(out!.shape, read(out!), { offset: 0, strides: stridesOf(out!.shape) }, read(x!), {
      offset: 0,
      strides: axes.map((a) => own[a]!),
    });
  };
}

function slice(read: Read): Kernel<'slice'> {
  return ([x], [out], { starts, sizes, steps }) => {
    const own = stridesOf(x!.shape);
    copyStrided(sizes, read(out!), { offset: 0, strides: stridesOf(sizes) }, read(x!), {
      offset: dot(starts, own),
      strides: own.map((s, i) => s * steps[i]!),
    });
  };
}

function pad(read: Read): Kernel<'pad'> {
  return ([x], [out], { before, value }) => {
    const to = read(out!);
    const strides = stridesOf(out!.shape);
    to.fill(out!.dtype === 'bool' ? Number(value !== 0) : value);
    copyStrided(x!.shape, to, { offset: dot(before, strides), strides }, read(x!), {
      offset: 0,
      strides: stridesOf(x!.shape),
    });
  };
}

function concat(read: Read): Kernel<'concat'> {
  return (ins, [out], { axis }) => {
    const to = read(out!);
    const { outer, length, inner } = aroundAxis(out!.shape, axis);
    let start = 0;
    for (const x of ins) {
      const run = x.shape[axis]! * inner;
      const from = read(x);
      for (let o = 0; o < outer; o++) {
        to.set(from.subarray(o * run, (o + 1) * run), o * length * inner + start);
      }
      start += run;
    }
  };
}

function broadcastTo(read: Read): Kernel<'broadcastTo'> {
  return ([x], [out], { shape }) => {
    copyStrided(shape, read(out!), { offset: 0, strides: stridesOf(shape) }, read(x!), {
      offset: 0,
      strides: broadcastStrides(x!.shape, shape),
    });
  };
}

function flip(read: Read): Kernel<'flip'> {
  return ([x], [out], { axes }) => {
    const shape = x!.shape;
    const own = stridesOf(shape);
    copyStrided(shape, read(out!), { offset: 0, strides: own }, read(x!), {
      offset: axes.reduce((sum, a) => sum + (shape[a]! - 1) * own[a]!, 0),
      strides: own.map((s, i) => (axes.includes(i) ? -s : s)),
    });
  };
}

/** Kernels of `cast` and of the ops that rearrange elements. `reshape` is a view and has none. */
export function shapeKernels(read: Read): Pick<Kernels, ShapeName> {
  return {
    cast: cast(read),
    permute: permute(read),
    slice: slice(read),
    pad: pad(read),
    concat: concat(read),
    broadcastTo: broadcastTo(read),
    flip: flip(read),
  };
}
