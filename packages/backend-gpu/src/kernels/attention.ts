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
import { expInto, logInto } from '../formulas';
import { broadcastStrides } from '../layout';
import { type Context, finish, launchNamed, type Operand } from '../launch';
import { divide, maxElements, sumOver, times } from '../source';
import { reduceAxes } from './reduce';
import { lowest, minusInfinity, rowMax, rowSumExp } from './softmax';

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

/** `b`, `head`, `i` and `last` of an index into `[b, h, t, size]`; `row` is that of `[b, h, t]`. */
const scoreIndex = `${divide('row', 'j', 'this.thread.x', 's')}${divide('r2', 'i', 'row', 't')}${divide('b', 'head', 'r2', 'h')}${divide('kv', 'member', 'head', 'group')}`;

/** `[b, h, t, s]`: the scores, -∞ where a query does not see a key. */
function scores(context: Context, p: Problem, attrs: AttentionAttrs): DeviceArray {
  const { b, t, s, h } = p.sizes;
  const arrays: Record<string, Operand> = { q: p.q, k: p.k };
  const ints: Record<string, number> = {};
  for (const name of ['t', 's', 'h', 'hkv', 'group', 'd'] as const) ints[name] = p.sizes[name];
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
  return launchNamed(context, {
    name: `attention.scores.${Object.keys(arrays).join()}${attrs.causal}${attrs.window > 0}`,
    ...{ arrays, ints, floats: { scale: attrs.scale, ...minusInfinity }, size: p.rows * s },
    body: `${scoreIndex}const at = ${at};
${conditions.map((c) => `if (${c}) { return none; }\n`).join('')}
const pq = o_q + ((b * t + i) * h + head) * d;
const pk = o_k + ((b * s + j) * hkv + kv) * d;
${sumOver('dot', 'd', (n) => `q[pq + ${n}] * k[pk + ${n}]`)}return dot * scale${bias};`,
  });
}

/** `[b, t, h, width]`: Σ_j weights[b, h, i, j] · x[b, j, kv, c] · factor. */
function mixKeys(
  context: Context,
  p: Problem,
  weights: DeviceArray,
  x: View,
  factor: number,
): DeviceArray {
  const { t, s, h, hkv, group } = p.sizes;
  const width = x.shape[3]!;
  return launchNamed(context, {
    ...{ name: 'attention.mixKeys', arrays: { weights, x }, floats: { factor } },
    ints: { t, s, h, hkv, group, width },
    size: p.sizes.b * t * h * width,
    body: `${divide('q1', 'c', 'this.thread.x', 'width')}${divide('q2', 'head', 'q1', 'h')}${divide('b', 'i', 'q2', 't')}${divide('kv', 'member', 'head', 'group')}
const pw = ((b * h + head) * t + i) * s;
const px = o_x + (b * s * hkv + kv) * width + c;
${sumOver('total', 's', (j) => `weights[pw + ${j}] * x[px + ${j} * hkv * width]`)}return total * factor;`,
  });
}

/** `[b, s, hkv, width]`: Σ over the group's heads and i of weights[b, head, i, j] · x[b, i, head, c] · factor. */
function mixQueries(
  context: Context,
  p: Problem,
  weights: DeviceArray,
  x: View,
  factor: number,
): DeviceArray {
  const { t, s, h, hkv, group } = p.sizes;
  const width = x.shape[3]!;
  return launchNamed(context, {
    ...{ name: 'attention.mixQueries', arrays: { weights, x }, floats: { factor } },
    ints: { t, s, h, hkv, group, width },
    size: p.sizes.b * s * hkv * width,
    body: `${divide('q1', 'c', 'this.thread.x', 'width')}${divide('q2', 'kv', 'q1', 'hkv')}${divide('b', 'j', 'q2', 's')}
let sum = 0.0;
for (let g = 0; g < group; g++) {
  const head = kv * group + g;
  const pw = (b * h + head) * t * s + j;
  const px = o_x + (b * t * h + head) * width + c;
  for (let i = 0; i < t; i++) { sum += weights[pw + i * s] * x[px + i * h * width]; }
}
return sum * factor;`,
  });
}

function constant(context: Context, out: View, value: 'zeros' | 'lowest'): void {
  if (out.size === 0) return;
  const body = 'return none;';
  const floats = value === 'zeros' ? { none: 0 } : minusInfinity;
  const array = launchNamed(context, { name: value, arrays: {}, floats, size: out.size, body });
  finish(context, [[out, array]]);
}

function attention(context: Context): Kernel<'attention'> {
  return (ins, [out, lse], attrs) => {
    const p = problemOf('attention', ins, attrs);
    const { s } = p.sizes;
    if (s === 0 || p.rows === 0) {
      constant(context, out!, 'zeros');
      constant(context, lse!, 'lowest');
      return;
    }
    const raw = scores(context, p, attrs);
    const top = rowMax(context, raw, p.rows, s);
    const total = rowSumExp(context, raw, top, p.rows, s);
    const sums = launchNamed(context, {
      ...{ name: 'attention.lse', arrays: { top, total }, floats: minusInfinity, size: p.rows },
      body: `const m = top[this.thread.x];
if (m < ${lowest}) { return none; }
${logInto('l', 'total[this.thread.x]')}return m + l;`,
    });
    const shared = [raw, top, total];
    if (out!.size > 0) {
      const weights = launchNamed(context, {
        ...{ name: 'attention.weights', arrays: { raw, top, total }, ints: { s } },
        size: p.rows * s,
        body: `${divide('row', 'j', 'this.thread.x', 's')}const m = top[row];
if (m < ${lowest}) { return 0; }
return Math.exp(raw[this.thread.x] - m) / total[row];`,
      });
      finish(context, [[out!, mixKeys(context, p, weights, p.v, 1)]], [weights]);
    }
    finish(context, [[lse!, sums]], shared);
  };
}

/**
 * `[b, h, t, s]`: P ∘ (dP - D), dP = dO Vᵀ. D = rowsum(P ∘ dP), which is rowsum(dO ∘ O) but for rounding: it is exactly
 * dP where P is one-hot.
 */
function scoreGrads(context: Context, p: Problem, weights: DeviceArray, dout: View): DeviceArray {
  const { t, s, h, hkv, group, dv } = p.sizes;
  const size = p.rows * s;
  const dp = launchNamed(context, {
    ...{ name: 'attention.dp', arrays: { v: p.v, dout }, ints: { t, s, h, hkv, group, dv }, size },
    body: `${scoreIndex}const po = o_dout + ((b * t + i) * h + head) * dv;
const pv = o_v + ((b * s + j) * hkv + kv) * dv;
${sumOver('total', 'dv', (c) => `dout[po + ${c}] * v[pv + ${c}]`)}return total;`,
  });
  const drift = launchNamed(context, {
    ...{ name: 'attention.drift', arrays: { weights, dp }, ints: { s }, size: p.rows },
    body: `const base = this.thread.x * s;
${sumOver('total', 's', (j) => `weights[base + ${j}] * dp[base + ${j}]`)}return total;`,
  });
  const ds = launchNamed(context, {
    ...{ name: 'attention.ds', arrays: { weights, dp, drift }, ints: { s }, size },
    body: `${divide('row', 'j', 'this.thread.x', 's')}return weights[this.thread.x] * (dp[this.thread.x] - drift[row]);`,
  });
  for (const array of [dp, drift]) context.executor.release(array);
  return ds;
}

function attentionGrad(context: Context): Kernel<'attentionGrad'> {
  return (ins, [dq, dk, dv, dbias], attrs) => {
    const p = problemOf('attentionGrad', ins, attrs);
    const [, lse, dout] = p.rest as [View, View, View];
    const { b, h, t, s } = p.sizes;
    const outs = [dq!, dk!, dv!, ...(dbias === undefined ? [] : [dbias])];
    if (s === 0 || p.rows === 0) {
      for (const out of outs) constant(context, out, 'zeros');
      return;
    }
    const raw = scores(context, p, attrs);
    const weights = launchNamed(context, {
      ...{ name: 'attention.p', arrays: { raw, lse }, ints: { s }, size: p.rows * s },
      body: `${divide('row', 'j', 'this.thread.x', 's')}const l = lse[o_lse + row];
if (l < ${lowest}) { return 0; }
${expInto('p', 'raw[this.thread.x] - l')}return p;`,
    });
    context.executor.release(raw);
    const ds = scoreGrads(context, p, weights, dout);
    const results: [View, DeviceArray][] = [];
    if (dq!.size > 0) results.push([dq!, mixKeys(context, p, ds, p.k, attrs.scale)]);
    if (dk!.size > 0) results.push([dk!, mixQueries(context, p, ds, p.q, attrs.scale)]);
    if (dv!.size > 0) results.push([dv!, mixQueries(context, p, weights, dout, 1)]);
    if (dbias !== undefined) {
      const shape = [b, h, t, s];
      const strides = broadcastStrides(dbias.shape, shape);
      const axes = times(4, (i) => i).filter((i) => strides[i] === 0 && shape[i]! > 1);
      const from = { array: ds, offset: 0, shape, integers: false };
      results.push([dbias, reduceAxes(context, 'sum', from, axes)]);
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
