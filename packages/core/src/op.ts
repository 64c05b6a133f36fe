/** What an op is. Each is defined once, in `ops/`. */
import type { OpAttrs, OpName } from './attrs';
import type { Aval } from './dtype';
import type { Tensor } from './tensor';

/** What a gradient rule sees. Inputs and outputs that the op does not save have a shape but no value. */
export interface VjpArgs<A> {
  /** Inputs of the op. */
  readonly ins: readonly Tensor[];
  /** Outputs of the op. */
  readonly outs: readonly Tensor[];
  /** Cotangent of each output; null where nothing flows. */
  readonly cts: readonly (Tensor | null)[];
  /** Which inputs somebody wants a cotangent for. */
  readonly needs: readonly boolean[];
  /** Attributes of the op. */
  readonly attrs: A;
}

/** Cotangents of the inputs, null for none. */
export type Vjp<A> = (a: VjpArgs<A>) => readonly (Tensor | null)[];

/** What must survive until backward: all, none, or the positions listed. */
export type Saved = 'all' | 'none' | readonly number[];

/** The definition of an op: shapes, gradient, and what it is made of. */
export interface Op<N extends OpName = OpName> {
  /** Row in `OpAttrs`. */
  readonly name: N;
  /** All shape and dtype checks; runs before anything is allocated. @throws ShapeError, DTypeError, ValueError */
  infer(ins: readonly Aval[], attrs: OpAttrs[N]): readonly Aval[];
  /** Null where no gradient exists (integer results). */
  readonly vjp: Vjp<OpAttrs[N]> | null;
  /** Inputs that the gradient rule reads; default `all`. */
  readonly saveIns?: Saved;
  /** Outputs that the gradient rule reads; default `none`. */
  readonly saveOuts?: Saved;
  /** The op in other ops; mandatory for fused ops. */
  readonly decompose?: (ins: readonly Tensor[], attrs: OpAttrs[N]) => readonly Tensor[];
  /** The output is the first input's memory, this many elements further on; null when it is not. */
  readonly viewOffset?: (ins: readonly Aval[], attrs: OpAttrs[N]) => number | null;
  /** Element i of the output depends on element i of each input alone, once inputs are broadcast. */
  readonly elementwise?: true;
  /** `donates[o]` is the input whose memory output o may take over. */
  readonly donates?: readonly number[];
}
