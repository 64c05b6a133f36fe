/**
 * Scalar functions as source text: a body that returns f(x), or f(x, y). GPU built-ins err by up to 500 units in the
 * last place near zeros of log and tanh, drop NaN in max, and give NaN for pow of negative bases: what matters is
 * spelled out here. NaN is what is neither above zero nor at most zero.
 */

import type {
  BinaryAttrs,
  CompareAttrs,
  LogicAttrs,
  TestAttrs,
  UnaryAttrs,
} from '@loretta-ts/core';

/** Bodies by op. */
type Bodies<Attrs> = Readonly<Record<keyof Attrs, string>>;

/** The largest finite f32. */
const largest = '3.4028234663852886e38';

/** An early NaN: some devices give exp(NaN) = ∞. */
export const nanOfOne = `if (!(x > 0 || x <= 0)) { return x + x; }\n`;

/** x, or an early NaN. Sums of NaN and anything are NaN. */
const nanOfTwo = `if (!(x > 0 || x <= 0) || !(y > 0 || y <= 0)) { return x + y; }\n`;

/** Nested a0 + z (a1 + z (a2 + …)). */
function horner(z: string, coefficients: readonly number[]): string {
  return coefficients
    .map((c) => (Number.isInteger(c) ? `${c}.0` : `${c}`))
    .reduceRight((inner, c) => (inner === '' ? c : `${c} + ${z} * (${inner})`), '');
}

/** log(u) for u near 1 by atanh: log u = 2 (z + z³/3 + …), z = (u - 1) / (u + 1). */
const atanhSeries = [2, 2 / 3, 2 / 5, 2 / 7, 2 / 9, 2 / 11];

/** What log gives at 0 and below: some devices give numbers there. */
const logOfNothing = (x: string): string => `if (${x} === 0) { return -1 / Math.abs(${x}); }
if (${x} < 0) { const nothing = ${x} - ${x}; return nothing / nothing; }
`;

/** `const <out> = log(1 + <x>)` for x > -1. */
function log1pInto(out: string, x: string): string {
  return `let ${out} = Math.log(1 + ${x});
if (${x} > -0.3 && ${x} < 0.4) {
  const zz = ${x} / (2 + ${x});
  const zs = zz * zz;
  ${out} = zz * (${horner('zs', atanhSeries)});
}
`;
}

/** x modulo π/2 by three parts of π/2 (Cody and Waite): `z` in [-π/4, π/4], and `quarter` of 0, 1, 2, 3. */
export const quarters = `let quarter = 0.0;
let z = x;
if (Math.abs(x) > 0.785398) {
  const turns = Math.floor(x * 0.6366197723675814 + 0.5);
  z = ((x - turns * 1.5703125) - turns * 4.837512969970703e-4) - turns * 7.549789954891882e-8;
  quarter = turns - 4 * Math.floor(turns / 4);
}
const zz = z * z;
const sine = z + z * zz * (-0.16666654611 + zz * (8.3321608736e-3 - zz * 1.9515295891e-4));
const cosine = 1 - 0.5 * zz + zz * zz * (4.166664568298827e-2 + zz * (-1.388731625493765e-3 + zz * 2.443315711809948e-5));
`;

/** Beyond it the three parts do not suffice: the device reduces its own way. */
const longestAngle = '65536.0';

// W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969); lowest power first.
const erfSmallP = [
  3209.3775891384694, 377.485237685302, 113.86415415105016, 3.1611237438705655, 0.18577770618460315,
];
const erfSmallQ = [
  2844.236833439171, 1282.6165260773723, 244.02463793444417, 23.601290952344122, 1,
];
const erfcMidP = [
  1230.3393547979972, 2051.0783778260716, 1712.0476126340707, 881.952221241769, 298.6351381974001,
  66.11919063714163, 8.883149794388377, 0.5641884969886701, 2.1531153547440383e-8,
];
const erfcMidQ = [
  1230.3393548037495, 3439.3676741437216, 4362.619090143247, 3290.7992357334597, 1621.3895745666903,
  537.1811018620099, 117.6939508913125, 15.744926110709835, 1,
];

/** `const <out> = exp(<x>)`, NaN for NaN on every device. */
export function expInto(out: string, x: string): string {
  return `const x_${out} = ${x};
const ${out} = x_${out} > 0 || x_${out} <= 0 ? Math.exp(x_${out}) : x_${out};
`;
}

/** `let <out> = log(<x>)` for x > 0 that is not subnormal, and for NaN. */
export function logInto(out: string, x: string): string {
  return `const x_${out} = ${x};
let ${out} = x_${out} > 0 ? Math.log(x_${out}) : x_${out} + x_${out};
if (x_${out} > 0.75 && x_${out} < 1.3333) {
  const z_${out} = (x_${out} - 1) / (x_${out} + 1);
  const s_${out} = z_${out} * z_${out};
  ${out} = z_${out} * (${horner(`s_${out}`, atanhSeries)});
}
`;
}

/** `const <out>`: 1 / (1 + e^-x), from the exponential that does not overflow. */
export function sigmoidInto(out: string, x: string): string {
  return `const e_${out} = Math.exp(-Math.abs(${x}));
const ${out} = ${x} >= 0 ? 1 / (1 + e_${out}) : e_${out} / (1 + e_${out});
`;
}

/** `let <out> = erf(<x>)`. */
export function erfInto(out: string, x: string): string {
  return `const u_${out} = Math.abs(${x});
const w_${out} = u_${out} * u_${out};
let ${out} = 1.0;
if (u_${out} <= 0.46875) {
  ${out} = u_${out} * (${horner(`w_${out}`, erfSmallP)}) / (${horner(`w_${out}`, erfSmallQ)});
}
if (u_${out} > 0.46875 && u_${out} < 4) {
  ${out} = 1 - Math.exp(-w_${out}) * (${horner(`u_${out}`, erfcMidP)}) / (${horner(`u_${out}`, erfcMidQ)});
}
if (${x} < 0) { ${out} = -${out}; }
`;
}

/** Bodies over floats `x`. */
export const unaryFormulas: Bodies<UnaryAttrs> = {
  neg: 'return -x;',
  abs: 'return Math.abs(x);',
  sign: 'if (x > 0) { return 1; }\nif (x < 0) { return -1; }\nreturn x;',
  exp: `${nanOfOne}return Math.exp(x);`,
  expm1: `${nanOfOne}if (x > -0.35 && x < 0.35) {
  return x * (${horner('x', [1, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040])});
}
return Math.exp(x) - 1;`,
  log: `${nanOfOne}${logOfNothing('x')}if (x < 1.2e-38) { return Math.log(x * 16777216.0) - 16.635532333438686; }
if (x > ${largest}) { return x; }
${logInto('result', 'x')}return result;`,
  log1p: `${nanOfOne}const whole = 1 + x;
${logOfNothing('whole')}${log1pInto('result', 'x')}return result;`,
  sqrt: 'return Math.sqrt(x);',
  rsqrt: 'return 1 / Math.sqrt(x);',
  reciprocal: 'return 1 / x;',
  square: 'return x * x;',
  sin: `if (!(Math.abs(x) < ${longestAngle})) { return Math.sin(x); }
${quarters}const value = quarter === 1 || quarter === 3 ? cosine : sine;
return quarter >= 2 ? -value : value;`,
  cos: `if (!(Math.abs(x) < ${longestAngle})) { return Math.cos(x); }
${quarters}const value = quarter === 1 || quarter === 3 ? sine : cosine;
return quarter === 1 || quarter === 2 ? -value : value;`,
  tanh: `${nanOfOne}if (x > -0.25 && x < 0.25) {
  const s = x * x;
  return x * (${horner('s', [1, -1 / 3, 2 / 15, -17 / 315, 62 / 2835])});
}
const t = Math.exp(-2 * Math.abs(x));
const m = (1 - t) / (1 + t);
return x < 0 ? -m : m;`,
  sigmoid: `${nanOfOne}${sigmoidInto('result', 'x')}return result;`,
  softplus: `${nanOfOne}const e = Math.exp(-Math.abs(x));
${log1pInto('l', 'e')}return x > 0 ? x + l : l;`,
  erf: `${nanOfOne}${erfInto('result', 'x')}return result;`,
  // A compiler may make a maximum of a single comparison, and that drops NaN.
  relu: `${nanOfOne}return Math.max(x, 0);`,
  floor: 'return Math.floor(x);',
  ceil: 'return Math.ceil(x);',
  round: `if (!(Math.abs(x) < 8388608)) { return x; }
const f = Math.floor(x);
const d = x - f;
if (d < 0.5) { return f; }
if (d > 0.5) { return f + 1; }
return f - 2 * Math.floor(f / 2) === 0 ? f : f + 1;`,
};

/** Bodies over floats `x` that return 0 or 1. */
export const testFormulas: Bodies<TestAttrs> = {
  isNaN: 'return x > 0 || x <= 0 ? 0 : 1;',
  isInf: `return Math.abs(x) > ${largest} ? 1 : 0;`,
  isFinite: `return Math.abs(x) <= ${largest} ? 1 : 0;`,
};

// Cephes atanf: (atan t - t) / t³ in t² for |t| <= tan(π/8).
const atanSeries = [-0.333329491539, 0.199777106478, -0.138776856032, 0.0805374449538];

/** `const r`: what x leaves modulo y, with the sign of y. */
const remainderBody = `let r = x - Math.floor(x / y) * y;
if (y > 0) { if (r < 0) { r = r + y; } if (r >= y) { r = r - y; } }
if (y < 0) { if (r > 0) { r = r + y; } if (r <= y) { r = r - y; } }
`;

/** Bodies over floats `x` and `y`. */
export const binaryFormulas: Bodies<BinaryAttrs> = {
  add: 'return x + y;',
  sub: 'return x - y;',
  mul: 'return x * y;',
  div: 'return x / y;',
  maximum: `${nanOfTwo}return Math.max(x, y);`,
  minimum: `${nanOfTwo}return Math.min(x, y);`,
  pow: `if (y === 0 || x === 1) { return 1; }
${nanOfTwo}if (x === -1 && Math.abs(y) > ${largest}) { return 1; }
const size = Math.abs(x);
if (size === 0) { return y > 0 ? 0 : 1 / size; }
const m = Math.pow(size, y);
if (x > 0) { return m; }
const h = y / 2;
if (Math.floor(h) === h) { return m; }
if (Math.floor(y) === y) { return -m; }
const nothing = x - x;
return nothing / nothing;`,
  atan2: `${nanOfTwo}const ax = Math.abs(x);
const ay = Math.abs(y);
const high = Math.max(ax, ay);
let t = 0.0;
if (high > 0) { t = Math.min(ax, ay) / high; }
if (high > ${largest}) { t = ax === ay ? 1 : 0; }
let start = 0.0;
if (t > 0.41421356) {
  t = (t - 1) / (t + 1);
  start = 0.78539816339;
}
const s = t * t;
let angle = start + (t + t * s * (${horner('s', atanSeries)}));
if (ax > ay) { angle = 1.57079632679 - angle; }
if (y < 0 || (y === 0 && 1 / y < 0)) { angle = 3.14159265359 - angle; }
return x < 0 || (x === 0 && 1 / x < 0) ? -angle : angle;`,
  remainder: `if (Math.abs(y) > ${largest} && Math.abs(x) <= ${largest}) {
  if (x === 0) { return 0; }
  return (x < 0) === (y < 0) ? x : y;
}
${remainderBody}return r;`,
};

/** Exact quotient towards zero of integers in f32, whatever the device's division rounds. */
const integerDivision = `const n = Math.abs(x);
const d = Math.abs(y);
let q = Math.floor(n / d);
const left = n - q * d;
if (left < 0) { q = q - 1; }
if (left >= d) { q = q + 1; }
return (x < 0) === (y < 0) ? q : -q;`;

/** What integers do otherwise than floats. */
export const integerFormulas: Readonly<Partial<Record<keyof BinaryAttrs, string>>> = {
  div: integerDivision,
  maximum: 'return Math.max(x, y);',
  minimum: 'return Math.min(x, y);',
  remainder: `${remainderBody}return r;`,
};

/** Bodies over `x` and `y` that return 0 or 1; comparisons with NaN are false but for `ne`. */
export const compareFormulas: Bodies<CompareAttrs & Omit<LogicAttrs, 'not'>> = {
  eq: 'return x === y ? 1 : 0;',
  ne: 'return x === y ? 0 : 1;',
  lt: 'return x < y ? 1 : 0;',
  le: 'return x <= y ? 1 : 0;',
  gt: 'return x > y ? 1 : 0;',
  ge: 'return x >= y ? 1 : 0;',
  and: 'return x * y;',
  or: 'return Math.max(x, y);',
  xor: 'return Math.abs(x - y);',
};
