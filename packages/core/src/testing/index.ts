/**
 * For the tests of ops and backends: gradient checks, arbitraries, and the suite of laws. Needs fast-check.
 * @module @loretta-ts/core/testing
 */
export { describeBackend, type DescribeBackendOptions, type TestRunner } from './describe-backend';
export { type Failing, failing, instead, Refused, stopEverywhere } from './faults';
export { gradcheck, GradcheckError, type GradcheckOptions } from './gradcheck';
export { close, type Outcome, outcome, type Subject, type Tolerance, toleranceOf } from './laws';
export { ops } from '../ops/table';
export { type OpSample, opSamples, type Samples } from './samples';
export {
  bools,
  broadcastPair,
  distinct,
  floats,
  grid,
  type HostValue,
  indices,
  integers,
  positive,
  type ShapeLimits,
  shapes,
  toTensor,
} from './values';
