/** Ops that move, choose or make elements: every cell is read from one place, or from none. */
import { type Kernels, ValueError } from '@loretta-ts/core';
import { at, type Index, type MakeKernel, type Source } from './cells';
import { threefry } from './threefry';

/** An index that came as data is checked here: `infer` sees shapes only. */
export function checked(op: string, index: number, limit: number): number {
  if (index >= 0 && index < limit) return index;
  throw new ValueError(op, `index ${index} is outside [0, ${limit}): pass indices of that range`);
}

/** Truncates towards zero into the range of i32; NaN gives 0. */
function toInteger(x: number): number {
  return Math.trunc(Math.max(-(2 ** 31), Math.min(2 ** 31 - 1, x))) || 0;
}

/** Kernels of the ops that move elements. */
export function moves(kernel: MakeKernel) {
  return {
    cast: kernel<'cast'>(([x], { dtype }) =>
      dtype === 'i32' ? (i) => toInteger(x!.at(i)) : (i) => x!.at(i),
    ),
    permute: kernel<'permute'>(([x], { axes }) => {
      const inverse = axes.map((_, axis) => axes.indexOf(axis));
      return (i) => x!.at(inverse.map((from) => i[from]!));
    }),
    slice: kernel<'slice'>(
      ([x], { starts, steps }) =>
        (i) =>
          x!.at(i.map((n, axis) => starts[axis]! + n * steps[axis]!)),
    ),
    pad: kernel<'pad'>(([x], { before, value }) => (i) => {
      const inside = i.map((n, axis) => n - before[axis]!);
      return inside.every((n, axis) => n >= 0 && n < x!.shape[axis]!) ? x!.at(inside) : value;
    }),
    concat: kernel<'concat'>((xs, { axis }) => (i) => {
      let place = i[axis]!;
      for (const x of xs) {
        if (place < x.shape[axis]!) return x.at(at(i, axis, place));
        place -= x.shape[axis]!;
      }
      return 0; // not reached: the sizes add up to the output's
    }),
    broadcastTo: kernel<'broadcastTo'>(
      ([x]) =>
        (i) =>
          x!.at(i),
    ),
    flip: kernel<'flip'>(
      ([x], { axes }) =>
        (i) =>
          x!.at(i.map((n, axis) => (axes.includes(axis) ? x!.shape[axis]! - 1 - n : n))),
    ),
    where: kernel<'where'>(
      ([condition, a, b]) =>
        (i) =>
          condition!.at(i) !== 0 ? a!.at(i) : b!.at(i),
    ),
    gather: kernel<'gather'>(
      ([x, index], { axis }) =>
        (i) =>
          x!.at(at(i, axis, checked('gather', index!.at(i), x!.shape[axis]!))),
    ),
    embedding: kernel<'embedding'>(([table, ids]) => {
      const rank = ids!.shape.length;
      return (i) => {
        const row = checked('embedding', ids!.at(i.slice(0, rank)), table!.shape[0]!);
        return table!.at([row, ...i.slice(rank)]);
      };
    }),
    updateSlice: kernel<'updateSlice'>(([x, update, start], { axis }) => {
      const size = update!.shape[axis]!;
      const first = start!.at([]);
      checked('updateSlice', first, x!.shape[axis]! - size + 1);
      const inside = (i: Index): boolean => i[axis]! >= first && i[axis]! < first + size;
      return (i) => (inside(i) ? update!.at(at(i, axis, i[axis]! - first)) : x!.at(i));
    }),
    unfold: kernel<'unfold'>(([x], window) => {
      const pixel = pixelOf(window, x!.shape[2]!, x!.shape[3]!);
      return ([b, row, column]) => {
        const place = pixel(row!, column!);
        return place === null ? 0 : x!.at([b!, place.channel, place.y, place.x]);
      };
    }),
    fill: kernel<'fill'>(
      (_, { value }) =>
        () =>
          value,
    ),
    iota: kernel<'iota'>(
      (_, { start, step }) =>
        ([i]) =>
          start + i! * step,
    ),
    randomBits: kernel<'randomBits'>(([key], { shape, stream }) => {
      const words = [key!.at([0]), key!.at([1])] as const;
      const flat = (i: Index): number => i.reduce((n, d, axis) => n * shape[axis]! + d, 0);
      return (i) => threefry(words, [flat(i) >>> 1, stream])[flat(i) % 2]!;
    }),
  } satisfies Partial<Kernels>;
}

/** Which pixel a place of the columns of `unfold` shows; null for padding. */
export function pixelOf(
  { kernel: [kh, kw], stride, padding, dilation }: Parameters<Kernels['unfold']>[2],
  height: number,
  width: number,
) {
  const across = Math.floor((width + 2 * padding[1] - dilation[1] * (kw - 1) - 1) / stride[1]) + 1;
  return (row: number, column: number) => {
    const [ky, kx] = [Math.floor(row / kw) % kh, row % kw];
    const y = Math.floor(column / across) * stride[0] - padding[0] + ky * dilation[0];
    const x = (column % across) * stride[1] - padding[1] + kx * dilation[1];
    if (y < 0 || y >= height || x < 0 || x >= width) return null;
    return { channel: Math.floor(row / (kh * kw)), y, x };
  };
}

/** The numbers of a source along one axis, at the other places of an index. */
export function along(x: Source, axis: number, index: Index): number[] {
  return Array.from({ length: x.shape[axis]! }, (_, n) => x.at(at(index, axis, n)));
}
