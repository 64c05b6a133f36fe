/** Comparisons, tests, logic and `where`: SIMD over rows, broadcast by a walk over the outer axes. */
import type { Kernels, View } from '@loretta-ts/core';
import { broadcastAxes, eachBlock } from './broadcast';
import type { WasmKernels } from './kernels.generated';
import { at, atBytes, type PlainKernel, type SomeKernels } from './view';

/** Order of the codes in `assembly/select.ts`; i32 from 6 on, tests from 12 on. */
const compareNames = ['eq', 'ne', 'lt', 'le', 'gt', 'ge'] as const;
/** The comparison with its sides exchanged. */
const mirrored = [0, 1, 4, 5, 2, 3] as const;
const integerCodes = 6;
const testNames = ['isNaN', 'isInf', 'isFinite'] as const;
const testCodes = 12;
const logicNames = ['and', 'or', 'xor'] as const;

export function selectKernels(wasm: WasmKernels, reference: Kernels): SomeKernels {
  const kernels: SomeKernels = {};
  compareNames.forEach((name, op) => {
    kernels[name] = compareKernel(wasm, op, reference[name]);
  });
  testNames.forEach((name, i) => {
    const slow = reference[name];
    kernels[name] = (ins, outs, attrs) => {
      const x = ins[0]!;
      const p = at(x);
      if (x.dtype !== 'f32') slow(ins, outs, attrs);
      else wasm.compare(testCodes + i, 1, x.size, p, 0, p, 0, false, atBytes(outs[0]!));
    };
  });
  logicNames.forEach((name, op) => {
    const slow = reference[name];
    kernels[name] = (ins, outs, attrs) => {
      const [a, b] = ins as readonly [View, View];
      const out = outs[0]!;
      if (a.size !== out.size || b.size !== out.size) slow(ins, outs, attrs);
      else wasm.logic(op, out.size, atBytes(a), atBytes(b), atBytes(out));
    };
  });
  kernels.not = ([x], [out]) => wasm.logicNot(out!.size, atBytes(x!), atBytes(out!));
  kernels.where = (ins, outs, attrs) => {
    const out = outs[0]!;
    if (out.dtype === 'f32' || out.dtype === 'i32') {
      where(wasm, ins[0]!, ins[1]!, ins[2]!, out);
    } else reference.where(ins, outs, attrs);
  };
  return kernels;
}

function where(wasm: WasmKernels, cond: View, a: View, b: View, out: View): void {
  const n = out.size;
  if (n === 0) return;
  const one = n > 1 ? 1 : -1;
  const plain = (v: View): boolean => v.size === n || v.size === one;
  if (plain(cond) && plain(a) && plain(b)) {
    const c = atBytes(cond);
    wasm.select32(n, c, cond.size < n, at(a), a.size < n, at(b), b.size < n, at(out));
    return;
  }
  const axes = broadcastAxes([cond.shape, a.shape, b.shape], out.shape);
  const [stepC, stepA, stepB] = axes[0]!.steps;
  const row = axes[0]!.size;
  const [c, pa, pb, base] = [atBytes(cond), at(a), at(b), at(out)];
  eachBlock(axes, 1, (from, to) => {
    const x = pa + from[1]! * 4;
    const y = pb + from[2]! * 4;
    wasm.select32(row, c + from[0]!, stepC === 0, x, stepA === 0, y, stepB === 0, base + to * 4);
  });
}

function compareKernel(wasm: WasmKernels, code: number, slow: PlainKernel): PlainKernel {
  return (ins, outs, attrs) => {
    const a = ins[0]!;
    const b = ins[1]!;
    const out = outs[0]!;
    const n = out.size;
    const dtype = a.dtype;
    if (n === 0) return;
    if (dtype !== 'f32' && dtype !== 'i32') {
      slow(ins, outs, attrs);
      return;
    }
    const op = code + (dtype === 'i32' ? integerCodes : 0);
    const turned = mirrored[code]! + (dtype === 'i32' ? integerCodes : 0);
    if (a.size === n && b.size === n) {
      wasm.compare(op, 1, n, at(a), 0, at(b), 0, false, atBytes(out));
    } else if (b.size === 1) wasm.compare(op, 1, n, at(a), 0, at(b), 0, true, atBytes(out));
    else if (a.size === 1) wasm.compare(turned, 1, n, at(b), 0, at(a), 0, true, atBytes(out));
    else broadcastCompare(wasm, op, turned, a, b, out);
  };
}

function broadcastCompare(
  wasm: WasmKernels,
  op: number,
  turned: number,
  a: View,
  b: View,
  out: View,
): void {
  const axes = broadcastAxes([a.shape, b.shape], out.shape);
  const n = axes[0]!.size;
  const rows = axes[1]?.size ?? 1;
  const rowA = axes[1]?.steps[0] ?? 0;
  const rowB = axes[1]?.steps[1] ?? 0;
  const oneA = axes[0]!.steps[0] === 0;
  const oneB = axes[0]!.steps[1] === 0;
  const [baseA, baseB, base] = [at(a), at(b), atBytes(out)];
  eachBlock(axes, 2, (from, to) => {
    const pa = baseA + from[0]! * 4;
    const pb = baseB + from[1]! * 4;
    if (oneA) wasm.compare(turned, rows, n, pb, rowB, pa, rowA, true, base + to);
    else wasm.compare(op, rows, n, pa, rowA, pb, rowB, oneB, base + to);
  });
}
