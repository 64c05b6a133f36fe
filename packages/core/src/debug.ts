/**
 * For finding what went wrong, apart from what every program needs.
 * @module @loretta-ts/core/debug
 */
export { type Anomaly, detectAnomaly } from './anomaly';
export { reportLeaks } from './runtime';
