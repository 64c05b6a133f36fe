/** Scaled dot-product attention; kernels tile it and keep no t × s matrix (Dao 2023, FlashAttention-2). */
import { apply } from '../../apply';
import type { AttentionAttrs } from '../../attrs';
import { type Aval, broadcastShapes, sameShape, showAval } from '../../dtype';
import { ShapeError } from '../../errors';
import type { Op } from '../../op';
import {
  sameDType,
  wantDType,
  wantFinite,
  wantFloat,
  wantInteger,
  wantRank,
  wantShape,
} from '../../shape-rules';
import { stopGradient } from '../../stop-gradient';
import type { Tensor } from '../../tensor';
import { add, div, log, mul, sub } from '../arithmetic';
import { iota } from '../create';
import { broadcastTo, permute, reshape, sum, sumTo, unsqueeze } from '../linear';
import { matmul } from '../matmul';
import { max } from '../reduce';
import { and, eq, isInfOf, le, lt, where } from '../select';
import { exp } from '../unary';
import { byDecomposition, fastOrDecomposed } from './rules';
import { tidy } from '../../scope';

/** Inputs by name: q, k, v, then the optional ones that `has` lists. */
interface Inputs<T> {
  readonly q: T;
  readonly k: T;
  readonly v: T;
  readonly mask: T | null;
  readonly bias: T | null;
  readonly segments: T | null;
  readonly lengths: T | null;
  /** What follows them. */
  readonly rest: readonly T[];
}

function named<T>(ins: readonly T[], { has }: AttentionAttrs): Inputs<T> {
  let at = 3;
  const next = (present: boolean): T | null => (present ? ins[at++]! : null);
  const [q, k, v] = ins as [T, T, T];
  const mask = next(has.mask);
  const bias = next(has.bias);
  const segments = next(has.segments);
  const lengths = next(has.lengths);
  return { q, k, v, mask, bias, segments, lengths, rest: ins.slice(at) };
}

function checkInputs(op: string, ins: readonly Aval[], attrs: AttentionAttrs): Inputs<Aval> {
  const n = named(ins, attrs);
  const { q, k, v } = n;
  wantFloat(op, q, k, v);
  sameDType(op, [q, k, v]);
  for (const [name, x] of [
    ['q', q],
    ['k', k],
    ['v', v],
  ] as const)
    wantRank(op, name, x, 4);
  const [b, t, h, d] = q.shape as [number, number, number, number];
  const [kb, s, hkv, kd] = k.shape as [number, number, number, number];
  const all = `q ${showAval(q)}, k ${showAval(k)}, v ${showAval(v)}`;
  if (kb !== b || kd !== d || !sameShape(v.shape.slice(0, 3), [b, s, hkv])) {
    throw new ShapeError(op, `${all}: they are [b, t, h, d], [b, s, hkv, d] and [b, s, hkv, dv]`, [
      q.shape,
      k.shape,
      v.shape,
    ]);
  }
  if (hkv === 0 || h % hkv !== 0) {
    throw new ShapeError(op, `${all}: ${h} heads are no multiple of ${hkv} key-value heads`, [
      q.shape,
      k.shape,
    ]);
  }
  wantInteger(op, 'window', attrs.window, 0);
  wantInteger(op, 'qOffset', attrs.qOffset, -(2 ** 31));
  wantFinite(op, 'scale', attrs.scale);
  for (const [name, x] of [
    ['mask', n.mask],
    ['bias', n.bias],
  ] as const) {
    if (x === null) continue;
    const to = broadcastShapes(x.shape, [b, h, t, s]);
    if (to === null || !sameShape(to, [b, h, t, s])) {
      throw new ShapeError(
        op,
        `${name} ${showAval(x)} does not broadcast to [${b},${h},${t},${s}]`,
        [x.shape],
      );
    }
  }
  if (n.mask) wantDType(op, 'mask', n.mask, 'bool');
  if (n.bias) wantDType(op, 'bias', n.bias, q.dtype);
  if (n.segments) {
    wantDType(op, 'segments', n.segments, 'i32');
    wantShape(op, 'segments', n.segments, [b, s]);
    if (t !== s)
      throw new ShapeError(op, `${all}: segments need as many queries as keys`, [q.shape, k.shape]);
  }
  if (n.lengths) {
    wantDType(op, 'lengths', n.lengths, 'i32');
    wantShape(op, 'lengths', n.lengths, [b]);
  }
  return n;
}

export const attentionOp: Op<'attention'> = {
  name: 'attention',
  infer(ins, attrs) {
    const { q, v } = checkInputs('attention', ins, attrs);
    const [b, t, h] = q.shape as [number, number, number, number];
    return [
      { shape: [b, t, h, v.shape[3]!], dtype: q.dtype },
      { shape: [b, h, t], dtype: q.dtype },
    ];
  },
  saveOuts: 'all',
  decompose: attentionRule,
  vjp: fastOrDecomposed<'attention'>(({ ins, outs, cts, attrs }) => {
    const [dq, dk, dv, dbias] = apply(
      attentionGradOp,
      [...ins, outs[0]!, outs[1]!, cts[0]!],
      attrs,
    );
    const { mask, bias } = named(ins, attrs);
    return ins.map((x, i) =>
      i < 3 ? [dq!, dk!, dv!][i]! : x === bias && x !== mask ? dbias! : null,
    );
  }, attentionRule),
};

export const attentionGradOp: Op<'attentionGrad'> = {
  name: 'attentionGrad',
  infer(ins, attrs) {
    const { q, k, v, bias } = checkInputs('attentionGrad', ins, attrs);
    const grads = [q, k, v].map((x) => ({ shape: x.shape, dtype: x.dtype }));
    return bias ? [...grads, { shape: bias.shape, dtype: bias.dtype }] : grads;
  },
  decompose: attentionGradRule,
  vjp: byDecomposition<'attentionGrad'>(attentionGradRule),
};

/** Scaled, biased and masked scores `[b, h, t, s]`, -inf where a query does not see a key. */
function scoresOf(n: Inputs<Tensor>, attrs: AttentionAttrs): Tensor {
  const [b, t, h, d] = n.q.shape as [number, number, number, number];
  const [, s, hkv] = n.k.shape as [number, number, number, number];
  const q = reshape(permute(n.q, [0, 2, 1, 3]), [b, hkv, (h / hkv) * t, d]);
  const k = permute(n.k, [0, 2, 1, 3]); // [b, hkv, s, d]
  const raw = mul(reshape(matmul(q, k, { transB: true }), [b, h, t, s]), attrs.scale);
  const scores = n.bias ? add(raw, n.bias) : raw;
  const visible = visibility(n, attrs, b, t, s);
  return visible ? where(visible, scores, Number.NEGATIVE_INFINITY) : scores;
}

/** Which keys each query sees, broadcastable to `[b, h, t, s]`; null when all. */
function visibility(
  n: Inputs<Tensor>,
  a: AttentionAttrs,
  b: number,
  t: number,
  s: number,
): Tensor | null {
  const parts: Tensor[] = [];
  const key = iota(s); // [s]
  const query = unsqueeze(iota(t), 1); // [t, 1]
  const row = (x: Tensor): Tensor => reshape(x, [b, 1, 1, 1]);
  const at = n.lengths ? add(query, row(sub(n.lengths, t))) : add(query, a.qOffset);
  if (n.lengths) parts.push(lt(key, row(n.lengths)));
  if (a.causal) parts.push(le(key, at));
  if (a.window > 0) parts.push(lt(sub(at, key), a.window));
  if (n.segments)
    parts.push(eq(reshape(n.segments, [b, 1, s, 1]), reshape(n.segments, [b, 1, 1, s])));
  if (n.mask) parts.push(n.mask);
  return parts.length === 0 ? null : parts.reduce((x, y) => and(x, y));
}

/** Head-major `[b, h, t, x]` from or to `[b, t, h, x]`. */
const swapHeads = (x: Tensor): Tensor => permute(x, [0, 2, 1, 3]);

function attentionRule(ins: readonly Tensor[], attrs: AttentionAttrs): readonly Tensor[] {
  const n = named(ins, attrs);
  const [b, t, h] = n.q.shape as [number, number, number, number];
  const [, s, hkv] = n.k.shape as [number, number, number, number];
  const dv = n.v.shape[3]!;
  const scores = scoresOf(n, attrs);
  if (s === 0) {
    const none = mul(reshape(sum(scores, -1), [b, h, t]), 0);
    return [
      broadcastTo(unsqueeze(permute(none, [0, 2, 1]), 3), [b, t, h, dv]),
      sub(none, Number.POSITIVE_INFINITY),
    ];
  }
  const top = max(stopGradient(scores), -1, { keepDims: true });
  const shift = where(and(isInfOf(top), lt(top, 0)), 0, top); // [b, h, t, 1]
  const e = exp(sub(scores, shift));
  const total = sum(e, -1, { keepDims: true });
  const blind = eq(total, 0);
  const p = div(e, where(blind, 1, total));
  const v = swapHeads(n.v); // [b, hkv, s, dv]
  const o = matmul(reshape(p, [b, hkv, (h / hkv) * t, s]), v);
  const lse = where(blind, Number.NEGATIVE_INFINITY, add(log(where(blind, 1, total)), shift));
  return [swapHeads(reshape(o, [b, h, t, dv])), reshape(lse, [b, h, t])];
}

// P = exp(S − lse), dP = dO Vᵀ, D = rowsum(P ∘ dP): dV = Pᵀ dO, dS = P ∘ (dP − D), dQ = dS K · scale, dK = dSᵀ Q · scale.
// Kernels take D = rowsum(dO ∘ O), which is the same but for rounding; this form is exactly 0 where P is one-hot.
function attentionGradRule(ins: readonly Tensor[], attrs: AttentionAttrs): readonly Tensor[] {
  const n = named(ins, attrs);
  const [, lse, dout] = n.rest as [Tensor, Tensor, Tensor];
  const [b, t, h, d] = n.q.shape as [number, number, number, number];
  const [, s, hkv] = n.k.shape as [number, number, number, number];
  const rows = (h / hkv) * t;
  const grouped = (x: Tensor): Tensor => reshape(swapHeads(x), [b, hkv, rows, x.shape[3]!]);
  const column = unsqueeze(lse, 3);
  const blind = and(isInfOf(column), lt(column, 0));
  const p = where(blind, 0, exp(sub(scoresOf(n, attrs), where(blind, 0, column)))); // [b, h, t, s]
  const pg = reshape(p, [b, hkv, rows, s]);
  const q = grouped(n.q);
  const g = grouped(dout);
  const k = swapHeads(n.k);
  const v = swapHeads(n.v);
  const dp = matmul(g, v, { transB: true }); // [b, hkv, rows, s]
  const ds = mul(pg, sub(dp, sum(mul(pg, dp), -1, { keepDims: true })));
  const scaled = mul(ds, attrs.scale);
  const dq = swapHeads(reshape(matmul(scaled, k), [b, h, t, d]));
  const dk = swapHeads(matmul(scaled, q, { transA: true }));
  const dv = swapHeads(matmul(pg, g, { transA: true }));
  return n.bias ? [dq, dk, dv, sumTo(reshape(ds, [b, h, t, s]), n.bias.shape)] : [dq, dk, dv];
}

/** Options of `attention`. */
export interface AttentionOptions {
  /** Query i stands at position i + qOffset and sees no later key. */
  readonly causal?: boolean;
  /** Sees only the last `window` positions, its own included; 0 (default) is no limit. */
  readonly window?: number;
  /** Factor on q·k; default 1 / sqrt(d). */
  readonly scale?: number;
  /** Position of the first query; default s - t, so that the last query meets the last key. */
  readonly qOffset?: number;
  /** bool, broadcastable to [b, h, t, s]: true may attend. */
  readonly mask?: Tensor;
  /** float, broadcastable to [b, h, t, s], added to the scaled scores. */
  readonly bias?: Tensor;
  /** i32 [b, s], t = s: attends only within equal numbers (packed sequences). */
  readonly segments?: Tensor;
  /** i32 [b]: valid keys of each row; query i stands at lengths[b] - t + i. */
  readonly lengths?: Tensor;
}

/**
 * softmax(q kᵀ · scale + bias) v. `q [b, t, h, d]`, `k [b, s, hkv, d]`, `v [b, s, hkv, dv]` -> `[b, t, h, dv]`; query
 * head i reads key-value head floor(i · hkv / h). A query that sees nothing gives 0.
 * @throws ShapeError, DTypeError, ValueError
 */
export function attention(q: Tensor, k: Tensor, v: Tensor, options: AttentionOptions = {}): Tensor {
  return tidy(() => {
    const { mask, bias, segments, lengths } = options;
    const extras = [mask, bias, segments, lengths].filter((x) => x !== undefined);
    const attrs: AttentionAttrs = {
      causal: options.causal ?? false,
      window: options.window ?? 0,
      scale: options.scale ?? 1 / Math.sqrt(q.shape[3] || 1),
      qOffset: lengths ? 0 : (options.qOffset ?? (k.shape[1] ?? 0) - (q.shape[1] ?? 0)),
      has: {
        mask: mask !== undefined,
        bias: bias !== undefined,
        segments: segments !== undefined,
        lengths: lengths !== undefined,
      },
    };
    return apply(attentionOp, [q, k, v, ...extras], attrs)[0]!;
  });
}
