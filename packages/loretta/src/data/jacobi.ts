/** Eigenvectors of a symmetric matrix by cyclic Jacobi rotations (Golub and Van Loan, §8.5). */

/** Sweeps over all pairs, at most; a matrix of 100 rows needs about ten. */
const SWEEPS = 60;

/** Eigenvalues, largest first, and the vector of each. */
export interface Eigen {
  /** `[n]`. */
  readonly values: Float64Array;
  /** `[n, n]`: row i is the unit vector of value i; its entry of largest size is positive. */
  readonly vectors: Float64Array;
}

/** @param matrix `[n, n]`, symmetric and finite; a copy is worked on */
export function symmetricEigen(matrix: Float64Array, n: number): Eigen {
  const a = matrix.slice();
  const v = new Float64Array(n * n);
  for (let i = 0; i < n; i++) v[i * n + i] = 1;
  const total = a.reduce((sum, x) => sum + x * x, 0);
  for (let sweep = 0; sweep < SWEEPS && offDiagonal(a, n) > 1e-28 * total; sweep++) {
    for (let p = 0; p < n - 1; p++) {
      for (let q = p + 1; q < n; q++) rotate(a, v, n, p, q);
    }
  }
  const order = Array.from({ length: n }, (_, i) => i).sort(
    (i, j) => a[j * n + j]! - a[i * n + i]!,
  );
  const vectors = new Float64Array(n * n);
  order.forEach((from, to) => {
    const row = v.subarray(from * n, (from + 1) * n);
    const largest = row.reduce((best, x) => (Math.abs(x) > Math.abs(best) ? x : best), 0);
    for (let i = 0; i < n; i++) vectors[to * n + i] = largest < 0 ? -row[i]! : row[i]!;
  });
  return { values: Float64Array.from(order, (i) => a[i * n + i]!), vectors };
}

/** Makes `a[p, q]` zero; row i of `v` is the vector of column i of `a`. */
function rotate(a: Float64Array, v: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q]!;
  if (apq === 0) return;
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.hypot(theta, 1));
  const c = 1 / Math.hypot(t, 1);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    const [kp, kq] = [a[k * n + p]!, a[k * n + q]!];
    a[k * n + p] = c * kp - s * kq;
    a[k * n + q] = s * kp + c * kq;
  }
  for (const m of [a, v]) {
    for (let k = 0; k < n; k++) {
      const [pk, qk] = [m[p * n + k]!, m[q * n + k]!];
      m[p * n + k] = c * pk - s * qk;
      m[q * n + k] = s * pk + c * qk;
    }
  }
}

function offDiagonal(a: Float64Array, n: number): number {
  let sum = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) if (i !== j) sum += a[i * n + j]! ** 2;
  }
  return sum;
}
