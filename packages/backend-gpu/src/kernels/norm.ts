/** Layer and RMS normalisation: statistics of rows, then elements; gradients of the vectors by chunks of rows. */
import type { Kernel, Kernels } from '@loretta-ts/core';
import type { DeviceArray } from '../executor';
import { type Rows, rowsOf } from '../layout';
import { type Context, filled, finish, launchNamed, type Operand } from '../launch';
import { divide, sumOver } from '../source';
import { reduceAxes } from './reduce';

type NormName = 'layerNorm' | 'layerNormGrad' | 'rmsNorm' | 'rmsNormGrad';

/** One number for each row: the sum of `term`, then a formula of `total`. */
function perRow(
  context: Context,
  name: string,
  arrays: Readonly<Record<string, Operand>>,
  term: (i: string) => string,
  result: string,
  { rows, d }: Rows,
  floats: Readonly<Record<string, number>> = {},
): DeviceArray {
  return launchNamed(context, {
    ...{ name, arrays, ints: { d }, floats, size: rows },
    body: `const row = this.thread.x;
const base = row * d;
${sumOver('total', 'd', term)}return ${result};`,
  });
}

/** A formula of the element at `i`, its row `r` and its column `c`. */
function perElement(
  context: Context,
  name: string,
  arrays: Readonly<Record<string, Operand>>,
  result: string,
  { rows, d }: Rows,
): DeviceArray {
  return launchNamed(context, {
    ...{ name, arrays, ints: { d }, size: rows * d },
    body: `const i = this.thread.x;\n${divide('r', 'c', 'i', 'd')}return ${result};`,
  });
}

/** Rows that one thread adds up. */
const chunk = 32;

/** Sums of `term` (of an element `i`, its row `r`) down the columns: chunks of rows, then the chunks. */
function perColumn(
  context: Context,
  name: string,
  arrays: Readonly<Record<string, Operand>>,
  term: string,
  { rows, d }: Rows,
): DeviceArray {
  const chunks = Math.max(1, Math.ceil(rows / chunk));
  const parts = launchNamed(context, {
    ...{ name, arrays, ints: { d, rows }, size: chunks * d },
    body: `${divide('part', 'c', 'this.thread.x', 'd')}let total = 0.0;
for (let k = 0; k < ${chunk}; k++) {
  const r = part * ${chunk} + k;
  const i = r * d + c;
  if (r < rows) { total += ${term}; }
}
return total;`,
  });
  if (chunks === 1) return parts;
  const sums = reduceAxes(context, 'sum', { x: parts, shape: [chunks, d] }, [0]);
  context.executor.release(parts);
  return sums;
}

function layerNorm(context: Context): Kernel<'layerNorm'> {
  return ([x, weight, bias], [out, mean, rstd], { eps }) => {
    if (out!.size === 0) return;
    const shape = rowsOf(x!);
    const at = (i: string) => `x[o_x + base + ${i}]`;
    const mu = perRow(context, 'layerNorm.mean', { x: x! }, at, 'total / d', shape);
    const centred = (i: string) => `(${at(i)} - mu[o_mu + row]) * (${at(i)} - mu[o_mu + row])`;
    const inverse = '1 / Math.sqrt(total / d + eps)';
    const r = perRow(context, 'layerNorm.rstd', { x: x!, mu }, centred, inverse, shape, { eps });
    const y = perElement(
      context,
      'layerNorm',
      { x: x!, mu, rstd: r, weight: weight!, bias: bias! },
      '(x[o_x + i] - mu[o_mu + r]) * rstd[o_rstd + r] * weight[o_weight + c] + bias[o_bias + c]',
      shape,
    );
    finish(context, [
      [out!, y],
      [mean!, mu],
      [rstd!, r],
    ]);
  };
}

function layerNormGrad(context: Context): Kernel<'layerNormGrad'> {
  return ([x, weight, mean, rstd, dy], [dx, dweight, dbias]) => {
    const shape = rowsOf(x!);
    if (shape.rows === 0) {
      finish(context, [
        [dweight!, filled(context, 0, shape.d)],
        [dbias!, filled(context, 0, shape.d)],
      ]);
      return;
    }
    const ins = { x: x!, mean: mean!, rstd: rstd!, dy: dy! };
    const g = (i: string) => `dy[o_dy + base + ${i}] * weight[o_weight + ${i}]`;
    const xhatAt = (i: string, r: string) =>
      `(x[o_x + ${i}] - mean[o_mean + ${r}]) * rstd[o_rstd + ${r}]`;
    const weighted = { ...ins, weight: weight! };
    const first = perRow(
      context,
      'layerNormGrad.mean',
      { dy: dy!, weight: weight! },
      g,
      'total / d',
      shape,
    );
    const second = perRow(
      context,
      'layerNormGrad.dot',
      weighted,
      (i) => `${g(i)} * ${xhatAt(`base + ${i}`, 'row')}`,
      'total / d',
      shape,
    );
    const dxs = perElement(
      context,
      'layerNormGrad',
      { ...weighted, first, second },
      `rstd[o_rstd + r] * ((dy[o_dy + i] * weight[o_weight + c] - first[o_first + r]) - ${xhatAt('i', 'r')} * second[o_second + r])`,
      shape,
    );
    const dws = perColumn(
      context,
      'layerNormGrad.weight',
      ins,
      `dy[o_dy + i] * ${xhatAt('i', 'r')}`,
      shape,
    );
    const dbs = perColumn(context, 'normGrad.bias', { dy: dy! }, 'dy[o_dy + i]', shape);
    finish(
      context,
      [
        [dx!, dxs],
        [dweight!, dws],
        [dbias!, dbs],
      ],
      [first, second],
    );
  };
}

function rmsNorm(context: Context): Kernel<'rmsNorm'> {
  return ([x, weight], [out, rstd], { eps }) => {
    if (out!.size === 0) return;
    const shape = rowsOf(x!);
    const at = (i: string) => `x[o_x + base + ${i}]`;
    const r = perRow(
      context,
      'rmsNorm.rstd',
      { x: x! },
      (i: string) => `${at(i)} * ${at(i)}`,
      '1 / Math.sqrt(total / d + eps)',
      shape,
      { eps },
    );
    const y = perElement(
      context,
      'rmsNorm',
      { x: x!, rstd: r, weight: weight! },
      'x[o_x + i] * rstd[o_rstd + r] * weight[o_weight + c]',
      shape,
    );
    finish(context, [
      [out!, y],
      [rstd!, r],
    ]);
  };
}

function rmsNormGrad(context: Context): Kernel<'rmsNormGrad'> {
  return ([x, weight, rstd, dy], [dx, dweight]) => {
    const shape = rowsOf(x!);
    if (shape.rows === 0) {
      finish(context, [[dweight!, filled(context, 0, shape.d)]]);
      return;
    }
    const ins = { x: x!, rstd: rstd!, dy: dy! };
    const weighted = { ...ins, weight: weight! };
    const dot = perRow(
      context,
      'rmsNormGrad.dot',
      weighted,
      (i) =>
        `dy[o_dy + base + ${i}] * weight[o_weight + ${i}] * x[o_x + base + ${i}] * rstd[o_rstd + row]`,
      'total / d',
      shape,
    );
    const dxs = perElement(
      context,
      'rmsNormGrad',
      { ...weighted, dot },
      'rstd[o_rstd + r] * (dy[o_dy + i] * weight[o_weight + c] - x[o_x + i] * rstd[o_rstd + r] * dot[o_dot + r])',
      shape,
    );
    const dws = perColumn(
      context,
      'rmsNormGrad.weight',
      ins,
      'dy[o_dy + i] * x[o_x + i] * rstd[o_rstd + r]',
      shape,
    );
    finish(
      context,
      [
        [dx!, dxs],
        [dweight!, dws],
      ],
      [dot],
    );
  };
}

/** Kernels of the normalisations. */
export function normKernels(context: Context): { readonly [N in NormName]: Kernel<N> } {
  return {
    layerNorm: layerNorm(context),
    layerNormGrad: layerNormGrad(context),
    rmsNorm: rmsNorm(context),
    rmsNormGrad: rmsNormGrad(context),
  } satisfies Partial<Kernels>;
}
