/** Estimates with 95 % intervals. */

/** A value and the interval around it. */
export interface Estimate {
  /** The estimate itself. */
  readonly value: number;
  /** Lower end of the interval. */
  readonly low: number;
  /** Upper end of the interval. */
  readonly high: number;
  /** Observations. */
  readonly n: number;
}

const Z = 1.959963984540054;

/** A proportion with Wilson's interval. NaN for no trials. */
export function proportion(hits: number, n: number): Estimate {
  const p = hits / n;
  const centre = (p + (Z * Z) / (2 * n)) / (1 + (Z * Z) / n);
  const half = (Z / (1 + (Z * Z) / n)) * Math.sqrt((p * (1 - p)) / n + (Z * Z) / (4 * n * n));
  return { value: p, low: Math.max(0, centre - half), high: Math.min(1, centre + half), n };
}

/** Share of found classes that are right. */
export function hits(found: ArrayLike<number>, labels: ArrayLike<number>): Estimate {
  let right = 0;
  for (let i = 0; i < found.length; i++) if (found[i] === labels[i]) right++;
  return proportion(right, found.length);
}

/** A mean with the interval of the normal distribution. */
export function meanOf(values: ArrayLike<number>): Estimate {
  const n = values.length;
  let sum = 0;
  for (let i = 0; i < n; i++) sum += values[i]!;
  const value = sum / n;
  let squares = 0;
  for (let i = 0; i < n; i++) squares += (values[i]! - value) ** 2;
  const half = n > 1 ? Z * Math.sqrt(squares / (n - 1) / n) : Number.POSITIVE_INFINITY;
  return { value, low: value - half, high: value + half, n };
}

/** The mean over runs with the range that they span. */
export function rangeOf(values: readonly number[]): Estimate {
  const value = values.reduce((a, b) => a + b, 0) / values.length;
  return { value, low: Math.min(...values), high: Math.max(...values), n: values.length };
}

/** Whether two intervals have no point in common. */
export function apart(a: Estimate, b: Estimate): boolean {
  return a.high < b.low || b.high < a.low;
}

/** Area under the ROC curve: how often a right one is above a wrong one; ½ where there are not both. */
export function auc(scores: readonly number[], right: (index: number) => boolean): number {
  const above = scores.filter((_, i) => right(i));
  const below = scores.filter((_, i) => !right(i));
  if (above.length === 0 || below.length === 0) return 0.5;
  const wins = above.reduce(
    (sum, x) => sum + below.reduce((n, y) => n + (x > y ? 1 : x === y ? 0.5 : 0), 0),
    0,
  );
  return wins / (above.length * below.length);
}
