/**
 * Attention over scores that are kept: without memory that threads share, a score that is needed twice is cheaper read
 * than calculated again. Scores, maxima, sums, P, O; backwards P, D, dS, dQ, dK, dV (Dao 2023, §3.1).
 */
import {
  type AttentionAttrs,
  BackendError,
  type Kernel,
  type Kernels,
  type View,
} from '@loretta-ts/core';
import type { DeviceArray } from '../executor';
import { expInto } from '../formulas';
import { broadcastStrides } from '../layout';
import { type Context, filled, finish, launchNamed, type Operand } from '../launch';
import { divide, maxElements, times } from '../source';
import { type Matrices, product } from './product';
import { reduceAxes } from './reduce';
import {
  lowest,
  minusInfinity,
  overRows,
  rowLogSumExp,
  rowMax,
  rowSoftmax,
  rowSoftmaxGrad,
  rowSumExp,
} from './softmax';

/** Inputs by name, and the sizes of q `[b, t, h, d]`, k `[b, s, hkv, d]`, v `[b, s, hkv, dv]`. */
interface Problem {
  readonly q: View;
  readonly k: View;
  readonly v: View;
  readonly mask: View | null;
  readonly bias: View | null;
  readonly segments: View | null;
  readonly lengths: View | null;
  /** What follows them. */
  readonly rest: readonly View[];
  readonly sizes: Readonly<Record<'b' | 't' | 's' | 'h' | 'hkv' | 'group' | 'd' | 'dv', number>>;
  /** `[b, h, t]`. */
  readonly rows: number;
}

function problemOf(op: string, ins: readonly View[], { has }: AttentionAttrs): Problem {
  let at = 3;
  const next = (present: boolean): View | null => (present ? ins[at++]! : null);
  const [q, k, v] = ins as [View, View, View];
  const [mask, bias] = [next(has.mask), next(has.bias)];
  const [segments, lengths] = [next(has.segments), next(has.lengths)];
  const [b, t, h, d] = q.shape as [number, number, number, number];
  const [, s, hkv, dv] = v.shape as [number, number, number, number];
  const rows = b * h * t;
  if (rows * s > maxElements) {
    throw new BackendError(
      'gpu',
      `${op}: ${b} × ${h} × ${t} × ${s} scores, but at most ${maxElements} can be indexed: smaller batches`,
    );
  }
  const sizes = { b, t, s, h, hkv, group: h / hkv, d, dv };
  return { q, k, v, mask, bias, segments, lengths, rest: ins.slice(at), sizes, rows };
}

/**
 * Heads of a tensor `[b, rows, heads, width]` as matrices `[rows, width]` of the batch [b, hkv, group], or turned as
 * `[width, rows]`; a group shares a head of keys.
 */
function headMatrices(p: Problem, x: View, turned = false): Matrices {
  const [, rows, count, width] = x.shape as [number, number, number, number];
  const { hkv, group } = p.sizes;
  const shared = count === hkv && group > 1;
  const batch = [rows * count * width, shared ? width : group * width, shared ? 0 : width];
  const row = count * width;
  return turned ? { array: x, batch, row: 1, column: row } : { array: x, batch, row, column: 1 };
}

/** `[b, hkv, group, t, s]` in one piece, or turned as `[s, t]`. */
function weightMatrices(p: Problem, array: DeviceArray, turned = false): Matrices {
  const { t, s, hkv, group } = p.sizes;
  const batch = [hkv * group * t * s, group * t * s, t * s];
  return turned ? { array, batch, row: 1, column: s } : { array, batch, row: s, column: 1 };
}

const batchOf = ({ sizes: { b, hkv, group } }: Problem): number[] => [b, hkv, group];

/** `[b, h, t, s]`: the scaled scores, -∞ where a query does not see a key. */
function scores(context: Context, p: Problem, attrs: AttentionAttrs): DeviceArray {
  const { b, t, s, h, d } = p.sizes;
  const raw = product(
    context,
    headMatrices(p, p.q),
    headMatrices(p, p.k, true),
    { batch: batchOf(p), m: t, n: s, k: d },
    { factor: attrs.scale },
  );
  const arrays: Record<string, Operand> = { raw };
  const ints: Record<string, number> = { t, s, h };
  const conditions: string[] = [];
  const strided = (name: string, x: View): string => {
    arrays[name] = x;
    const strides = broadcastStrides(x.shape, [b, h, t, s]);
    for (const axis of times(4, (i) => i)) ints[`${name}${axis}`] = strides[axis]!;
    return `${name}[o_${name} + b * ${name}0 + head * ${name}1 + i * ${name}2 + j * ${name}3]`;
  };
  let at = 'i + qOffset';
  if (p.lengths !== null) {
    arrays['lengths'] = p.lengths;
    at = 'i + lengths[o_lengths + b] - t';
    conditions.push('j >= lengths[o_lengths + b]');
  } else ints['qOffset'] = attrs.qOffset;
  if (attrs.causal) conditions.push('j > at');
  if (attrs.window > 0) {
    ints['window'] = attrs.window;
    conditions.push('at - j >= window');
  }
  if (p.segments !== null) {
    arrays['segments'] = p.segments;
    conditions.push('segments[o_segments + b * s + i] !== segments[o_segments + b * s + j]');
  }
  if (p.mask !== null) conditions.push(`${strided('mask', p.mask)} === 0`);
  const bias = p.bias === null ? '' : ` + ${strided('bias', p.bias)}`;
  if (conditions.length === 0 && bias === '') return raw;
  const masked = launchNamed(context, {
    name: `attention.scores.${Object.keys(arrays).join()}${attrs.causal}${attrs.window > 0}`,
    ...{ arrays, ints, floats: minusInfinity, size: p.rows * s },
    body: `${divide('row', 'j', 'this.thread.x', 's')}${divide('r2', 'i', 'row', 't')}${divide('b', 'head', 'r2', 'h')}
const at = ${at};
${conditions.map((c) => `if (${c}) { return none; }\n`).join('')}return raw[this.thread.x]${bias};`,
  });
  context.executor.release(raw);
  return masked;
}

/** `[b, heads, group, rows, width]` summed over the group, as `[b, rows, heads, width]`. */
function fromHeads(
  context: Context,
  x: DeviceArray,
  sizes: Readonly<Record<'heads' | 'group' | 'rows' | 'width', number>>,
  batch: number,
): DeviceArray {
  const { heads, rows, width } = sizes;
  const out = launchNamed(context, {
    ...{ name: 'attention.fromHeads', arrays: { x }, ints: sizes },
    size: batch * rows * heads * width,
    body: `${divide('q1', 'c', 'this.thread.x', 'width')}${divide('q2', 'head', 'q1', 'heads')}${divide('b', 'r', 'q2', 'rows')}
const at = ((b * heads + head) * group * rows + r) * width + c;
let sum = 0.0;
for (let g = 0; g < group; g++) { sum += x[at + g * rows * width]; }
return sum;`,
  });
  context.executor.release(x);
  return out;
}

/**
 * Weights `[b, h, t, s]` times x `[b, s, hkv, width]`: `[b, t, h, width]`. To keys, the weights turned, times x
 * `[b, t, h, width]`, summed over the heads of a group: `[b, s, hkv, width]`.
 */
function mix(
  context: Context,
  p: Problem,
  weights: DeviceArray,
  x: View,
  { toKeys = false, factor = 1 }: { readonly toKeys?: boolean; readonly factor?: number } = {},
): DeviceArray {
  const { b, t, s, h, hkv, group } = p.sizes;
  const width = x.shape[3]!;
  const [m, k] = toKeys ? [s, t] : [t, s];
  const left = weightMatrices(p, weights, toKeys);
  const sizes = { batch: batchOf(p), m, n: width, k };
  const mixed = product(context, left, headMatrices(p, x), sizes, { factor });
  const [heads, summed] = toKeys ? [hkv, group] : [h, 1];
  return fromHeads(context, mixed, { heads, group: summed, rows: m, width }, b);
}

/** One number everywhere in a view. */
function constant(context: Context, out: View, value: number): void {
  if (out.size > 0) finish(context, [[out, filled(context, value, out.size)]]);
}

function attention(context: Context): Kernel<'attention'> {
  return (ins, [out, lse], attrs) => {
    const p = problemOf('attention', ins, attrs);
    const { s } = p.sizes;
    if (s === 0 || p.rows === 0) {
      constant(context, out!, 0);
      constant(context, lse!, -Infinity);
      return;
    }
    const shape = { rows: p.rows, d: s };
    const raw = scores(context, p, attrs);
    const top = rowMax(context, raw, shape);
    const total = rowSumExp(context, raw, top, shape);
    if (out!.size > 0) {
      const weights = rowSoftmax(context, raw, top, total, shape);
      finish(context, [[out!, mix(context, p, weights, p.v)]], [weights]);
    }
    finish(context, [[lse!, rowLogSumExp(context, top, total, shape)]], [raw, top, total]);
  };
}

/**
 * `[b, h, t, s]`: P ∘ (dP - D), dP = dO Vᵀ. D = rowsum(P ∘ dP), which is rowsum(dO ∘ O) but for rounding: it is exactly
 * dP where P is one-hot.
 */
function scoreGrads(context: Context, p: Problem, weights: DeviceArray, dout: View): DeviceArray {
  const { t, s, dv } = p.sizes;
  const sizes = { batch: batchOf(p), m: t, n: s, k: dv };
  const dp = product(context, headMatrices(p, dout), headMatrices(p, p.v, true), sizes);
  const ds = rowSoftmaxGrad(context, weights, dp, { rows: p.rows, d: s });
  context.executor.release(dp);
  return ds;
}

function attentionGrad(context: Context): Kernel<'attentionGrad'> {
  return (ins, [dq, dk, dv, dbias], attrs) => {
    const p = problemOf('attentionGrad', ins, attrs);
    const [, lse, dout] = p.rest as [View, View, View];
    const { b, h, t, s } = p.sizes;
    const outs = [dq!, dk!, dv!, ...(dbias === undefined ? [] : [dbias])];
    if (s === 0 || p.rows === 0) {
      for (const out of outs) constant(context, out, 0);
      return;
    }
    const raw = scores(context, p, attrs);
    const body = `if (lse < ${lowest}) { return 0; }\n${expInto('p', 'x - lse')}return p;`;
    const shape = { rows: p.rows, d: s };
    const weights = overRows(context, 'attention.p', { x: raw }, { lse }, body, shape);
    context.executor.release(raw);
    const ds = scoreGrads(context, p, weights, dout);
    const [factor, toKeys] = [attrs.scale, true];
    const results: [View, DeviceArray][] = [];
    if (dq!.size > 0) results.push([dq!, mix(context, p, ds, p.k, { factor })]);
    if (dk!.size > 0) results.push([dk!, mix(context, p, ds, p.q, { factor, toKeys })]);
    if (dv!.size > 0) results.push([dv!, mix(context, p, weights, dout, { toKeys })]);
    if (dbias !== undefined) {
      const all = [b, h, t, s];
      const strides = broadcastStrides(dbias.shape, all);
      const axes = times(4, (i) => i).filter((i) => strides[i] === 0 && all[i]! > 1);
      results.push([dbias, reduceAxes(context, 'sum', { x: ds, shape: all }, axes)]);
    }
    finish(context, results, [weights, ds]);
  };
}

/** Kernels of attention. */
export function attentionKernels(context: Context): {
  readonly [N in 'attention' | 'attentionGrad']: Kernel<N>;
} {
  return {
    attention: attention(context),
    attentionGrad: attentionGrad(context),
  } satisfies Partial<Kernels>;
}
