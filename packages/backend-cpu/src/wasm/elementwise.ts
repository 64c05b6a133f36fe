/** Elementwise ops, f32 and some of i32: SIMD over rows, any broadcasting by a walk over the outer axes. */
import type { Kernels, Shape, View } from '@loretta-ts/core';
import { broadcastAxes, eachBlock } from './broadcast';
import type { WasmKernels } from './kernels.generated';
import { at, type PlainKernel, type SomeKernels } from './view';

/** Codes of `binary` in `assembly/elementwise.ts`: for f32 and i32, -1 for none. */
const binaryCodes = {
  add: [0, 6],
  sub: [1, 7],
  mul: [2, 8],
  div: [3, -1],
  maximum: [4, 9],
  minimum: [5, 10],
} as const;
const remainderOfPower = 11;

/** Order of the codes of `unary`. */
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
  'sign',
] as const;

/** `memory` is looked at anew in each call. */
export function elementwiseKernels(
  wasm: WasmKernels,
  memory: WebAssembly.Memory,
  reference: Kernels,
): SomeKernels {
  const kernels: SomeKernels = {};
  for (const [name, [float, integer]] of Object.entries(binaryCodes)) {
    const key = name as keyof typeof binaryCodes;
    kernels[key] = binaryKernel(wasm, float, integer, reference[key]);
  }
  unaryNames.forEach((name, op) => {
    const slow = reference[name];
    kernels[name] = (ins, outs, attrs) => {
      const x = ins[0]!;
      if (x.dtype === 'f32') wasm.unary(op, x.size, at(x), at(outs[0]!));
      else slow(ins, outs, attrs);
    };
  });
  kernels.remainder = (ins, outs, attrs) => {
    const [a, b] = ins as readonly [View, View];
    const out = outs[0]!;
    if (out.dtype === 'i32' && b.size === 1 && a.size === out.size) {
      const divisor = new Int32Array(memory.buffer, at(b), 1)[0]!;
      if (divisor > 0 && (divisor & (divisor - 1)) === 0) {
        wasm.binary(remainderOfPower, 1, out.size, at(a), 0, false, at(b), 0, true, at(out));
        return;
      }
    }
    reference.remainder(ins, outs, attrs);
  };
  return kernels;
}

function binaryKernel(
  wasm: WasmKernels,
  float: number,
  integer: number,
  slow: PlainKernel,
): PlainKernel {
  return (ins, outs, attrs) => {
    const a = ins[0]!;
    const b = ins[1]!;
    const out = outs[0]!;
    const n = out.size;
    const op = out.dtype === 'f32' ? float : out.dtype === 'i32' ? integer : -1;
    if (op < 0) slow(ins, outs, attrs);
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

function broadcastBinary(wasm: WasmKernels, op: number, a: View, b: View, out: View): void {
  const axes = broadcastAxes([a.shape, b.shape], out.shape);
  const [n, stepA, stepB] = [axes[0]!.size, axes[0]!.steps[0], axes[0]!.steps[1]];
  const rows = axes[1]?.size ?? 1;
  const rowA = axes[1]?.steps[0] ?? 0;
  const rowB = axes[1]?.steps[1] ?? 0;
  const [baseA, baseB, base] = [at(a), at(b), at(out)];
  eachBlock(axes, 2, (from, to) => {
    const pa = baseA + from[0]! * 4;
    const pb = baseB + from[1]! * 4;
    wasm.binary(op, rows, n, pa, rowA, stepA === 0, pb, rowB, stepB === 0, base + to * 4);
  });
}
