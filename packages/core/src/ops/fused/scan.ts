/** The selective state space of Mamba (Gu and Dao 2023, eq. 2, with zero-order hold for A). */
import { apply } from '../../apply';
import type { ScanAttrs } from '../../attrs';
import { type Aval, showAval } from '../../dtype';
import { ShapeError } from '../../errors';
import type { Op } from '../../op';
import { sameDType, wantDType, wantFloat, wantShape } from '../../shape-rules';
import { tidy } from '../../scope';
import type { Tensor } from '../../tensor';
import { vjpOfMany } from '../../vjp-of';
import { add, mul } from '../arithmetic';
import { full } from '../create';
import { broadcastTo, reshape, sum, unsqueeze } from '../linear';
import { where } from '../select';
import { linearRecurrence } from '../sequence';
import { narrow, pad, select } from '../shape';
import { exp } from '../unary';
import { byDecomposition } from './rules';

/** Inputs by name, then what follows them. */
interface Inputs<T> {
  readonly u: T;
  readonly delta: T;
  readonly A: T;
  readonly B: T;
  readonly C: T;
  readonly state: T | null;
  readonly starts: T | null;
  readonly rest: readonly T[];
}

function named<T>(ins: readonly T[], { has }: ScanAttrs): Inputs<T> {
  const [u, delta, A, B, C] = ins as [T, T, T, T, T];
  let at = 5;
  const state = has.state ? ins[at++]! : null;
  const starts = has.starts ? ins[at++]! : null;
  return { u, delta, A, B, C, state, starts, rest: ins.slice(at) };
}

function checkInputs(op: string, ins: readonly Aval[], attrs: ScanAttrs): Inputs<Aval> {
  const n = named(ins, attrs);
  const { u, delta, A, B, C, state, starts } = n;
  const floats = [u, delta, A, B, C, ...(state === null ? [] : [state])];
  wantFloat(op, ...floats);
  sameDType(op, floats);
  if (u.shape.length !== 3 || A.shape.length !== 2) {
    throw new ShapeError(
      op,
      `u ${showAval(u)} and A ${showAval(A)}: they are [b, d, l] and [d, n]`,
      [u.shape, A.shape],
    );
  }
  const [b, d, l] = u.shape as [number, number, number];
  const states = A.shape[1]!;
  wantShape(op, 'delta', delta, [b, d, l]);
  wantShape(op, 'A', A, [d, states]);
  wantShape(op, 'B', B, [b, l, states]);
  wantShape(op, 'C', C, [b, l, states]);
  if (state !== null) wantShape(op, 'state', state, [b, d, states]);
  if (starts !== null) {
    wantDType(op, 'starts', starts, 'bool');
    wantShape(op, 'starts', starts, [b, l]);
  }
  return n;
}

export const selectiveScanOp: Op<'selectiveScan'> = {
  name: 'selectiveScan',
  infer(ins, attrs) {
    const { u, A } = checkInputs('selectiveScan', ins, attrs);
    const [b, d] = u.shape as [number, number, number];
    return [
      { shape: u.shape, dtype: u.dtype },
      { shape: [b, d, A.shape[1]!], dtype: u.dtype },
    ];
  },
  decompose: scanRule,
  // the fast rule is for training, which learns no first state and drops the last one
  vjp: (a) => {
    const { ins, cts, attrs, needs } = a;
    const learnsState = attrs.has.state && needs[5] === true;
    if (learnsState || cts[0] === null || cts[1] !== null) return slow(a);
    const grads = apply(selectiveScanGradOp, [...ins, cts[0]!], attrs);
    return ins.map((_, i) => (i === 2 ? sum(grads[2]!, 0) : (grads[i] ?? null)));
  },
};

export const selectiveScanGradOp: Op<'selectiveScanGrad'> = {
  name: 'selectiveScanGrad',
  infer(ins, attrs) {
    const { u, delta, A, B, C, rest } = checkInputs('selectiveScanGrad', ins, attrs);
    wantShape('selectiveScanGrad', 'dy', rest[0]!, u.shape);
    const perRow = [u.shape[0]!, ...A.shape];
    return [u.shape, delta.shape, perRow, B.shape, C.shape].map((shape) => ({
      ...{ shape, dtype: u.dtype },
    }));
  },
  decompose: scanGradRule,
  vjp: byDecomposition<'selectiveScanGrad'>(scanGradRule),
};

const slow = byDecomposition<'selectiveScan'>(scanRule);

/** A is `[d, n]`, or of every row `[b, d, n]`. */
function scanRule(ins: readonly Tensor[], attrs: ScanAttrs): readonly Tensor[] {
  const { u, delta, A, B, C, state, starts } = named(ins, attrs);
  const [b, d, l] = u.shape as [number, number, number];
  const n = A.shape.at(-1)!;
  if (l === 0) return [mul(u, 1), state ?? full([b, d, n], 0, { dtype: u.dtype })];
  const kept = exp(mul(unsqueeze(delta, 3), unsqueeze(A, -2))); // [b, d, l, n]
  const decay = starts === null ? kept : where(reshape(starts, [b, 1, l, 1]), 0, kept);
  const perTime = (x: Tensor): Tensor => unsqueeze(x, 1); // [b, 1, l, n]
  const input = broadcastTo(mul(unsqueeze(mul(delta, u), 3), perTime(B)), [b, d, l, n]);
  const h = linearRecurrence(decay, state === null ? input : add(input, carried(decay, state)));
  return [sum(mul(h, perTime(C)), 3), select(h, 2, l - 1)];
}

/** What the first step keeps of an earlier state: `[b, d, l, n]`, zero from the second step on. */
function carried(decay: Tensor, state: Tensor): Tensor {
  const first = mul(narrow(decay, 2, 0, 1), unsqueeze(state, 2)); // [b, d, 1, n]
  return pad(first, [
    [0, 0],
    [0, 0],
    [0, decay.shape[2]! - 1],
    [0, 0],
  ]);
}

// g_t = C_t dy_t + exp(Δ_{t+1} A) g_{t+1}; the rest is the chain rule through Δ A and Δ u B
function scanGradRule(ins: readonly Tensor[], attrs: ScanAttrs): readonly Tensor[] {
  const { A, rest } = named(ins, attrs);
  const perRow = broadcastTo(A, [rest[0]!.shape[0]!, ...A.shape]); // [b, d, n]
  const forward = ins.slice(0, ins.length - 1).with(2, perRow);
  const needs = forward.map((_, i) => i < 5);
  const grads = vjpOfMany((xs) => scanRule(xs, attrs), forward, [rest[0]!, null], needs);
  return grads
    .slice(0, 5)
    .map((g, i) => g ?? full(forward[i]!.shape, 0, { dtype: forward[i]!.dtype }));
}

/** Options of `selectiveScan`. */
export interface SelectiveScanOptions {
  /** `[b, d, n]`: h before the first step; default 0. */
  readonly state?: Tensor;
  /** bool `[b, l]`: before a true step h is forgotten (packed sequences). */
  readonly starts?: Tensor;
}

/**
 * `u, delta [b, d, l]`, `A [d, n]`, `B, C [b, l, n]` -> `[b, d, l]`: h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t,
 * y_t = C_t · h_t.
 * @throws ShapeError, DTypeError
 */
export function selectiveScan(
  u: Tensor,
  delta: Tensor,
  A: Tensor,
  B: Tensor,
  C: Tensor,
  options: SelectiveScanOptions = {},
): Tensor {
  return tidy(() => selectiveScanWithState(u, delta, A, B, C, options)[0]);
}

/** As `selectiveScan`, with h after the last step, `[b, d, n]`. @throws ShapeError, DTypeError */
export function selectiveScanWithState(
  u: Tensor,
  delta: Tensor,
  A: Tensor,
  B: Tensor,
  C: Tensor,
  { state, starts }: SelectiveScanOptions = {},
): readonly [y: Tensor, state: Tensor] {
  const extras = [state, starts].filter((x) => x !== undefined);
  const attrs: ScanAttrs = { has: { state: state !== undefined, starts: starts !== undefined } };
  const [y, last] = apply(selectiveScanOp, [u, delta, A, B, C, ...extras], attrs);
  return [y!, last!];
}
