/** Ops that move elements: whole rows by copies, transposes by blocks, any number of outer axes. */
import {
  bytesPerElement,
  type Kernels,
  type Shape,
  stridesOf,
  ValueError,
  type View,
} from '@loretta-ts/core';
import type { PoolBuffer } from '../pool';
import type { WasmKernels } from './kernels.generated';
import { at, type SomeKernels } from './view';

/** One output axis; steps in bytes. */
interface Axis {
  size: number;
  readonly from: number;
  readonly to: number;
}

function address(v: View): number {
  return (v.buffer as PoolBuffer).ptr + v.offset * bytesPerElement[v.dtype];
}

export function moveKernels(wasm: WasmKernels, reference: Kernels): SomeKernels {
  return {
    permute(ins, outs, attrs) {
      const x = ins[0]!;
      if (bytesPerElement[x.dtype] !== 4) reference.permute(ins, outs, attrs);
      else {
        const own = stridesOf(x.shape);
        const out = outs[0]!;
        const steps = attrs.axes.map((a) => own[a]! * 4);
        move(wasm, out.shape, steps, address(x), address(out));
      }
    },
    slice(ins, outs, attrs) {
      const x = ins[0]!;
      if (bytesPerElement[x.dtype] !== 4) reference.slice(ins, outs, attrs);
      else {
        const own = stridesOf(x.shape);
        const out = outs[0]!;
        let from = address(x);
        for (let i = 0; i < own.length; i++) from += attrs.starts[i]! * own[i]! * 4;
        const steps = attrs.steps.map((s, i) => s * own[i]! * 4);
        move(wasm, out.shape, steps, from, address(out));
      }
    },
    broadcastTo(ins, outs, attrs) {
      const x = ins[0]!;
      if (bytesPerElement[x.dtype] !== 4) reference.broadcastTo(ins, outs, attrs);
      else {
        const out = outs[0]!;
        const own = stridesOf(x.shape);
        const lead = out.shape.length - own.length;
        const steps = out.shape.map((_, i) =>
          i < lead || x.shape[i - lead] === 1 ? 0 : own[i - lead]! * 4,
        );
        move(wasm, out.shape, steps, address(x), address(out));
      }
    },
    concat(ins, outs, { axis }) {
      const out = outs[0]!;
      const width = bytesPerElement[out.dtype];
      let rows = 1;
      for (let i = 0; i < axis; i++) rows *= out.shape[i]!;
      if (rows === 0) return;
      const step = (out.size / rows) * width;
      let to = address(out);
      for (let i = 0; i < ins.length; i++) {
        const x = ins[i]!;
        const bytes = (x.size / rows) * width;
        if (bytes > 0) wasm.copyRows(rows, bytes, address(x), bytes, to, step);
        to += bytes;
      }
    },
    cast(ins, outs, attrs) {
      const x = ins[0]!;
      const out = outs[0]!;
      const from = address(x);
      if (x.dtype === 'f32' && attrs.dtype === 'i32') wasm.f32ToI32(x.size, from, address(out));
      else if (x.dtype === 'i32' && attrs.dtype === 'f32')
        wasm.i32ToF32(x.size, from, address(out));
      else if (x.dtype === 'bool' && attrs.dtype === 'f32')
        wasm.boolToF32(x.size, from, address(out));
      else reference.cast(ins, outs, attrs);
    },
  };
}

/** Fills a contiguous output of 32-bit elements from a source with any steps (bytes, 0 repeats, negative runs back). */
function move(
  wasm: WasmKernels,
  shape: Shape,
  steps: readonly number[],
  from: number,
  to: number,
): void {
  const axes = mergedAxes(shape, steps);
  if (axes === null) return;
  const inner = axes[0]!;
  const second = axes[1];
  // The axis that is contiguous in the source turns a strided gather into a transpose.
  const turned = inner.from > 4 ? axes.findIndex((a) => a.from === 4) : -1;
  const paired = turned > 0 ? turned : inner.from === 4 || inner.from === 0 ? 1 : 0;
  const outer = axes.filter((_, i) => i !== 0 && i !== paired);
  eachPosition(outer, from, to, (p, q) => {
    if (turned > 0) {
      const other = axes[turned]!;
      wasm.transpose32(inner.size, other.size, p, inner.from / 4, q, other.to / 4);
    } else if (inner.from === 4) {
      const bytes = inner.size * 4;
      wasm.copyRows(second?.size ?? 1, bytes, p, second?.from ?? bytes, q, second?.to ?? bytes);
    } else if (inner.from === 0)
      wasm.fillRows32(second?.size ?? 1, inner.size, p, second?.from ?? 0, q);
    else wasm.gatherStrided32(inner.size, p, inner.from, q);
  });
}

/** Axes innermost first without those of size 1, joined where the source runs on; null when nothing is to be moved. */
function mergedAxes(shape: Shape, steps: readonly number[]): Axis[] | null {
  const axes: Axis[] = [];
  let to = 4;
  for (let i = shape.length - 1; i >= 0; i--) {
    const size = shape[i]!;
    if (size === 0) return null;
    if (size === 1) continue;
    const last = axes[axes.length - 1];
    if (last && steps[i] === last.from * last.size) last.size *= size;
    else axes.push({ size, from: steps[i]!, to });
    to *= size;
  }
  if (axes.length === 0) axes.push({ size: 1, from: 4, to: 4 });
  return axes;
}

/** Calls `row` for each position of the axes, in row-major order. */
function eachPosition(
  axes: readonly Axis[],
  from: number,
  to: number,
  row: (from: number, to: number) => void,
): void {
  if (axes.length === 0) {
    row(from, to);
    return;
  }
  const index = new Int32Array(axes.length);
  let p = from;
  let q = to;
  for (;;) {
    row(p, q);
    let d = 0;
    for (; d < axes.length; d++) {
      const axis = axes[d]!;
      p += axis.from;
      q += axis.to;
      index[d]!++;
      if (index[d]! < axis.size) break;
      index[d] = 0;
      p -= axis.from * axis.size;
      q -= axis.to * axis.size;
    }
    if (d === axes.length) return;
  }
}

/** `memory` is looked at anew in each call. */
export function tableKernels(
  wasm: WasmKernels,
  memory: WebAssembly.Memory,
  reference: Kernels,
): SomeKernels {
  return {
    embedding([table, ids], [out]) {
      const rows = table!.shape[0]!;
      checkIds(wasm, memory, 'embedding', ids!, rows);
      if (out!.size === 0) return;
      const bytes = (out!.size / ids!.size) * bytesPerElement[table!.dtype];
      wasm.gatherRows(ids!.size, bytes, address(table!), at(ids!), address(out!));
    },
    embeddingGrad(ins, outs, attrs) {
      const [ids, dy] = ins as readonly [View, View];
      const out = outs[0]!;
      if (dy.dtype !== 'f32') {
        reference.embeddingGrad(ins, outs, attrs);
        return;
      }
      checkIds(wasm, memory, 'embeddingGrad', ids, attrs.rows);
      wasm.zero(out.size * 4, at(out));
      if (dy.size > 0) wasm.addRows(ids.size, dy.size / ids.size, at(ids), at(dy), at(out));
    },
    updateSlice(ins, outs, { axis }) {
      const [x, update, start] = ins as readonly [View, View, View];
      const out = outs[0]!;
      const width = bytesPerElement[x.dtype];
      const length = x.shape[axis]!;
      const size = update.shape[axis]!;
      const first = new Int32Array(memory.buffer, at(start), 1)[0]!;
      if (first < 0 || first + size > length) {
        throw new ValueError(
          'updateSlice',
          `start ${first} with ${size} elements is outside axis ${axis} of size ${length}: ` +
            `start may be 0 to ${length - size}`,
        );
      }
      const to = address(out);
      if (to !== address(x))
        wasm.copyRows(1, x.size * width, address(x), x.size * width, to, x.size * width);
      if (update.size === 0) return;
      let rows = 1;
      for (let i = 0; i < axis; i++) rows *= x.shape[i]!;
      const bytes = (update.size / rows) * width;
      const step = (x.size / rows) * width;
      wasm.copyRows(rows, bytes, address(update), bytes, to + first * (bytes / size), step);
    },
  };
}

function checkIds(
  wasm: WasmKernels,
  memory: WebAssembly.Memory,
  op: string,
  ids: View,
  rows: number,
): void {
  const bad = wasm.firstOutside(ids.size, at(ids), rows, 0);
  // With no rows at all even id 0 is outside.
  const first = bad < 0 && rows === 0 && ids.size > 0 ? 0 : bad;
  if (first < 0) return;
  const id = new Int32Array(memory.buffer, at(ids), ids.size)[first]!;
  throw new ValueError(
    op,
    `index ${id} (element ${first}) is outside [0, ${rows}): pass indices of that range`,
  );
}
