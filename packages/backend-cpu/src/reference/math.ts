/** Scalar functions that `Math` lacks or that it defines otherwise. All in double. */

// W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969).
const erfSmallP = [
  0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694,
] as const;
const erfSmallQ = [
  1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171,
] as const;
const erfcMidP = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163,
  298.6351381974001, 881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
] as const;
const erfcMidQ = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903,
  3290.7992357334597, 4362.619090143247, 3439.3676741437216, 1230.3393548037495,
] as const;
const erfcFarP = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926,
  0.016083785148742275, 0.0006587491615298378,
] as const;
const erfcFarQ = [
  1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132,
  0.0023352049762686918,
] as const;

/** Horner, highest power first. */
function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (let i = 0; i < coefficients.length; i++) sum = sum * x + coefficients[i]!;
  return sum;
}

/** exp(-y²) without the rounding error of y²: the head of y has few bits, so its square is exact. */
function expMinusSquare(y: number): number {
  const head = Math.trunc(y * 16) / 16;
  return Math.exp(-head * head) * Math.exp(-(y - head) * (y + head));
}

/** Error function 2/√π ∫₀ˣ exp(-t²) dt, to a few units in the last place. */
export function erf(x: number): number {
  const y = Math.abs(x);
  if (y <= 0.46875) return (x * polynomial(erfSmallP, y * y)) / polynomial(erfSmallQ, y * y);
  if (y >= 6) return Math.sign(x);
  let tail: number;
  if (y <= 4) {
    tail = polynomial(erfcMidP, y) / polynomial(erfcMidQ, y);
  } else {
    const z = 1 / (y * y);
    tail = (1 / Math.sqrt(Math.PI) - (z * polynomial(erfcFarP, z)) / polynomial(erfcFarQ, z)) / y;
  }
  const magnitude = 0.5 - tail * expMinusSquare(y) + 0.5;
  return x < 0 ? -magnitude : magnitude;
}

/** IEEE 754 `pow`; `Math.pow` gives NaN for pow(1, NaN), pow(1, ±inf) and pow(-1, ±inf). */
export function pow(x: number, y: number): number {
  if (x === 1) return 1;
  if (x === -1 && Math.abs(y) === Infinity) return 1;
  return x ** y;
}

/** Sign of the divisor, as Python's `%`; an exact multiple gives a zero of that sign. */
export function remainder(x: number, y: number): number {
  const r = x % y;
  if (r === 0) return y < 0 || Object.is(y, -0) ? -0 : 0;
  return r < 0 !== y < 0 ? r + y : r;
}

const twoTo52 = 2 ** 52;

/** To the nearest integer, halves to even; keeps the sign of zero. */
export function roundHalfEven(x: number): number {
  const y = Math.abs(x);
  // From 2^52 on doubles are integers; below, adding 2^52 makes the hardware round.
  if (!(y < twoTo52)) return x;
  const rounded = y + twoTo52 - twoTo52;
  return x < 0 || Object.is(x, -0) ? -rounded : rounded;
}

/** 1 / (1 + e^-x) without overflow. */
export function sigmoid(x: number): number {
  if (x >= 0) return 1 / (1 + Math.exp(-x));
  const e = Math.exp(x);
  return e / (1 + e);
}

/** log(1 + e^x) = max(x, 0) + log1p(e^-|x|). */
export function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}

/** Towards zero into the range of int32; NaN gives 0. */
export function toInt32Saturating(x: number): number {
  if (x >= 2147483647) return 2147483647;
  if (x <= -2147483648) return -2147483648;
  return Math.trunc(x) | 0;
}
