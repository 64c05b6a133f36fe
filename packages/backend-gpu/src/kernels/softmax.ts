/** softmax, its logarithm and cross-entropy over rows: a maximum, a sum, and the elements. */
import { type Kernel, type Kernels, ValueError, type View } from '@loretta-ts/core';
import type { DeviceArray } from '../executor';
import { checkView, type Context, finish, launchNamed, type Operand } from '../launch';
import { expInto, logInto } from '../formulas';
import { divide, sumOver } from '../source';

type SoftmaxName =
  | 'softmax'
  | 'softmaxGrad'
  | 'logSoftmax'
  | 'logSoftmaxGrad'
  | 'crossEntropy'
  | 'crossEntropyGrad';

/** Only -∞ is below it. */
export const lowest = '-3.4028234e38';

/** Only +∞ is above it. */
const highest = '3.4028234e38';

/** An argument, since the literal becomes the lowest finite number in shaders. */
export const minusInfinity: { readonly none: number } = { none: -Infinity };

/** Rows and their length. */
function rowsOf(x: View): { readonly rows: number; readonly d: number } {
  const d = x.shape.at(-1)!;
  return { rows: d === 0 ? 0 : x.size / d, d };
}

/** Largest of each row; NaN wins. */
export function rowMax(context: Context, x: Operand, rows: number, d: number): DeviceArray {
  return launchNamed(context, {
    ...{ name: 'rowMax', arrays: { x }, ints: { d }, size: rows },
    body: `const base = o_x + this.thread.x * d;
let top = x[base];
let nan = 0.0;
for (let j = 0; j < d; j++) {
  const v = x[base + j];
  if (v > top) { top = v; }
  if (!(v > 0 || v <= 0)) { nan = nan + v; }
}
return nan === 0 ? top : nan;`,
  });
}

/** Σ exp(x - top) of each row; 0 where nothing is above -∞. */
export function rowSumExp(
  context: Context,
  x: Operand,
  top: DeviceArray,
  rows: number,
  d: number,
): DeviceArray {
  return launchNamed(context, {
    ...{ name: 'rowSumExp', arrays: { x, top }, ints: { d }, size: rows, floats: { nan: NaN } },
    body: `const base = o_x + this.thread.x * d;
const shift = top[o_top + this.thread.x];
if (shift < ${lowest}) { return 0; }
if (!(shift <= ${highest})) { return nan; }
${sumOver('total', 'd', (i) => `Math.exp(x[base + ${i}] - shift)`)}return total;`,
  });
}

/** Runs a formula over elements: `r` is the row, `c` the column, `x` and `dy` the elements. */
function overRows(
  context: Context,
  name: string,
  elements: Readonly<Record<string, View>>,
  perRow: Readonly<Record<string, Operand>>,
  body: string,
  { rows, d }: { readonly rows: number; readonly d: number },
  ints: Readonly<Record<string, number>> = {},
): DeviceArray {
  const loads = [
    ...Object.keys(elements).map((e) => `const ${e} = in_${e}[o_in_${e} + this.thread.x];\n`),
    ...Object.keys(perRow).map((p) => `const ${p} = at_${p}[o_at_${p} + r];\n`),
  ];
  const prefixed = (prefix: string, xs: Readonly<Record<string, Operand>>) =>
    Object.entries(xs).map(([key, x]) => [`${prefix}${key}`, x]);
  return launchNamed(context, {
    name,
    arrays: Object.fromEntries([...prefixed('in_', elements), ...prefixed('at_', perRow)]),
    ints: { d, ...ints },
    size: rows * d,
    body: `${divide('r', 'c', 'this.thread.x', 'd')}${loads.join('')}${body}`,
  });
}

function softmax(
  context: Context,
  name: 'softmax' | 'logSoftmax',
  body: string,
): Kernel<'softmax' | 'logSoftmax'> {
  return ([x], [out]) => {
    if (out!.size === 0) return;
    const shape = rowsOf(x!);
    const top = rowMax(context, x!, shape.rows, shape.d);
    const total = rowSumExp(context, x!, top, shape.rows, shape.d);
    const y = overRows(context, name, { x: x! }, { top, total }, body, shape);
    finish(context, [[out!, y]], [top, total]);
  };
}

/** Row sums of `term`, which reads `y[..]` and `dy[..]`; then a formula over `y`, `dy` and `sum`. */
function gradient(
  context: Context,
  name: string,
  term: (i: string) => string,
  body: string,
): Kernel<'softmaxGrad' | 'logSoftmaxGrad'> {
  return ([y, dy], [out]) => {
    if (out!.size === 0) return;
    const { rows, d } = rowsOf(y!);
    const sum = launchNamed(context, {
      ...{ name: `${name}.sum`, arrays: { y: y!, dy: dy! }, ints: { d }, size: rows },
      body: `const base = this.thread.x * d;\n${sumOver('total', 'd', term)}return total;`,
    });
    const dx = overRows(context, name, { y: y!, dy: dy! }, { sum }, body, { rows, d });
    finish(context, [[out!, dx]], [sum]);
  };
}

function checkTargets(
  context: Context,
  op: string,
  targets: View,
  classes: number,
  ignoreIndex: number,
) {
  return checkView(context, op, targets, (values) => {
    const i = values.findIndex((t) => t !== ignoreIndex && !(t >= 0 && t < classes));
    if (i >= 0) {
      throw new ValueError(
        op,
        `target ${values[i]} (row ${i}) is outside [0, ${classes}): pass classes, or ${ignoreIndex} for none`,
      );
    }
  });
}

function crossEntropy(context: Context): Kernel<'crossEntropy'> {
  return ([logits, targets], [loss, lse], { ignoreIndex }) => {
    if (loss!.size === 0) return;
    const { rows, d } = rowsOf(logits!);
    const top = rowMax(context, logits!, rows, d);
    const total = rowSumExp(context, logits!, top, rows, d);
    const arrays = { x: logits!, targets: targets!, top, total };
    const losses = launchNamed(context, {
      ...{ name: 'crossEntropy', arrays, ints: { d, ignore: ignoreIndex }, size: rows },
      floats: minusInfinity,
      before: [checkTargets(context, 'crossEntropy', targets!, d, ignoreIndex)],
      body: `const t = targets[o_targets + this.thread.x];
if (t === ignore) { return 0; }
const m = top[this.thread.x];
const picked = x[o_x + this.thread.x * d + t];
if (m < ${lowest}) { return none - picked; }
${logInto('l', 'total[this.thread.x]')}return (m - picked) + l;`,
    });
    const sums = launchNamed(context, {
      ...{ name: 'crossEntropy.lse', arrays: { top, total }, floats: minusInfinity, size: rows },
      body: `const m = top[this.thread.x];
if (m < ${lowest}) { return none; }
${logInto('l', 'total[this.thread.x]')}return m + l;`,
    });
    finish(
      context,
      [
        [loss!, losses],
        [lse!, sums],
      ],
      [top, total],
    );
  };
}

function crossEntropyGrad(context: Context): Kernel<'crossEntropyGrad'> {
  return ([logits, targets, lse, dloss], [out], { ignoreIndex }) => {
    if (out!.size === 0) return;
    const dlogits = overRows(
      context,
      'crossEntropyGrad',
      { x: logits! },
      { target: targets!, lse: lse!, dloss: dloss! },
      `if (target === ignore) { return 0; }
${expInto('p', 'x - lse')}return (c === target ? p - 1 : p) * dloss;`,
      rowsOf(logits!),
      { ignore: ignoreIndex },
    );
    finish(context, [[out!, dlogits]]);
  };
}

/** Kernels of softmax and cross-entropy. */
export function softmaxKernels(context: Context): { readonly [N in SoftmaxName]: Kernel<N> } {
  return {
    softmax: softmax(context, 'softmax', `return top < ${lowest} ? 0 : Math.exp(x - top) / total;`),
    softmaxGrad: gradient(
      context,
      'softmaxGrad',
      (i) => `y[o_y + base + ${i}] * dy[o_dy + base + ${i}]`,
      'return y * (dy - sum);',
    ),
    logSoftmax: softmax(
      context,
      'logSoftmax',
      `if (top < ${lowest}) { return x - top; }\n${logInto('l', 'total')}return (x - top) - l;`,
    ),
    logSoftmaxGrad: gradient(
      context,
      'logSoftmaxGrad',
      (i) => `dy[o_dy + base + ${i}]`,
      `${expInto('p', 'y')}return dy - p * sum;`,
    ),
    crossEntropy: crossEntropy(context),
    crossEntropyGrad: crossEntropyGrad(context),
  } satisfies Partial<Kernels>;
}
