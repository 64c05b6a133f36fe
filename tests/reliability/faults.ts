/** Backends that fail on purpose. */
import { type Backend, isFloat, type Kernels, typedArray, type View } from '@loretta-ts/core';
import { instead } from '@loretta-ts/core/testing';

/** What is written over one element of what a kernel gave. */
export interface KernelFault {
  readonly op: string;
  /** Which call of that kernel, from 0, after `restart`; null is each. */
  readonly call: number | null;
  /** Element of the first output, modulo its size. */
  readonly element: number;
  readonly value: number;
}

/** A backend whose kernels can be made to give a wrong number. */
export interface FaultyKernels {
  readonly backend: Backend;
  /** Calls of each kernel with an output of floats since `restart`. */
  readonly calls: ReadonlyMap<string, number>;
  fault: KernelFault | null;
  /** Calls are counted from 0 again: at the start of each step. */
  restart(): void;
}

type AnyKernel = (ins: readonly View[], outs: readonly View[], attrs: never) => void;

/** `of` with a kernel that fails as `fault` says. */
export function faultyKernels(of: Backend): FaultyKernels {
  const calls = new Map<string, number>();
  const faulty = (op: string, kernel: AnyKernel): AnyKernel => {
    return (ins, outs, attrs) => {
      kernel(ins, outs, attrs);
      const [out] = outs;
      if (out === undefined || out.size === 0 || !isFloat(out.dtype)) return;
      const call = calls.get(op) ?? 0;
      calls.set(op, call + 1);
      const { fault } = made;
      if (fault?.op !== op || (fault.call ?? call) !== call) return;
      const data = typedArray(out.dtype, 1);
      data[0] = fault.value;
      of.write(out.buffer, out.offset + (fault.element % out.size), data);
    };
  };
  const kernels = Object.fromEntries(
    Object.entries(of.kernels).map(([op, kernel]) => [op, faulty(op, kernel as AnyKernel)]),
  ) as unknown as Kernels;
  const made: FaultyKernels = {
    backend: instead(of, { kernels }),
    calls,
    fault: null,
    restart: () => calls.clear(),
  };
  return made;
}
