/** softmax, its logarithm and cross-entropy over rows: a maximum, a sum, and the elements. */
import { type Kernel, type Kernels, ValueError, type View } from '@loretta-ts/core';
import type { DeviceArray } from '../executor';
import { checkView, type Context, finish, launchNamed, type Operand } from '../launch';
import { expInto, logInto } from '../formulas';
import { type Rows, rowsOf } from '../layout';
import { divide, sumOver } from '../source';
import { reduceAxes } from './reduce';

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

/** Largest of each row; NaN wins. */
export function rowMax(context: Context, x: Operand, { rows, d }: Rows): DeviceArray {
  return reduceAxes(context, 'max', { x, shape: [rows, d] }, [1]);
}

/** Σ exp(x - top) of each row; 0 where nothing is above -∞. */
export function rowSumExp(
  context: Context,
  x: Operand,
  top: DeviceArray,
  { rows, d }: Rows,
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

/** log Σ exp of each row, from its maximum and `rowSumExp`; -∞ where nothing is above it. */
export function rowLogSumExp(
  context: Context,
  top: DeviceArray,
  total: DeviceArray,
  { rows }: Rows,
): DeviceArray {
  return launchNamed(context, {
    ...{ name: 'rowLogSumExp', arrays: { top, total }, floats: minusInfinity, size: rows },
    body: `const m = top[this.thread.x];
if (m < ${lowest}) { return none; }
${logInto('l', 'total[this.thread.x]')}return m + l;`,
  });
}

/** Runs a formula over elements: `r` is the row, `c` the column, `x` and `dy` the elements. */
export function overRows(
  context: Context,
  name: string,
  elements: Readonly<Record<string, Operand>>,
  perRow: Readonly<Record<string, Operand>>,
  body: string,
  { rows, d }: Rows,
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

/** Probabilities of rows, from their maxima and `rowSumExp`. */
export function rowSoftmax(
  context: Context,
  x: Operand,
  top: DeviceArray,
  total: DeviceArray,
  shape: Rows,
): DeviceArray {
  const body = `return top < ${lowest} ? 0 : Math.exp(x - top) / total;`;
  return overRows(context, 'softmax', { x }, { top, total }, body, shape);
}

function rowLogSoftmax(
  context: Context,
  x: Operand,
  top: DeviceArray,
  total: DeviceArray,
  shape: Rows,
): DeviceArray {
  const body = `if (top < ${lowest}) { return x - top; }\n${logInto('l', 'total')}return (x - top) - l;`;
  return overRows(context, 'logSoftmax', { x }, { top, total }, body, shape);
}

function softmax(context: Context, rows: typeof rowSoftmax): Kernel<'softmax' | 'logSoftmax'> {
  return ([x], [out]) => {
    if (out!.size === 0) return;
    const shape = rowsOf(x!);
    const top = rowMax(context, x!, shape);
    const total = rowSumExp(context, x!, top, shape);
    finish(context, [[out!, rows(context, x!, top, total, shape)]], [top, total]);
  };
}

/** y ∘ (dy - Σ y ∘ dy) of rows. */
export function rowSoftmaxGrad(
  context: Context,
  y: Operand,
  dy: Operand,
  shape: Rows,
): DeviceArray {
  const dot = launchNamed(context, {
    ...{ name: 'softmaxGrad.dot', arrays: { y, dy }, ints: { d: shape.d }, size: shape.rows },
    body: `const base = this.thread.x * d;
${sumOver('total', 'd', (i) => `y[o_y + base + ${i}] * dy[o_dy + base + ${i}]`)}return total;`,
  });
  const dx = overRows(context, 'softmaxGrad', { y, dy }, { dot }, 'return y * (dy - dot);', shape);
  context.executor.release(dot);
  return dx;
}

function softmaxGrad(context: Context): Kernel<'softmaxGrad'> {
  return ([y, dy], [out]) => {
    if (out!.size === 0) return;
    finish(context, [[out!, rowSoftmaxGrad(context, y!, dy!, rowsOf(y!))]]);
  };
}

function logSoftmaxGrad(context: Context): Kernel<'logSoftmaxGrad'> {
  return ([y, dy], [out]) => {
    if (out!.size === 0) return;
    const shape = rowsOf(y!);
    const sum = reduceAxes(context, 'sum', { x: dy!, shape: [shape.rows, shape.d] }, [1]);
    const body = `${expInto('p', 'y')}return dy - p * sum;`;
    const dx = overRows(context, 'logSoftmaxGrad', { y: y!, dy: dy! }, { sum }, body, shape);
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
    const shape = rowsOf(logits!);
    const { rows, d } = shape;
    const top = rowMax(context, logits!, shape);
    const total = rowSumExp(context, logits!, top, shape);
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
    const sums = rowLogSumExp(context, top, total, shape);
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
    softmax: softmax(context, rowSoftmax),
    softmaxGrad: softmaxGrad(context),
    logSoftmax: softmax(context, rowLogSoftmax),
    logSoftmaxGrad: logSoftmaxGrad(context),
    crossEntropy: crossEntropy(context),
    crossEntropyGrad: crossEntropyGrad(context),
  } satisfies Partial<Kernels>;
}
