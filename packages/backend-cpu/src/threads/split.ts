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

/** Steps by argument; the others have none. */
type Steps = Readonly<Record<number, number>>;

/** Units are what `countArg` counts; `steps` are those of one unit. */
function cutOf(args: Args, countArg: number, steps: Steps, multiple = 1, perThread = 4): Cut {
  const all = args.map((_, i) => steps[i] ?? 0);
  return { countArg, units: args[countArg]!, steps: all, multiple, perThread };
}

/** A step for several arguments. */
const each = (args: readonly number[], step: number): Steps =>
  Object.fromEntries(args.map((i) => [i, step]));

/** `countArg` elements; `moved` grow by 4 bytes each. */
const elementwise = (countArg: number, moved: readonly number[], nanoseconds: number): Cutter => ({
  cost: (args) => args[countArg]! * nanoseconds,
  cut: (args) => cutOf(args, countArg, each(moved, 4), elements),
});

/** Rows [0, end) of n: arguments are begin, end, n, …; `wide` grow by a row, `thin` by one value of 4 bytes. */
const rows = (wide: readonly number[], thin: readonly number[], nanoseconds: number): Cutter => ({
  cost: (args) => args[1]! * args[2]! * nanoseconds,
  cut: (args) => cutOf(args, 1, { ...each(wide, args[2]! * 4), ...each(thin, 4) }),
});

/** Columns that are summed; `moved` grow by 4 bytes. */
const columns = (moved: readonly number[]): Cutter => ({
  cost: (args) => args[0]! * args[1]! * 0.3,
  cut: (args) => cutOf(args, 1, each(moved, 4), 16, 2),
});

const binary: Cutter = {
  cost: (args) => args[1]! * args[2]! * 0.3,
  cut(args) {
    const [, count, n, , rowA, oneA, , rowB, oneB] = args as [number, ...number[]];
    return count === 1
      ? cutOf(args, 2, { 3: oneA ? 0 : 4, 6: oneB ? 0 : 4, 9: 4 }, elements)
      : cutOf(args, 1, { 3: rowA! * 4, 6: rowB! * 4, 9: n! * 4 });
  },
};

/**
 * Whole products of a batch; of one, rows of C, or columns where those are more. Each chunk packs the other operand anew,
 * so there are few.
 */
const gemm: Cutter = {
  cost: (args) => args[0]! * args[6]! * args[7]! * args[8]! * mac,
  cut(args) {
    const [batch, stepA, stepB, stepC, transA, transB, m, n] = args as [number, ...number[]];
    const [lda, ldb, ldc] = [args[10]!, args[12]!, args[14]!];
    if (batch > 1) return cutOf(args, 0, { 9: stepA!, 11: stepB!, 13: stepC! });
    return m! >= n!
      ? cutOf(args, 6, { 9: transA ? 4 : lda * 4, 13: ldc * 4 }, 32, 2)
      : cutOf(args, 7, { 11: transB ? ldb * 4 : 4, 13: 4 }, 64, 2);
  },
};

const fewRowsCost = (args: Args): number => args[0]! * args[1]! * args[2]! * 2 * mac;

/** Columns of C. */
const gemmFewRows: Cutter = {
  cost: fewRowsCost,
  cut: (args) => cutOf(args, 1, { 6: 4, 8: 4 }, 32, 2),
};

/** Columns of C: rows of B. */
const gemmDots: Cutter = {
  cost: fewRowsCost,
  cut: (args) => cutOf(args, 1, { 5: args[6]! * 4, 7: args[9]! * 4 }, 16, 2),
};

/** Heads: arguments are the description, the first head, their number, and the multiply-adds of a head. */
const heads: Cutter = {
  cost: (args) => args[2]! * args[3]! * 2 * mac,
  cut: (args) => cutOf(args, 2, { 1: 1 }, 1, 8),
};

/** Rows that the first argument counts, of as many units of `nanoseconds` as the second says. */
const leadingRows = (
  nanoseconds: number,
  steps: (args: Args) => Steps,
  multiple?: number,
): Cutter => ({
  cost: (args) => args[0]! * args[1]! * nanoseconds,
  cut: (args) => cutOf(args, 0, steps(args), multiple),
});

const copyRows: Cutter = {
  cost: (args) => args[0]! * args[1]! * 0.08,
  cut: (args) =>
    args[0] === 1
      ? cutOf(args, 1, { 2: 1, 4: 1 }, 4 * elements)
      : cutOf(args, 0, { 2: args[3]!, 4: args[5]! }),
};

const rope: Cutter = {
  cost: (args) => args[0]! * args[1]! * args[2]! * args[3]! * 1.2,
  cut(args) {
    const [, t, h, d, , , , shared] = args as [number, ...number[]];
    return cutOf(args, 0, { 9: shared ? 0 : t! * 4, ...each([10, 11], t! * h! * d! * 4) });
  },
};

/** Channels of a scan: arguments are the first, their number, then d, l and n. */
const scan: Cutter = {
  cost: (args) => args[1]! * args[3]! * args[4]! * 2,
  cut: (args) => cutOf(args, 1, { 0: 1 }, 1, 8),
};

/** Rows of a batch, of d channels each. */
const scanGrad: Cutter = {
  cost: (args) => args[1]! * args[2]! * args[3]! * args[4]! * 6,
  cut: (args) => cutOf(args, 1, { 0: 1 }),
};

const select32: Cutter = {
  cost: (args) => args[0]! * 0.4,
  cut(args) {
    const [, , oneCond, , oneA, , oneB] = args as [number, ...number[]];
    return cutOf(args, 0, { 1: oneCond ? 0 : 1, 3: oneA ? 0 : 4, 5: oneB ? 0 : 4, 7: 4 }, elements);
  },
};

/** Kernels that may be cut. The others are short, or sum over what would be cut. */
export const cutters: { readonly [N in keyof WasmKernels]?: Cutter } = {
  unary: elementwise(1, [2, 3], 1.5),
  gelu: elementwise(1, [2, 3], 2.5),
  geluGrad: elementwise(1, [2, 3, 4], 3),
  silu: elementwise(0, [1, 2], 2),
  siluGrad: elementwise(0, [1, 2, 3], 2.5),
  swiglu: elementwise(0, [1, 2, 3], 2.5),
  swigluGrad: elementwise(0, [1, 2, 3, 4, 5], 3),
  adamw: elementwise(0, [4, 5, 6, 7, 9, 10, 11], 1.5),
  f32ToI32: elementwise(0, [1, 2], 0.4),
  i32ToF32: elementwise(0, [1, 2], 0.3),
  binary,
  select32,
  gemm,
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
  sumRows: leadingRows(0.2, (args) => ({ 2: args[1]! * 4, 3: 4 })),
  sumColumns: columns([3, 4]),
  softmaxRows: rows([3, 4], [], 3),
  softmaxGradRows: rows([3, 4, 5], [], 1),
  logSoftmaxRows: rows([3, 4], [], 3),
  logSoftmaxGradRows: rows([3, 4, 5], [], 3),
  crossEntropyRows: rows([3], [4, 6, 7], 2.5),
  crossEntropyGradRows: rows([3, 8], [4, 6, 7], 2.5),
  copyRows,
  transpose32: leadingRows(0.6, (args) => ({ 2: args[3]! * 4, 4: 4 }), 16),
  gatherRows: leadingRows(0.08, (args) => ({ 3: 4, 4: args[1]! })),
  rope,
  scanRows: scan,
  scanGradRows: scanGrad,
};
