/** softmax, logSoftmax and cross-entropy along the last axis. */
import { apply, apply1 } from '../../apply';
import { type Aval, showAval } from '../../dtype';
import { ShapeError } from '../../errors';
import type { Op } from '../../op';
import {
  normalizeAxis,
  sameDType,
  wantDType,
  wantFloat,
  wantRank,
  wantShape,
} from '../../shape-rules';
import { stopGradient } from '../../stop-gradient';
import type { Tensor } from '../../tensor';
import { add, div, log, mul, sub } from '../arithmetic';
import { iota } from '../create';
import { gather } from '../index-ops';
import { cast, reshape, squeeze, sum, transpose, unsqueeze } from '../linear';
import { max } from '../reduce';
import { eq, isInfOf, lt, and, ne, where } from '../select';
import { exp } from '../unary';
import { byDecomposition, fastOrDecomposed } from './rules';
import { tidy } from '../../scope';

function inferRows(op: string, ins: readonly Aval[]): readonly Aval[] {
  const x = ins[0]!;
  wantFloat(op, ...ins);
  sameDType(op, ins);
  if (x.shape.length === 0) throw new ShapeError(op, `${showAval(x)} has no axis`, [x.shape]);
  for (const other of ins) wantShape(op, 'an input', other, x.shape);
  return [{ shape: x.shape, dtype: x.dtype }];
}

/** exp(x - max) and its sum along the last axis; a row of -inf gives zeros. */
function expRows(x: Tensor): readonly [e: Tensor, total: Tensor, shift: Tensor] {
  if (x.shape.at(-1) === 0)
    return [x, sum(x, -1, { keepDims: true }), sum(x, -1, { keepDims: true })];
  const top = max(stopGradient(x), -1, { keepDims: true });
  const shift = where(and(isInfOf(top), lt(top, 0)), 0, top);
  const e = exp(sub(x, shift));
  return [e, sum(e, -1, { keepDims: true }), shift];
}

export const softmaxOp: Op<'softmax'> = {
  name: 'softmax',
  infer: (ins) => inferRows('softmax', ins),
  saveIns: 'none',
  saveOuts: 'all',
  decompose: ([x]) => {
    const [e, total] = expRows(x!);
    return [div(e, where(eq(total, 0), 1, total))];
  },
  vjp: ({ outs, cts }) => [apply1(softmaxGradOp, [outs[0]!, cts[0]!], {})],
};

export const softmaxGradOp: Op<'softmaxGrad'> = {
  name: 'softmaxGrad',
  infer: (ins) => inferRows('softmaxGrad', ins),
  decompose: ([y, dy]) => softmaxGradRule(y!, dy!),
  vjp: byDecomposition<'softmaxGrad'>(([y, dy]) => softmaxGradRule(y!, dy!)),
};

// d softmax: y ⊙ (dy − Σ dy ⊙ y)
function softmaxGradRule(y: Tensor, dy: Tensor): readonly Tensor[] {
  return [mul(y, sub(dy, sum(mul(dy, y), -1, { keepDims: true })))];
}

export const logSoftmaxOp: Op<'logSoftmax'> = {
  name: 'logSoftmax',
  infer: (ins) => inferRows('logSoftmax', ins),
  saveIns: 'none',
  saveOuts: 'all',
  decompose: ([x]) => {
    if (x!.shape.at(-1) === 0) return [x!];
    const centred = sub(x!, max(stopGradient(x!), -1, { keepDims: true }));
    return [sub(centred, log(sum(exp(centred), -1, { keepDims: true })))];
  },
  vjp: ({ outs, cts }) => [apply1(logSoftmaxGradOp, [outs[0]!, cts[0]!], {})],
};

export const logSoftmaxGradOp: Op<'logSoftmaxGrad'> = {
  name: 'logSoftmaxGrad',
  infer: (ins) => inferRows('logSoftmaxGrad', ins),
  decompose: ([y, dy]) => logSoftmaxGradRule(y!, dy!),
  vjp: byDecomposition<'logSoftmaxGrad'>(([y, dy]) => logSoftmaxGradRule(y!, dy!)),
};

// d logSoftmax: dy − e^y Σ dy
function logSoftmaxGradRule(y: Tensor, dy: Tensor): readonly Tensor[] {
  return [sub(dy, mul(exp(y), sum(dy, -1, { keepDims: true })))];
}

function inferCrossEntropy(op: string, logits: Aval, targets: Aval): number {
  wantFloat(op, logits);
  wantRank(op, 'logits', logits, 2);
  wantDType(op, 'targets', targets, 'i32');
  wantShape(op, 'targets', targets, logits.shape.slice(0, 1));
  if (logits.shape[1] === 0)
    throw new ShapeError(op, `${showAval(logits)} has no classes`, [logits.shape]);
  return logits.shape[0]!;
}

export const crossEntropyOp: Op<'crossEntropy'> = {
  name: 'crossEntropy',
  infer([logits, targets]) {
    const n = inferCrossEntropy('crossEntropy', logits!, targets!);
    const row = { shape: [n], dtype: logits!.dtype };
    return [row, row];
  },
  saveOuts: [1],
  decompose: ([logits, targets], { ignoreIndex }) =>
    crossEntropyRule(logits!, targets!, ignoreIndex),
  vjp: fastOrDecomposed<'crossEntropy'>(
    ({ ins, outs, cts, attrs }) => [
      apply1(crossEntropyGradOp, [ins[0]!, ins[1]!, outs[1]!, cts[0]!], attrs),
      null,
    ],
    ([logits, targets], { ignoreIndex }) => crossEntropyRule(logits!, targets!, ignoreIndex),
  ),
};

function crossEntropyRule(logits: Tensor, targets: Tensor, ignoreIndex: number): readonly Tensor[] {
  const [, total, shift] = expRows(logits);
  const lse = squeeze(add(log(total), shift), 1); // [n]
  const valid = ne(targets, ignoreIndex);
  const picked = squeeze(gather(logits, unsqueeze(where(valid, targets, 0), 1), 1), 1); // [n]
  return [where(valid, sub(lse, picked), 0), lse];
}

export const crossEntropyGradOp: Op<'crossEntropyGrad'> = {
  name: 'crossEntropyGrad',
  infer([logits, targets, lse, dloss]) {
    const n = inferCrossEntropy('crossEntropyGrad', logits!, targets!);
    wantShape('crossEntropyGrad', 'lse', lse!, [n]);
    wantShape('crossEntropyGrad', 'dloss', dloss!, [n]);
    return [{ shape: logits!.shape, dtype: logits!.dtype }];
  },
  decompose: (ins, { ignoreIndex }) => crossEntropyGradRule(ins, ignoreIndex),
  vjp: byDecomposition<'crossEntropyGrad'>((ins, { ignoreIndex }) =>
    crossEntropyGradRule(ins, ignoreIndex),
  ),
};

// d loss: (softmax − onehot) dloss
function crossEntropyGradRule(ins: readonly Tensor[], ignoreIndex: number): readonly Tensor[] {
  const [logits, targets, lse, dloss] = ins as [Tensor, Tensor, Tensor, Tensor];
  const scale = where(ne(targets, ignoreIndex), dloss, 0);
  const hot = cast(eq(unsqueeze(targets, 1), iota(logits.shape[1]!)), logits.dtype);
  const p = exp(sub(logits, unsqueeze(lse, 1)));
  return [mul(sub(p, hot), unsqueeze(scale, 1))];
}

function alongLast(x: Tensor, axis: number, op: string, run: (rows: Tensor) => Tensor): Tensor {
  return tidy(() => {
    const a = normalizeAxis(op, axis, x.shape);
    return a === x.rank - 1 ? run(x) : transpose(run(transpose(x, a, -1)), a, -1);
  });
}

/** Probabilities along an axis; a slice of -inf only gives zeros. @throws ShapeError, DTypeError */
export function softmax(x: Tensor, axis = -1): Tensor {
  return alongLast(x, axis, 'softmax', (rows) => apply1(softmaxOp, [rows], {}));
}

/** Log-probabilities along an axis; a slice of -inf only gives NaN. @throws ShapeError, DTypeError */
export function logSoftmax(x: Tensor, axis = -1): Tensor {
  return alongLast(x, axis, 'logSoftmax', (rows) => apply1(logSoftmaxOp, [rows], {}));
}

/** Options of `crossEntropy`. */
export interface CrossEntropyOptions {
  /** Rows with this target have loss 0 (-100). */
  readonly ignoreIndex?: number;
}

/**
 * Negative log-likelihood of each row, in nats: `logits [..., v]`, `targets i32[...]` -> `[...]`.
 * @throws ShapeError, DTypeError, ValueError for a target that is no class
 */
export function crossEntropy(
  logits: Tensor,
  targets: Tensor,
  options: CrossEntropyOptions = {},
): Tensor {
  return tidy(() => {
    if (logits.rank === 0)
      throw new ShapeError('crossEntropy', `logits are ${showAval(logits)}, not [..., v]`, [
        logits.shape,
      ]);
    wantShape('crossEntropy', 'targets', targets, logits.shape.slice(0, -1));
    const v = logits.shape.at(-1)!;
    const rows = reshape(logits, [targets.size, v]);
    const [loss] = apply(crossEntropyOp, [rows, reshape(targets, [targets.size])], {
      ignoreIndex: options.ignoreIndex ?? -100,
    });
    return reshape(loss!, targets.shape);
  });
}
