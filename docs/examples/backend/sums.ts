/** Ops whose cells are made of many: products, reductions, orders, scans, and sums that are scattered. */
import { type Kernels, ShapeError } from '@loretta-ts/core';
import { at, eachIndex, type MakeKernel, type MakeScatter } from './cells';
import { along, checked, pixelOf } from './moves';

type Fold = (sum: number, x: number) => number;

/** Ascending, NaN last. */
function order(x: number, y: number): number {
  return x < y ? -1 : x > y ? 1 : Number(Number.isNaN(x)) - Number(Number.isNaN(y));
}

/** Kernels of the ops that add up. */
export function sums(kernel: MakeKernel, scatter: MakeScatter) {
  const reduce = (op: string, start: number | null, f: Fold, integer: Fold = f) =>
    kernel<'sum' | 'prod' | 'max' | 'min'>(([x], { axes, keepDims }) => {
      const kept = x!.shape.map((_, axis) => axis).filter((axis) => !axes.includes(axis));
      const reduced = axes.map((axis) => x!.shape[axis]!);
      const g = x!.dtype === 'i32' ? integer : f;
      return (i) => {
        if (start === null && reduced.includes(0))
          throw new ShapeError(op, 'nothing to reduce: check the size first', [x!.shape]);
        const place = x!.shape.map(() => 0);
        for (const [n, axis] of kept.entries()) place[axis] = i[keepDims ? axis : n]!;
        let sum = start;
        eachIndex(reduced, (inner) => {
          for (const [n, axis] of axes.entries()) place[axis] = inner[n]!;
          const value = x!.at(place);
          sum = sum === null ? value : g(sum, value);
        });
        return sum!;
      };
    });
  /** The first place of the best, or of the first NaN. */
  const best = (op: string, sign: 1 | -1) =>
    kernel<'argmax' | 'argmin'>(([x], { axis }) => (i) => {
      const line = along(x!, axis, [...i.slice(0, axis), 0, ...i.slice(axis)]);
      if (line.length === 0)
        throw new ShapeError(op, 'nothing to reduce: check the size first', [x!.shape]);
      const nan = line.findIndex(Number.isNaN);
      return nan >= 0 ? nan : line.indexOf(sign * Math.max(...line.map((v) => sign * v)));
    });

  return {
    matmul: kernel<'matmul'>(([a, b], { transA, transB }) => {
      const inner = a!.shape.at(transA ? -2 : -1)!;
      return (i) => {
        const batch = i.slice(0, -2);
        const [row, column] = i.slice(-2) as [number, number];
        let sum = 0;
        for (let k = 0; k < inner; k++) {
          const x = a!.at([...batch, ...(transA ? [k, row] : [row, k])]);
          sum += x * b!.at([...batch, ...(transB ? [column, k] : [k, column])]);
        }
        return sum;
      };
    }),
    sum: reduce('sum', 0, (s, x) => s + x),
    prod: reduce('prod', 1, (p, x) => p * x, Math.imul),
    max: reduce('max', null, (m, x) => Math.max(m, x)),
    min: reduce('min', null, (m, x) => Math.min(m, x)),
    argmax: best('argmax', 1),
    argmin: best('argmin', -1),
    argsort: kernel<'argsort'>(([x], { axis, descending }) => (i) => {
      const line = along(x!, axis, i);
      const places = line.map((_, n) => n);
      places.sort((m, n) => (descending ? order(line[n]!, line[m]!) : order(line[m]!, line[n]!)));
      return places[i[axis]!]!;
    }),
    cumsum: kernel<'cumsum'>(([x], { axis, reverse }) => (i) => {
      const line = along(x!, axis, i);
      const part = reverse ? line.slice(i[axis]!).reverse() : line.slice(0, i[axis]! + 1);
      return part.reduce((sum, value) => sum + value, 0);
    }),
    scatterAdd: scatter<'scatterAdd'>(
      ([x]) => x!,
      ([, index, values], { axis }, out, add) => {
        eachIndex(index!.shape, (i) => {
          const to = checked('scatterAdd', index!.at(i), out.shape[axis]!);
          add(at(i, axis, to), values!.at(i));
        });
      },
    ),
    embeddingGrad: scatter<'embeddingGrad'>(
      () => null,
      ([ids, dy], { rows }, _, add) => {
        const rank = ids!.shape.length;
        eachIndex(dy!.shape, (i) => {
          const row = checked('embeddingGrad', ids!.at(i.slice(0, rank)), rows);
          add([row, ...i.slice(rank)], dy!.at(i));
        });
      },
    ),
    fold: scatter<'fold'>(
      () => null,
      ([columns], window, out, add) => {
        const pixel = pixelOf(window, out.shape[2]!, out.shape[3]!);
        eachIndex(columns!.shape, (i) => {
          const place = pixel(i[1]!, i[2]!);
          if (place !== null) add([i[0]!, place.channel, place.y, place.x], columns!.at(i));
        });
      },
    ),
  } satisfies Partial<Kernels>;
}
