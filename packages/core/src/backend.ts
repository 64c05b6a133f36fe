/** What a backend is: memory, and one kernel for each core op. */
import type { CoreName, FusedName, OpAttrs, OpName } from './attrs';
import type { DType, Shape, TypedArray } from './dtype';

/** Opaque memory of a backend; only the backend that made it looks inside. */
export interface Buffer {
  /** Size. */
  readonly bytes: number;
}

/** Contiguous row-major elements inside a buffer. `offset` counts elements of `dtype`. */
export interface View {
  /** Memory that holds the elements. */
  readonly buffer: Buffer;
  /** First element. */
  readonly offset: number;
  /** Row-major sizes. */
  readonly shape: Shape;
  /** Element type. */
  readonly dtype: DType;
  /** Product of `shape`. */
  readonly size: number;
}

/**
 * Reads `ins`, writes all of `outs`. Shapes and dtypes were checked by the op's `infer`; kernels do not check
 * them again. An output never overlaps an input, but for an input that the op lists in `donates`: there the
 * output may be the same memory.
 */
export type Kernel<N extends OpName> = (
  ins: readonly View[],
  outs: readonly View[],
  attrs: OpAttrs[N],
) => void;

/** Views need no kernel. */
export type ViewName = 'reshape';

/** A missing core kernel does not compile; fused ones are optional. */
export type Kernels = { readonly [N in Exclude<CoreName, ViewName>]: Kernel<N> } & {
  readonly [N in FusedName]?: Kernel<N>;
};

/** What really runs. */
export interface BackendInfo {
  /** `reference`, `wasm-simd`, `webgpu`, … */
  readonly executor: string;
  /** Threads that kernels run on. */
  readonly threads: number;
  /** `none`, `simd`, `relaxed-simd`, or null where the word means nothing. */
  readonly simd: string | null;
  /** Device or adapter string where there is one. */
  readonly device: string | null;
  /** Why it is not what was asked for or what is best; null when it is. */
  readonly fallbackReason: string | null;
}

/** Memory of a backend. */
export interface MemoryInfo {
  /** Live buffers. */
  readonly buffers: number;
  /** Bytes in live buffers. */
  readonly bytes: number;
  /** The most bytes in live buffers at any time. */
  readonly peakBytes: number;
}

/** What runs ops: memory and kernels. `describeBackend` of `@loretta-ts/core/testing` checks one. */
export interface Backend extends AsyncDisposable {
  /** Short name, `cpu` for example; errors start with it. */
  readonly name: string;
  /** One function for each op. */
  readonly kernels: Kernels;
  /** dtypes that tensors may have here. */
  readonly dtypes: readonly DType[];
  /** dtypes that the fused kernels take; the others run decomposed. */
  readonly fusedDTypes: readonly DType[];
  /**
   * Elements of a block that stays in a core's cache: captured chains of elementwise ops then run block by block. Absent
   * where that gives nothing.
   */
  readonly blockElements?: number;
  /**
   * Kernels give new arrays, as shaders do: writing part of a buffer copies the rest, and a launch costs more than moving
   * some thousand elements. Captured programs then share buffers of equal size only, and `AdamW` of `@loretta-ts/nn` takes
   * all parameters as one array.
   */
  readonly wholeArrays?: boolean;
  /**
   * A kernel for one instruction of a captured program: what can be decided by shapes and attributes is decided once. The
   * views stay; their buffers and offsets may change between runs, their sizes do not: not together with `blockElements`.
   * Absent where kernels decide nothing that costs.
   */
  prepare?(name: OpName, ins: readonly View[], outs: readonly View[], attrs: object): () => void;
  /** True when `readSync` exists. */
  readonly syncRead: boolean;
  /** What really runs, and why it is not something better. */
  info(): BackendInfo;
  /** Room for `size` elements (0 is allowed), contents undefined. @throws BackendError when memory is out */
  alloc(size: number, dtype: DType): Buffer;
  /** Gives memory back. The buffer must not be used afterwards. */
  free(buffer: Buffer): void;
  /** Copies host data in, at an element offset. */
  write(buffer: Buffer, offset: number, data: TypedArray): void;
  /** A host copy of `size` elements from `offset`. */
  read(buffer: Buffer, dtype: DType, offset: number, size: number): Promise<TypedArray>;
  /** As `read`, at once; absent where the device cannot. */
  readSync?(buffer: Buffer, dtype: DType, offset: number, size: number): TypedArray;
  /** What is allocated now, and the most there was. */
  memory(): MemoryInfo;
  /** Frees everything, threads and device included; `await using` calls it too. */
  dispose(): Promise<void>;
}
