/** What a sample of an op is. */
import type * as fc from 'fast-check';
import type { FloatDType } from '../../dtype';
import type { Tensor } from '../../tensor';
import type { HostValue } from '../values';

/** Valid inputs and attributes of an op. */
export interface OpSample<A> {
  /** Inputs of the op, before they have a backend. */
  readonly ins: readonly HostValue[];
  /** Attributes for a run in f32 or f64. */
  readonly attrs: (float: FloatDType) => A;
  /** The op's inputs from `ins`, where some are results of others: statistics that a forward op saved. */
  readonly derive?: (ins: readonly Tensor[]) => readonly Tensor[];
}

/** Arbitrary samples of an op, for fast-check. */
export type Samples<A> = fc.Arbitrary<OpSample<A>>;

/** A sample with attributes that do not depend on the dtype. */
export function sample<A>(
  ins: readonly HostValue[],
  attrs: A,
  derive?: OpSample<A>['derive'],
): OpSample<A> {
  return { ins, attrs: () => attrs, ...(derive === undefined ? {} : { derive }) };
}
