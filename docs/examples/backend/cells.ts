/** The one idea of this backend: a kernel says what stands in each cell of its result, given the cell's index. */
import type { Kernel, OpName, Shape, View } from '@loretta-ts/core';

/** Where a cell stands: one number for each axis. */
export type Index = readonly number[];

/** A view that can be read cell by cell. */
export interface Source extends View {
  /** The value at an index; axes of size 1 and missing leading axes repeat, as NumPy broadcasts. */
  at(index: Index): number;
}

/** Gives access to the numbers of a view: the backend knows where they are. */
export interface Memory {
  /** The number at place `i` of a view, row by row. */
  get(view: View, i: number): number;
  /** Stores a number, rounded to the dtype of the view. */
  set(view: View, i: number, value: number): void;
}

/** Calls `visit` with every index of a shape and its place in row-major order. */
export function eachIndex(shape: Shape, visit: (index: number[], place: number) => void): void {
  const size = shape.reduce((n, d) => n * d, 1);
  const index = shape.map(() => 0);
  for (let place = 0; place < size; place++) {
    visit(index, place);
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]!++;
      if (index[axis]! < shape[axis]!) break;
      index[axis] = 0;
    }
  }
}

/** `index` with another number at one axis. */
export function at(index: Index, axis: number, value: number): number[] {
  const moved = [...index];
  moved[axis] = value;
  return moved;
}

/** Makes a view readable. */
export function source(memory: Memory, view: View): Source {
  const { shape } = view;
  return {
    ...view,
    at(index) {
      const lead = index.length - shape.length;
      let place = 0;
      for (const [axis, size] of shape.entries()) {
        place = place * size + (size === 1 ? 0 : index[lead + axis]!);
      }
      return memory.get(view, place);
    },
  };
}

/** The value of the cell at an index. The index is reused: copy it to keep it. */
export type Cell = (index: Index) => number;

/** A kernel with one output, from what its cells are. */
export type MakeKernel = <N extends OpName>(
  cellOf: (ins: readonly Source[], attrs: Parameters<Kernel<N>>[2], out: View) => Cell,
) => Kernel<N>;

/** A kernel that begins with the cells of one view, or with zeros, and adds numbers to cells that it names. */
export type MakeScatter = <N extends OpName>(
  start: (ins: readonly View[]) => View | null,
  visit: (
    ins: readonly Source[],
    attrs: Parameters<Kernel<N>>[2],
    out: View,
    add: (index: Index, value: number) => void,
  ) => void,
) => Kernel<N>;

/** `MakeScatter` on a memory. */
export function scattersOn(memory: Memory): MakeScatter {
  return (start, visit) => (ins, outs, attrs) => {
    const out = outs[0]!;
    const first = start(ins);
    const cells = Array.from({ length: out.size }, (_, n) => (first ? memory.get(first, n) : 0));
    const sources = ins.map((view) => source(memory, view));
    visit(sources, attrs, out, (index, value) => {
      cells[index.reduce((place, n, axis) => place * out.shape[axis]! + n, 0)]! += value;
    });
    for (const [n, value] of cells.entries()) memory.set(out, n, value);
  };
}

/** `MakeKernel` on a memory. */
export function kernelsOn(memory: Memory): MakeKernel {
  return (cellOf) => (ins, outs, attrs) => {
    const out = outs[0]!;
    const cell = cellOf(
      ins.map((view) => source(memory, view)),
      attrs,
      out,
    );
    eachIndex(out.shape, (index, place) => memory.set(out, place, cell(index)));
  };
}
