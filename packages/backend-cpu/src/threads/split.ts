/** How each kernel is cut: which argument counts its units, and what the others grow by from unit to unit. */
import type { WasmKernels } from '../wasm/kernels.generated';

/** A kernel's call as disjoint units; a result never depends on how they are grouped. */
export interface Cut {
  readonly countArg: number;
  readonly units: number;
  /** By argument. */
  readonly steps: readonly number[];
  /** Chunks have a multiple of so many units. */
  readonly multiple: number;
  /** Chunks for each thread: fewer where a chunk has work of its own to prepare. */
  readonly perThread: number;
}

type Args = readonly number[];

/** What is known of a kernel. */
export interface Cutter {
  /** Time of a call on one thread, ns, roughly. */
  cost(args: Args): number;
  cut(args: Args): Cut;
}

/** Vectors and cache lines are not cut. */
const elements = 1024;
/** Nanoseconds of a multiply and add in a packed product. */
const mac = 0.06;

/** Zeros but for the steps that are given by argument. */
function stepsAt(args: Args, given: Readonly<Record<number, number>>): number[] {
  return args.map((_, i) => given[i] ?? 0);
}

/** `count` elements; arguments from `first` on but `fixed` grow by 4 bytes each. */
function elementwise(countArg: number, first: number, nanoseconds: number, fixed = -1): Cutter {
  return {
    cost: (args) => args[countArg]! * nanoseconds,
    cut: (args) => ({
      countArg,
      units: args[countArg]!,
      steps: args.map((_, i) => (i >= first && i !== fixed ? 4 : 0)),
      multiple: elements,
      perThread: 4,
    }),
  };
}

/** Rows [0, end) of n: arguments are begin, end, n, …; `wide` grow by a row, `thin` by one value of 4 bytes. */
function rows(wide: readonly number[], thin: readonly number[], nanoseconds: number): Cutter {
  return {
    cost: (args) => args[1]! * args[2]! * nanoseconds,
    cut: (args) => ({
      countArg: 1,
      units: args[1]!,
      steps: args.map((_, i) => (wide.includes(i) ? args[2]! * 4 : thin.includes(i) ? 4 : 0)),
      multiple: 1,
      perThread: 4,
    }),
  };
}

/** Columns that are summed; `moved` grow by 4 bytes. */
function columns(moved: readonly number[]): Cutter {
  return {
    cost: (args) => args[0]! * args[1]! * 0.3,
    cut: (args) => ({
      countArg: 1,
      units: args[1]!,
      steps: args.map((_, i) => (moved.includes(i) ? 4 : 0)),
      multiple: 16,
      perThread: 2,
    }),
  };
}

const binary: Cutter = {
  cost: (args) => args[1]! * args[2]! * 0.3,
  cut(args) {
    const [, count, n, , rowA, oneA, , rowB, oneB] = args as [number, ...number[]];
    if (count === 1) {
      const steps = stepsAt(args, { 3: oneA ? 0 : 4, 6: oneB ? 0 : 4, 9: 4 });
      return { countArg: 2, units: n!, steps, multiple: elements, perThread: 4 };
    }
    const steps = stepsAt(args, { 3: rowA! * 4, 6: rowB! * 4, 9: n! * 4 });
    return { countArg: 1, units: count!, steps, multiple: 1, perThread: 4 };
  },
};

/** Rows of C, or columns where those are more: each chunk packs the other operand anew, so there are few. */
const gemm: Cutter = {
  cost: (args) => args[2]! * args[3]! * args[4]! * mac,
  cut(args) {
    const [transA, transB, m, n, , , lda, , ldb, , ldc] = args as [number, ...number[]];
    if (m! >= n!) {
      const steps = stepsAt(args, { 5: transA ? 4 : lda! * 4, 9: ldc! * 4 });
      return { countArg: 2, units: m!, steps, multiple: 32, perThread: 2 };
    }
    const steps = stepsAt(args, { 7: transB ? ldb! * 4 : 4, 9: 4 });
    return { countArg: 3, units: n!, steps, multiple: 64, perThread: 2 };
  },
};

const gemmBatch: Cutter = {
  cost: (args) => args[0]! * args[6]! * args[7]! * args[8]! * mac,
  cut(args) {
    const [batch, stepA, stepB, stepC] = args as [number, number, number, number];
    const steps = stepsAt(args, { 9: stepA, 11: stepB, 13: stepC });
    return { countArg: 0, units: batch, steps, multiple: 1, perThread: 4 };
  },
};

/** Columns of C. */
const gemmFewRows: Cutter = {
  cost: (args) => args[0]! * args[1]! * args[2]! * 2 * mac,
  cut: (args) => ({
    countArg: 1,
    units: args[1]!,
    steps: stepsAt(args, { 6: 4, 8: 4 }),
    multiple: 32,
    perThread: 2,
  }),
};

/** Columns of C: rows of B. */
const gemmDots: Cutter = {
  cost: (args) => args[0]! * args[1]! * args[2]! * 2 * mac,
  cut: (args) => ({
    countArg: 1,
    units: args[1]!,
    steps: stepsAt(args, { 5: args[6]! * 4, 7: args[9]! * 4 }),
    multiple: 16,
    perThread: 2,
  }),
};

/** Heads: arguments are the description, the first head, their number, and the multiply-adds of a head. */
const heads: Cutter = {
  cost: (args) => args[2]! * args[3]! * 2 * mac,
  cut: (args) => ({
    countArg: 2,
    units: args[2]!,
    steps: [0, 1, 0, 0],
    multiple: 1,
    perThread: 8,
  }),
};

const sumRows: Cutter = {
  cost: (args) => args[0]! * args[1]! * 0.2,
  cut: (args) => ({
    countArg: 0,
    units: args[0]!,
    steps: [0, 0, args[1]! * 4, 4],
    multiple: 1,
    perThread: 4,
  }),
};

const copyRows: Cutter = {
  cost: (args) => args[0]! * args[1]! * 0.08,
  cut(args) {
    const [count, bytes, , stepFrom, , stepTo] = args as [number, ...number[]];
    if (count === 1) {
      const steps = [0, 0, 1, 0, 1, 0];
      return { countArg: 1, units: bytes!, steps, multiple: 4 * elements, perThread: 4 };
    }
    const steps = [0, 0, stepFrom!, 0, stepTo!, 0];
    return { countArg: 0, units: count!, steps, multiple: 1, perThread: 4 };
  },
};

const transpose32: Cutter = {
  cost: (args) => args[0]! * args[1]! * 0.6,
  cut: (args) => ({
    countArg: 0,
    units: args[0]!,
    steps: [0, 0, args[3]! * 4, 0, 4, 0],
    multiple: 16,
    perThread: 4,
  }),
};

const gatherRows: Cutter = {
  cost: (args) => args[0]! * args[1]! * 0.08,
  cut: (args) => ({
    countArg: 0,
    units: args[0]!,
    steps: [0, 0, 0, 4, args[1]!],
    multiple: 1,
    perThread: 4,
  }),
};

const rope: Cutter = {
  cost: (args) => args[0]! * args[1]! * args[2]! * args[3]! * 1.2,
  cut(args) {
    const [b, t, h, d, , , , shared] = args as [number, ...number[]];
    const row = t! * h! * d! * 4;
    const steps = stepsAt(args, { 9: shared ? 0 : t! * 4, 10: row, 11: row });
    return { countArg: 0, units: b!, steps, multiple: 1, perThread: 4 };
  },
};

const select32: Cutter = {
  cost: (args) => args[0]! * 0.4,
  cut(args) {
    const [n, , oneCond, , oneA, , oneB] = args as [number, ...number[]];
    const steps = [0, oneCond ? 0 : 1, 0, oneA ? 0 : 4, 0, oneB ? 0 : 4, 0, 4];
    return { countArg: 0, units: n!, steps, multiple: elements, perThread: 4 };
  },
};

/** Kernels that may be cut. The others are short, or sum over what would be cut. */
export const cutters: { readonly [N in keyof WasmKernels]?: Cutter } = {
  unary: elementwise(1, 2, 1.5),
  gelu: elementwise(1, 2, 2.5),
  geluGrad: elementwise(1, 2, 3),
  silu: elementwise(0, 1, 2),
  siluGrad: elementwise(0, 1, 2.5),
  swiglu: elementwise(0, 1, 2.5),
  swigluGrad: elementwise(0, 1, 3),
  adamw: elementwise(0, 4, 1.5, 8),
  f32ToI32: elementwise(0, 1, 0.4),
  i32ToF32: elementwise(0, 1, 0.3),
  binary,
  select32,
  gemm,
  gemmBatch,
  gemmFewRows,
  gemmDots,
  attention: heads,
  attentionGrad: heads,
  layerNormRows: rows([4, 7], [8, 9], 1),
  layerNormGradRows: rows([3, 7, 8], [5, 6], 1.5),
  layerNormGradColumns: columns([3, 6, 7, 8]),
  rmsNormRows: rows([4, 6], [7], 1),
  rmsNormGradRows: rows([3, 6, 7], [5], 1.5),
  rmsNormGradColumns: columns([3, 5, 6]),
  sumRows,
  sumColumns: columns([3, 4]),
  softmaxRows: rows([3, 4], [], 3),
  softmaxGradRows: rows([3, 4, 5], [], 1),
  logSoftmaxRows: rows([3, 4], [], 3),
  logSoftmaxGradRows: rows([3, 4, 5], [], 3),
  crossEntropyRows: rows([3], [4, 6, 7], 2.5),
  crossEntropyGradRows: rows([3, 8], [4, 6, 7], 2.5),
  copyRows,
  transpose32,
  gatherRows,
  rope,
};
