import { requireInteger, TokenizerError } from './errors';
import { CounterRandom, sampleIndices } from './random';

/** Options of {@link kmeans}. */
export interface KmeansOptions {
  /** Seed of the initialisation and of the subsample: the same seed gives the same codebook. */
  readonly seed: number;
  /** Most Lloyd iterations; stops earlier when no assignment changes. Default 30. */
  readonly iterations?: number;
  /** Train on at most this many points, drawn without replacement. Default: all. */
  readonly sample?: number;
}

/** A trained codebook. */
export interface Kmeans {
  /** `[k, dim]` row-major. */
  readonly centroids: Float32Array;
  /** Mean squared distance of the training points to their centroid. */
  readonly inertia: number;
  /** Lloyd iterations done. */
  readonly iterations: number;
}

/**
 * k-means: k-means++ initialisation (Arthur and Vassilvitskii 2007), then Lloyd iterations. A centroid that loses
 * all its points moves to the point farthest from its own centroid. With fewer than k distinct points the rest of
 * the centroids are copies.
 *
 * @param points `[n, dim]` row-major, finite.
 * @param dim Values per point.
 * @param k Number of centroids.
 * Throws TokenizerError for empty or ragged points, NaN, or k out of range.
 */
export function kmeans(
  points: Float32Array,
  dim: number,
  k: number,
  options: KmeansOptions,
): Kmeans {
  const where = 'kmeans';
  const maxIterations = options.iterations ?? 30;
  requireInteger(where, 'dim', dim, 1, 1 << 24);
  requireInteger(where, 'k', k, 1, 1 << 20);
  requireInteger(where, 'seed', options.seed, -(2 ** 31), 2 ** 32 - 1);
  requireInteger(where, 'iterations', maxIterations, 0, 1_000_000);
  if (points.length === 0 || points.length % dim !== 0) {
    throw new TokenizerError(
      'input',
      where,
      `points must hold a positive multiple of dim ${dim} values, got ${points.length}`,
    );
  }
  const bad = points.findIndex((v) => !Number.isFinite(v));
  if (bad >= 0) throw new TokenizerError('input', where, `value ${points[bad]} at ${bad}`);
  const random = new CounterRandom(options.seed);
  const x = subsample(points, dim, options.sample, random);
  const n = x.length / dim;

  const assignment = new Int32Array(n);
  const distance = new Float64Array(n);
  const centroids = seedCentroids(x, dim, k, random, assignment, distance);
  let iterations = 0;
  let changed = true;
  while (changed && iterations < maxIterations) {
    updateCentroids(x, centroids, dim, assignment, distance);
    changed = assign(x, centroids, dim, assignment, distance);
    iterations++;
  }
  const inertia = distance.reduce((sum, d) => sum + d, 0) / n;
  return { centroids, inertia, iterations };
}

/**
 * Index of the centroid nearest to the point at `offset`, the lowest index among equals.
 * Squared distance Σ w (x − c)²; `weights` (`[dim]`) defaults to ones.
 */
export function nearestCentroid(
  points: ArrayLike<number>,
  offset: number,
  centroids: ArrayLike<number>,
  dim: number,
  weights?: ArrayLike<number>,
): number {
  const k = centroids.length / dim;
  let best = 0;
  let bestDistance = Number.POSITIVE_INFINITY;
  for (let c = 0; c < k; c++) {
    let sum = 0;
    for (let d = 0; d < dim && sum < bestDistance; d++) {
      const delta = points[offset + d]! - centroids[c * dim + d]!;
      sum += delta * delta * (weights === undefined ? 1 : weights[d]!);
    }
    if (sum < bestDistance) {
      bestDistance = sum;
      best = c;
    }
  }
  return best;
}

function subsample(
  points: Float32Array,
  dim: number,
  sample: number | undefined,
  random: CounterRandom,
): Float32Array {
  const n = points.length / dim;
  if (sample === undefined) return points;
  requireInteger('kmeans', 'sample', sample, 1, Number.MAX_SAFE_INTEGER);
  if (sample >= n) return points;
  const rows = sampleIndices(random, n, sample);
  const chosen = new Float32Array(rows.length * dim);
  rows.forEach((row, i) => {
    chosen.set(points.subarray(row * dim, (row + 1) * dim), i * dim);
  });
  return chosen;
}

/**
 * k-means++: each next centroid is a point drawn with probability proportional to its squared distance to the chosen.
 * Leaves every point assigned to its nearest centroid.
 */
function seedCentroids(
  x: Float32Array,
  dim: number,
  k: number,
  random: CounterRandom,
  assignment: Int32Array,
  distance: Float64Array,
): Float32Array {
  const n = assignment.length;
  const centroids = new Float32Array(k * dim);
  distance.fill(Number.POSITIVE_INFINITY);
  let pick = random.below(n);
  for (let c = 0; c < k; c++) {
    centroids.set(x.subarray(pick * dim, (pick + 1) * dim), c * dim);
    let total = 0;
    for (let i = 0; i < n; i++) {
      const d = squaredDistance(x, i * dim, centroids, c * dim, dim, distance[i]!);
      if (d < distance[i]!) {
        distance[i] = d;
        assignment[i] = c;
      }
      total += distance[i]!;
    }
    pick = total > 0 ? drawByWeight(distance, total, random) : random.below(n);
  }
  return centroids;
}

function drawByWeight(weights: Float64Array, total: number, random: CounterRandom): number {
  let left = random.uniform() * total;
  let last = 0;
  for (let i = 0; i < weights.length; i++) {
    const w = weights[i]!;
    if (w === 0) continue;
    last = i;
    left -= w;
    if (left < 0) break;
  }
  return last;
}

/** Squared distance, cut off once it exceeds `bound`: then any value above `bound`. */
function squaredDistance(
  x: Float32Array,
  xAt: number,
  c: Float32Array,
  cAt: number,
  dim: number,
  bound: number,
): number {
  let sum = 0;
  let d = 0;
  for (; d + 8 <= dim; d += 8) {
    const d0 = x[xAt + d]! - c[cAt + d]!;
    const d1 = x[xAt + d + 1]! - c[cAt + d + 1]!;
    const d2 = x[xAt + d + 2]! - c[cAt + d + 2]!;
    const d3 = x[xAt + d + 3]! - c[cAt + d + 3]!;
    const d4 = x[xAt + d + 4]! - c[cAt + d + 4]!;
    const d5 = x[xAt + d + 5]! - c[cAt + d + 5]!;
    const d6 = x[xAt + d + 6]! - c[cAt + d + 6]!;
    const d7 = x[xAt + d + 7]! - c[cAt + d + 7]!;
    sum += d0 * d0 + d1 * d1 + (d2 * d2 + d3 * d3) + (d4 * d4 + d5 * d5 + (d6 * d6 + d7 * d7));
    if (sum > bound) return sum;
  }
  for (; d < dim; d++) {
    const delta = x[xAt + d]! - c[cAt + d]!;
    sum += delta * delta;
  }
  return sum;
}

/** For every centroid the others by increasing distance: what Phillips's sort-means (2002) prunes with. */
interface Neighbours {
  /** `[k, k − 1]` indices. */
  readonly order: Int32Array;
  /** `[k, k − 1]` squared distances. */
  readonly distance: Float64Array;
}

/** Above this many centroids the tables would outgrow their use. */
const MAX_NEIGHBOUR_TABLE = 512;

function neighbours(centroids: Float32Array, dim: number): Neighbours {
  const k = centroids.length / dim;
  const width = k - 1;
  const order = new Int32Array(k * width);
  const distance = new Float64Array(k * width);
  for (let c = 0; c < k; c++) {
    const row = Array.from({ length: k }, (_, other) => ({
      other,
      d: squaredDistance(centroids, c * dim, centroids, other * dim, dim, Infinity),
    }))
      .filter(({ other }) => other !== c)
      .sort((a, b) => a.d - b.d || a.other - b.other);
    row.forEach(({ other, d }, i) => {
      order[c * width + i] = other;
      distance[c * width + i] = d;
    });
  }
  return { order, distance };
}

/** Assigns every point to its nearest centroid (lowest index among equals); true if any assignment changed. */
function assign(
  x: Float32Array,
  centroids: Float32Array,
  dim: number,
  assignment: Int32Array,
  distance: Float64Array,
): boolean {
  const n = assignment.length;
  const k = centroids.length / dim;
  const near = k <= MAX_NEIGHBOUR_TABLE ? neighbours(centroids, dim) : undefined;
  let changed = false;
  for (let i = 0; i < n; i++) {
    const old = assignment[i]!;
    const toOld = squaredDistance(x, i * dim, centroids, old * dim, dim, Infinity);
    // ‖old − c‖ > 2‖x − old‖ implies ‖x − c‖ > ‖x − old‖; the factor leaves room for rounding.
    const horizon = 4.000001 * toOld;
    let best = old;
    let bound = toOld;
    for (let j = 0; j < k - 1; j++) {
      const at = old * (k - 1) + j;
      if (near !== undefined && near.distance[at]! > horizon) break;
      const c = near === undefined ? j + (j >= old ? 1 : 0) : near.order[at]!;
      const d = squaredDistance(x, i * dim, centroids, c * dim, dim, bound);
      if (d < bound || (d === bound && c < best)) {
        bound = d;
        best = c;
      }
    }
    distance[i] = bound;
    if (best !== old) {
      assignment[i] = best;
      changed = true;
    }
  }
  return changed;
}

/** Moves centroids to the means of their points, empty ones to the worst represented points. */
function updateCentroids(
  x: Float32Array,
  centroids: Float32Array,
  dim: number,
  assignment: Int32Array,
  distance: Float64Array,
): void {
  const k = centroids.length / dim;
  const sums = new Float64Array(k * dim);
  const counts = new Int32Array(k);
  for (let i = 0; i < assignment.length; i++) {
    const c = assignment[i]!;
    counts[c]!++;
    for (let d = 0; d < dim; d++) sums[c * dim + d]! += x[i * dim + d]!;
  }
  for (let c = 0; c < k; c++) {
    const count = counts[c]!;
    if (count > 0) {
      for (let d = 0; d < dim; d++) centroids[c * dim + d] = sums[c * dim + d]! / count;
      continue;
    }
    const worst = farthest(distance);
    if (distance[worst]! === 0) continue;
    centroids.set(x.subarray(worst * dim, (worst + 1) * dim), c * dim);
    distance[worst] = 0;
  }
}

function farthest(distance: Float64Array): number {
  let worst = 0;
  for (let i = 1; i < distance.length; i++) {
    if (distance[i]! > distance[worst]!) worst = i;
  }
  return worst;
}
