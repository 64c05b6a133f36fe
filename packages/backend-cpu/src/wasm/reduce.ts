/** Sum, max and min of f32 where the reduced axes are the last, the first, or a run in the middle. */
import type { Axes, Kernels, View } from '@loretta-ts/core';
import type { WasmKernels } from './kernels.generated';
import { at, type SomeKernels } from './view';

type ReduceKernel = (ins: readonly View[], outs: readonly View[], attrs: Axes) => void;

export function reduceKernels(wasm: WasmKernels, reference: Kernels): SomeKernels {
  return {
    sum: reduction(
      reference.sum,
      (rows, n, x, y) => wasm.sumRows(rows, n, x, y),
      (rows, n, x, y) => wasm.sumColumns(rows, n, n, x, y),
    ),
    max: reduction(
      reference.max,
      (rows, n, x, y) => wasm.extremeRows(false, rows, n, x, y),
      (rows, n, x, y) => wasm.extremeColumns(false, rows, n, x, y),
    ),
    min: reduction(
      reference.min,
      (rows, n, x, y) => wasm.extremeRows(true, rows, n, x, y),
      (rows, n, x, y) => wasm.extremeColumns(true, rows, n, x, y),
    ),
  };
}

type Reducer = (rows: number, n: number, x: number, y: number) => void;

function reduction(slow: ReduceKernel, alongRows: Reducer, alongColumns: Reducer): ReduceKernel {
  return (ins, outs, attrs) => {
    const x = ins[0]!;
    const { axes } = attrs;
    const first = axes[0] ?? 0;
    const last = axes[axes.length - 1] ?? -1;
    const run = axes.length > 0 && last - first + 1 === axes.length;
    if (!run || x.dtype !== 'f32' || x.size === 0) {
      slow(ins, outs, attrs);
      return;
    }
    let outer = 1;
    let reduced = 1;
    let inner = 1;
    for (let i = 0; i < x.shape.length; i++) {
      const size = x.shape[i]!;
      if (i < first) outer *= size;
      else if (i <= last) reduced *= size;
      else inner *= size;
    }
    const px = at(x);
    const py = at(outs[0]!);
    if (inner === 1) alongRows(outer, reduced, px, py);
    else {
      for (let i = 0; i < outer; i++) {
        alongColumns(reduced, inner, px + i * reduced * inner * 4, py + i * inner * 4);
      }
    }
  };
}
