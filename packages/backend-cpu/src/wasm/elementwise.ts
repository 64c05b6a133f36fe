/** Elementwise f32 ops: SIMD over rows, any broadcasting by a walk over the outer axes. */
import type { Kernels, Shape, View } from '@loretta-ts/core';
import type { WasmKernels } from './kernels.generated';
import { at, atBytes, equalShapes, isF32, type PlainKernel, type SomeKernels } from './view';

/** Order of the codes in `assembly/elementwise.ts`. */
const binaryNames = ['add', 'sub', 'mul', 'div', 'maximum', 'minimum'] as const;
const compareNames = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;
/** The comparison with its sides exchanged. */
const mirrored = [0, 1, 4, 5, 2, 3] as const;
const unaryNames = [
  'neg',
  'abs',
  'square',
  'sqrt',
  'rsqrt',
  'reciprocal',
  'relu',
  'exp',
  'log',
  'tanh',
  'sigmoid',
  'softplus',
  'erf',
  'floor',
  'ceil',
  'round',
] as const;

export function elementwiseKernels(wasm: WasmKernels, reference: Kernels): SomeKernels {
  const kernels: SomeKernels = {};
  binaryNames.forEach((name, op) => {
    kernels[name] = binaryKernel(wasm, op, reference[name]);
  });
  compareNames.forEach((name, op) => {
    kernels[name] = compareKernel(wasm, op, reference[name]);
  });
  unaryNames.forEach((name, op) => {
    const slow = reference[name];
    kernels[name] = (ins, outs, attrs) => {
      const x = ins[0]!;
      if (x.dtype === 'f32') wasm.unary(op, x.size, at(x), at(outs[0]!));
      else slow(ins, outs, attrs);
    };
  });
  const slowWhere = reference.where;
  kernels.where = (ins, outs, attrs) => {
    const [cond, a, b] = ins as readonly [View, View, View];
    const out = outs[0]!;
    if ((out.dtype === 'f32' || out.dtype === 'i32') && cond.size === out.size) {
      const oneA = a.size === 1;
      const oneB = b.size === 1;
      if ((oneA || a.size === out.size) && (oneB || b.size === out.size)) {
        wasm.select32(out.size, atBytes(cond), at(a), oneA, at(b), oneB, at(out));
        return;
      }
    }
    slowWhere(ins, outs, attrs);
  };
  return kernels;
}

function binaryKernel(
  wasm: WasmKernels,
  op: number,
  slow: PlainKernel,
): PlainKernel {
  return (ins, outs, attrs) => {
    const a = ins[0]!;
    const b = ins[1]!;
    const out = outs[0]!;
    const n = out.size;
    if (out.dtype !== 'f32') slow(ins, outs, attrs);
    else if (n === 0) return;
    // Equal sizes mean equal shapes up to axes of size 1.
    else if (a.size === n && b.size === n) {
      wasm.binary(op, 1, n, at(a), 0, false, at(b), 0, false, at(out));
    } else if (b.size === 1) wasm.binary(op, 1, n, at(a), 0, false, at(b), 0, true, at(out));
    else if (a.size === 1) wasm.binary(op, 1, n, at(a), 0, true, at(b), 0, false, at(out));
    else if (a.size === n && isSuffix(b.shape, a.shape)) {
      wasm.binary(op, n / b.size, b.size, at(a), b.size, false, at(b), 0, false, at(out));
    } else broadcastBinary(wasm, op, a, b, out);
  };
}

/** Whether the last axes of `shape` are `tail`. */
function isSuffix(tail: Shape, shape: Shape): boolean {
  const shift = shape.length - tail.length;
  for (let i = 0; i < tail.length; i++) {
    if (tail[i] !== shape[shift + i]) return false;
  }
  return true;
}

/** Axes of the output, innermost first, merged where both operands run on; strides of 0 repeat. */
function mergedAxes(a: Shape, b: Shape, out: Shape): { size: number; a: number; b: number }[] {
  const axes: { size: number; a: number; b: number }[] = [];
  let strideA = 1;
  let strideB = 1;
  for (let i = 1; i <= out.length; i++) {
    const size = out[out.length - i]!;
    const sizeA = a[a.length - i] ?? 1;
    const sizeB = b[b.length - i] ?? 1;
    if (size === 1) continue;
    const stepA = sizeA === 1 ? 0 : strideA;
    const stepB = sizeB === 1 ? 0 : strideB;
    const last = axes[axes.length - 1];
    if (last && stepA === last.a * last.size && stepB === last.b * last.size) last.size *= size;
    else axes.push({ size, a: stepA, b: stepB });
    strideA *= sizeA;
    strideB *= sizeB;
  }
  return axes;
}

function broadcastBinary(wasm: WasmKernels, op: number, a: View, b: View, out: View): void {
  const axes = mergedAxes(a.shape, b.shape, out.shape);
  const inner = axes[0]!;
  const row = axes[1] ?? { size: 1, a: 0, b: 0 };
  const block = inner.size * row.size;
  const index = new Int32Array(axes.length);
  let pa = at(a);
  let pb = at(b);
  const end = at(out) + out.size * 4;
  for (let po = at(out); po < end; po += block * 4) {
    wasm.binary(op, row.size, inner.size, pa, row.a, inner.a === 0, pb, row.b, inner.b === 0, po);
    for (let d = 2; d < axes.length; d++) {
      const axis = axes[d]!;
      pa += axis.a * 4;
      pb += axis.b * 4;
      index[d]!++;
      if (index[d]! < axis.size) break;
      index[d] = 0;
      pa -= axis.a * axis.size * 4;
      pb -= axis.b * axis.size * 4;
    }
  }
}

function compareKernel(
  wasm: WasmKernels,
  op: number,
  slow: PlainKernel,
): PlainKernel {
  return (ins, outs, attrs) => {
    const a = ins[0]!;
    const b = ins[1]!;
    const out = outs[0]!;
    const n = out.size;
    if (!isF32(ins)) slow(ins, outs, attrs);
    else if (equalShapes(a, b)) wasm.compare(op, n, at(a), at(b), false, atBytes(out));
    else if (b.size === 1) wasm.compare(op, n, at(a), at(b), true, atBytes(out));
    else if (a.size === 1) wasm.compare(mirrored[op]!, n, at(b), at(a), true, atBytes(out));
    else slow(ins, outs, attrs);
  };
}
