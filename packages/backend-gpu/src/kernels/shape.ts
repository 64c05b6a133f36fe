/** Ops that move elements, and those that make them from attributes. */
import type { Kernel, Kernels, View } from '@loretta-ts/core';
import { BackendError, stridesOf } from '@loretta-ts/core';
import type { DeviceArray } from '../executor';
import { aroundAxis } from '../layout';
import { compute, type Context, filled, launch } from '../launch';
import { assertExact } from '../memory';
import { coordinates, divide, type KernelSource, maxInteger, sizeNames, times } from '../source';
import { broadcast, launchMap } from './elementwise';

type ShapeName = 'permute' | 'slice' | 'pad' | 'concat' | 'broadcastTo' | 'flip' | 'fill' | 'iota';

const copy = { name: 'copy', operands: ['x'], body: 'return x;' } as const;

function dot(a: readonly number[], b: readonly number[]): number {
  return a.reduce((sum, v, i) => sum + v * b[i]!, 0);
}

function permute(context: Context): Kernel<'permute'> {
  return ([x], [out], { axes }) => {
    const own = stridesOf(x!.shape);
    const strides = axes.map((a) => own[a]!);
    launchMap(context, copy, [{ view: x!, start: 0, strides }], out!, { range: 'first' });
  };
}

function slice(context: Context): Kernel<'slice'> {
  return ([x], [out], { starts, steps }) => {
    const own = stridesOf(x!.shape);
    const strides = own.map((s, i) => s * steps[i]!);
    launchMap(context, copy, [{ view: x!, start: dot(starts, own), strides }], out!, {
      range: 'first',
    });
  };
}

function broadcastTo(context: Context): Kernel<'broadcastTo'> {
  return ([x], [out]) => launchMap(context, copy, [broadcast(x!, out!)], out!, { range: 'first' });
}

function flip(context: Context): Kernel<'flip'> {
  return ([x], [out], { axes }) => {
    const { shape } = x!;
    const own = stridesOf(shape);
    const start = axes.reduce((sum, a) => sum + (shape[a]! - 1) * own[a]!, 0);
    const strides = own.map((s, i) => (axes.includes(i) ? -s : s));
    launchMap(context, copy, [{ view: x!, start, strides }], out!, { range: 'first' });
  };
}

/** Coordinate d of the output is `before_d` to the right of the input's, which has `m_d` elements and stride `s_d`. */
function padSource(rank: number): KernelSource {
  const shifted = times(rank, (d) => `const p${d} = c${d} - before${d};\n`).join('');
  const inside = times(rank, (d) => `p${d} >= 0 && p${d} < m${d}`).join(' && ');
  const place = times(rank, (d) => `p${d} * s${d}`).join(' + ');
  const named = (prefix: string) => times(rank, (d) => `${prefix}${d}`);
  return {
    name: `pad/${rank}`,
    arrays: ['a'],
    ints: [...sizeNames(rank), 'offset', ...named('before'), ...named('m'), ...named('s')],
    floats: ['value'],
    body: `${coordinates('this.thread.x', rank)}${shifted}if (${inside}) { return a[offset + ${place}]; }
return value;`,
  };
}

function pad(context: Context): Kernel<'pad'> {
  return ([x], [out], { before, value }) => {
    // A scalar has nothing to pad: an axis of size 1 stands for it.
    const scalar = x!.shape.length === 0;
    const shape = scalar ? [1] : x!.shape;
    const filler = out!.dtype === 'bool' ? Number(value !== 0) : value;
    if (out!.dtype === 'i32') assertExact('pad', [filler]);
    launch(context, padSource(shape.length), [x!], out!, {
      ints: [
        ...(scalar ? [] : out!.shape.slice(1)),
        x!.offset,
        ...(scalar ? [0] : before),
        ...shape,
        ...stridesOf(shape),
      ],
      floats: [filler],
    });
  };
}

/** Arrays of one kernel: seven is what WebGPU guarantees. */
const mostPieces = 7;

interface Piece {
  readonly array: DeviceArray;
  readonly offset: number;
  /** Elements of a row. */
  readonly run: number;
  /** Made here, to be released. */
  readonly temporary: boolean;
}

/** Rows that take the elements of each piece in turn. */
function joinSource(count: number): KernelSource {
  const pieces = times(count, (i) => i);
  const picks = pieces
    .slice(0, -1)
    .map(
      (i) =>
        `if (rest < n${i}) { return a${i}[o${i} + o * n${i} + rest]; }\nrest = rest - n${i};\n`,
    );
  const last = count - 1;
  return {
    name: `concat/${count}`,
    arrays: pieces.map((i) => `a${i}`),
    ints: [...pieces.map((i) => `o${i}`), ...pieces.map((i) => `n${i}`), 'row'],
    floats: [],
    body: `${divide('o', 'r', 'this.thread.x', 'row')}let rest = r;
${picks.join('')}return a${last}[o${last} + o * n${last} + rest];`,
  };
}

/** Joins up to seven neighbours at a time until one piece is left. */
function joinAll(context: Context, pieces: readonly Piece[], outer: number): Piece {
  if (pieces.length === 1) return pieces[0]!;
  const joined: Piece[] = [];
  for (let i = 0; i < pieces.length; i += mostPieces) {
    const group = pieces.slice(i, i + mostPieces);
    if (group.length === 1) {
      joined.push(group[0]!);
      continue;
    }
    const runs = group.map((p) => p.run);
    const run = runs.reduce((a, b) => a + b, 0);
    const array = compute(
      context,
      joinSource(group.length),
      group.map((p) => p.array),
      outer * run,
      { ints: [...group.map((p) => p.offset), ...runs, run] },
    );
    for (const p of group) if (p.temporary) context.executor.release(p.array);
    joined.push({ array, offset: 0, run, temporary: true });
  }
  return joinAll(context, joined, outer);
}

/** Neighbours that follow each other in one array are one piece of it. */
function merged(pieces: readonly Piece[]): Piece[] {
  const whole: Piece[] = [];
  for (const piece of pieces) {
    const before = whole.at(-1);
    if (before?.array === piece.array && before.offset + before.run === piece.offset) {
      whole[whole.length - 1] = { ...before, run: before.run + piece.run };
    } else whole.push(piece);
  }
  return whole;
}

function concat(context: Context): Kernel<'concat'> {
  return (ins, [out], { axis }) => {
    if (out!.size === 0) return;
    const { outer, inner } = aroundAxis(out!.shape, axis);
    const parts = ins
      .filter((x) => x.size > 0)
      .map(
        (x: View): Piece => ({
          array: context.memory.load('concat', x),
          offset: x.offset,
          run: x.shape[axis]! * inner,
          temporary: false,
        }),
      );
    const pieces = outer === 1 ? merged(parts) : parts;
    const [first] = pieces;
    const result =
      pieces.length === 1
        ? compute(context, copySource, [first!.array], out!.size, {
            ints: [first!.offset],
            range: 'first',
          })
        : joinAll(context, pieces, outer).array;
    context.memory.store(out!, result);
  };
}

/** A run of elements. */
const copySource: KernelSource = {
  name: 'copyRun',
  arrays: ['a'],
  ints: ['offset'],
  floats: [],
  body: 'return a[offset + this.thread.x];',
};

function fill(context: Context): Kernel<'fill'> {
  return (_, [out], { value }) => {
    const { dtype, size, buffer, offset } = out!;
    // Integer scalars (indices, divisors) are worth knowing on the host; others may be beyond f32.
    if (dtype === 'i32' && size > 0 && (size === 1 || Math.abs(value) > maxInteger)) {
      context.memory.storeIntegers(buffer, offset, new Int32Array(size).fill(value));
      return;
    }
    const element = dtype === 'bool' ? Number(value !== 0) : value;
    if (size > 0) context.memory.store(out!, filled(context, element, size));
  };
}

const iotaSource: KernelSource = {
  name: 'iota',
  arrays: [],
  ints: [],
  floats: ['start', 'step'],
  body: 'return start + this.thread.x * step;',
};

function iota(context: Context): Kernel<'iota'> {
  return (_, [out], { start, step, size }) => {
    if (out!.dtype === 'i32') assertExact('iota', [start, start + Math.max(size - 1, 0) * step]);
    if (out!.dtype === 'f64') throw new BackendError('gpu', 'iota: no f64 here: use f32');
    const ends = [start, start + Math.max(size - 1, 0) * step] as const;
    const range = [Math.min(...ends), Math.max(...ends)] as const;
    launch(context, iotaSource, [], out!, { floats: [start, step], range });
  };
}

/** Kernels of the ops that rearrange elements, `fill` and `iota`. `reshape` is a view and has none. */
export function shapeKernels(context: Context): Pick<Kernels, ShapeName> {
  return {
    permute: permute(context),
    slice: slice(context),
    pad: pad(context),
    concat: concat(context),
    broadcastTo: broadcastTo(context),
    flip: flip(context),
    fill: fill(context),
    iota: iota(context),
  };
}
