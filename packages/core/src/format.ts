/**
 * Numbers as NumPy prints them: one width and one precision for all elements of an array, the shortest digits that tell a
 * value from its neighbours, at most eight behind the point (`numpy.set_printoptions`, defaults of NumPy 2).
 */
import type { DType } from './dtype';

/** Digits behind the point, at most. */
const PRECISION = 8;

/** Writes one element so that all of them line up. */
export type ElementFormat = (x: number) => string;

/** The format of the elements that are shown. `scalar`: alone, without padding. */
export function elementFormat(
  dtype: DType,
  shown: ArrayLike<number>,
  scalar: boolean,
): ElementFormat {
  if (dtype === 'bool') {
    return (x) => (x === 0 ? 'false' : 'true').padStart(scalar ? 0 : 'false'.length);
  }
  if (dtype === 'i32') {
    const width = Array.from(shown, (x) => String(x).length).reduce((a, b) => Math.max(a, b), 0);
    return (x) => String(x).padStart(width);
  }
  return floatFormat(dtype === 'f32', Array.from(shown));
}

/** The two sides of the point, and of `e` where there is one. */
interface Parts {
  readonly whole: string;
  readonly fraction: string;
  /** Two digits at least, without its sign. */
  readonly exponent: string;
}

function floatFormat(single: boolean, shown: readonly number[]): ElementFormat {
  const finite = shown.filter(Number.isFinite);
  const scientific = needsExponent(single, finite);
  const parts = finite.map((x) => partsOf(x, single, scientific));
  const longest = (of: (p: Parts) => string): number =>
    parts.reduce((n, p) => Math.max(n, of(p).length), 0);
  const fraction = longest((p) => p.fraction);
  const exponent = longest((p) => p.exponent);
  // behind the point: digits, and `e` with its sign
  const right = fraction + (scientific ? exponent + 2 : 0);
  const names = shown.filter((x) => !Number.isFinite(x)).map(nameOf);
  const left = names.reduce(
    (n, name) => Math.max(n, name.length - right - 1),
    longest((p) => p.whole),
  );
  return (x) => {
    if (!Number.isFinite(x)) return nameOf(x).padStart(left + right + 1);
    if (!scientific) {
      const p = partsOf(x, single, false);
      return `${p.whole.padStart(left)}.${p.fraction.padEnd(fraction)}`;
    }
    // true digits behind the shortest ones, not zeros
    const p = split(x, exponential(x, fraction));
    const sign = Math.abs(x) < 1 && x !== 0 ? '-' : '+';
    return `${p.whole.padStart(left)}.${p.fraction}e${sign}${p.exponent.padStart(exponent, '0')}`;
  };
}

/** From 1e8 (f32: 1e6), below 1e-4, or more than three orders of magnitude apart. */
function needsExponent(single: boolean, finite: readonly number[]): boolean {
  const sizes = finite.filter((x) => x !== 0).map(Math.abs);
  if (sizes.length === 0) return false;
  const round = single ? Math.fround : (x: number) => x;
  const max = sizes.reduce((a, b) => Math.max(a, b));
  const min = sizes.reduce((a, b) => Math.min(a, b));
  return max >= (single ? 1e6 : 1e8) || min < round(1e-4) || round(max / min) > 1000;
}

function nameOf(x: number): string {
  return Number.isNaN(x) ? 'nan' : x < 0 ? '-inf' : 'inf';
}

/** The shortest digits. */
function partsOf(x: number, single: boolean, scientific: boolean): Parts {
  const digits = significantDigits(x, single) - 1;
  const p = split(
    x,
    scientific
      ? exponential(x, Math.min(PRECISION, digits))
      : positional(x, Math.min(PRECISION, Math.max(0, digits - exponentOf(x)))),
  );
  return { ...p, fraction: p.fraction.replace(/0+$/, '') };
}

function split(x: number, text: string): Parts {
  const [mantissa, exponent = ''] = text.split('e');
  const [whole, fraction = ''] = mantissa!.split('.');
  return {
    whole: Object.is(x, -0) ? '-0' : whole!,
    fraction,
    exponent: exponent.replace(/^[+-]/, '').padStart(2, '0'),
  };
}

function exponentOf(x: number): number {
  return Number(x.toExponential().split('e')[1]);
}

function exponential(x: number, digits: number): string {
  return toEven(x.toExponential(digits), x.toExponential(100), digits);
}

function positional(x: number, digits: number): string {
  return toEven(x.toFixed(digits), x.toFixed(100), digits);
}

/** The rounded text, or the even one of two where the exact value lies halfway: JavaScript rounds those up. */
function toEven(rounded: string, exact: string, digits: number): string {
  const [mantissa, exponent] = exact.split('e');
  const point = mantissa!.indexOf('.');
  const kept = mantissa!.slice(0, point + 1 + digits);
  const tie = /^50*$/.test(mantissa!.slice(point + 1 + digits));
  if (!tie || !/[02468]\.?$/.test(kept)) return rounded;
  return exponent === undefined ? kept : `${kept}e${exponent}`;
}

/** Fewest decimal digits that give the value back in its own precision. */
function significantDigits(x: number, single: boolean): number {
  if (!single) return x.toExponential().replace(/e.*|[-.]/g, '').length;
  let n = 1;
  while (n < 9 && Math.fround(Number(x.toPrecision(n))) !== x) n++;
  return n;
}
