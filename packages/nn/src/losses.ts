/**
 * Losses with PyTorch's semantics, but that shapes never broadcast silently, and that a mean over nothing is 0 (not
 * NaN), with gradient 0.
 */
import {
  abs,
  add,
  crossEntropy,
  type DType,
  DTypeError,
  embedding,
  eq,
  exp,
  gather,
  isFloat,
  le,
  log,
  logSoftmax,
  maximum,
  mean,
  mul,
  ne,
  neg,
  ShapeError,
  sameShape,
  square,
  sub,
  sum,
  type Tensor,
  tidy,
  ValueError,
  where,
} from '@loretta-ts/core';

/** One number from many losses: their mean, their sum, or the losses as they are. */
export type Reduction = 'mean' | 'sum' | 'none';

/** Options of all losses. */
export interface LossOptions {
  /** Default `mean`. */
  readonly reduction?: Reduction;
}

/** Options of losses over classes. */
export interface ClassLossOptions extends LossOptions {
  /** Rows with this target do not count; default -100. */
  readonly ignoreIndex?: number;
  /** `[v]`: weight of each class; the mean is weighted by it. */
  readonly weight?: Tensor | null;
}

/** Options of `crossEntropyLoss`. */
export interface CrossEntropyLossOptions extends ClassLossOptions {
  /** Share of the target that is spread over all classes; default 0. */
  readonly labelSmoothing?: number;
}

/**
 * Cross-entropy in nats.
 * @param logits [..., v]
 * @param target i32 [...] class ids, or a distribution of the shape of `logits`
 * @throws ShapeError, DTypeError, ValueError for a class that does not exist
 */
export function crossEntropyLoss(
  logits: Tensor,
  target: Tensor,
  options: CrossEntropyLossOptions = {},
): Tensor {
  const {
    reduction = 'mean',
    labelSmoothing: smoothing = 0,
    weight = null,
    ignoreIndex = -100,
  } = options;
  if (!(smoothing >= 0 && smoothing <= 1)) {
    throw new ValueError('crossEntropyLoss', `labelSmoothing is ${smoothing}, not in [0, 1]`);
  }
  wantReduction('crossEntropyLoss', reduction);
  const v = classes('crossEntropyLoss', logits, weight);
  if (target.dtype !== 'i32') return distributionLoss(logits, target, smoothing, weight, reduction);
  const lead = logits.shape.slice(0, -1);
  if (!sameShape(target.shape, lead)) {
    throw new ShapeError(
      'crossEntropyLoss',
      `targets [${target.shape.join(',')}] for logits [${logits.shape.join(',')}]: they must be [${lead.join(',')}]`,
      [logits.shape, target.shape],
    );
  }
  return tidy(() => {
    const nll = crossEntropy(logits, target, { ignoreIndex }); // [...]
    const counted = ne(target, ignoreIndex);
    if (weight === null && smoothing === 0)
      return reduceCounted(nll, counted.cast(logits.dtype), reduction);
    const rowWeight = rowWeights(target, counted, weight, logits.dtype); // [...]
    let losses = nll.mul(rowWeight);
    if (smoothing > 0) {
      const logProbs = logSoftmax(logits);
      const all = neg(sum(weight === null ? logProbs : mul(logProbs, weight), -1)); // [...]
      losses = losses.mul(1 - smoothing).add(where(counted, all, 0).mul(smoothing / v));
    }
    return reduceCounted(losses, rowWeight, reduction);
  });
}

/** −logProbs[target]. @param logProbs [..., v] @param target i32 [...] */
export function nllLoss(logProbs: Tensor, target: Tensor, options: ClassLossOptions = {}): Tensor {
  const { reduction = 'mean', weight = null, ignoreIndex = -100 } = options;
  classes('nllLoss', logProbs, weight);
  if (!sameShape(target.shape, logProbs.shape.slice(0, -1))) {
    throw new ShapeError(
      'nllLoss',
      `targets [${target.shape.join(',')}] for [${logProbs.shape.join(',')}]`,
      [logProbs.shape, target.shape],
    );
  }
  if (target.dtype !== 'i32') {
    throw new DTypeError('nllLoss', `targets are ${target.dtype}, not i32`, [target.dtype]);
  }
  wantReduction('nllLoss', reduction);
  return tidy(() => {
    const counted = ne(target, ignoreIndex);
    const safe = where(counted, target, 0).reshape(...target.shape, 1);
    const picked = gather(logProbs, safe, -1).reshape(...target.shape);
    const rowWeight = rowWeights(target, counted, weight, logProbs.dtype);
    return reduceCounted(neg(where(counted, picked, 0)).mul(rowWeight), rowWeight, reduction);
  });
}

/** (prediction − target)². @throws ShapeError unless the shapes are equal */
export function mseLoss(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkSame('mseLoss', prediction, target);
  wantReduction('mseLoss', options.reduction);
  return tidy(() => reduce(square(sub(prediction, target)), options.reduction));
}

/** |prediction − target|. @throws ShapeError unless the shapes are equal */
export function l1Loss(prediction: Tensor, target: Tensor, options: LossOptions = {}): Tensor {
  checkSame('l1Loss', prediction, target);
  wantReduction('l1Loss', options.reduction);
  return tidy(() => reduce(abs(sub(prediction, target)), options.reduction));
}

/** ½ d² for |d| <= delta, delta · (|d| − ½ delta) beyond (Huber 1964). @throws ShapeError unless the shapes are equal */
export function huberLoss(
  prediction: Tensor,
  target: Tensor,
  options: LossOptions & { readonly delta?: number } = {},
): Tensor {
  const { delta = 1 } = options;
  if (!(delta > 0)) throw new ValueError('huberLoss', `delta is ${delta}, not positive`);
  checkSame('huberLoss', prediction, target);
  wantReduction('huberLoss', options.reduction);
  return tidy(() => {
    const d = sub(prediction, target);
    const size = abs(d);
    const far = sub(size, delta / 2).mul(delta);
    return reduce(where(le(size, delta), square(d).mul(0.5), far), options.reduction);
  });
}

/**
 * −y log σ(x) − (1 − y) log(1 − σ(x)), stable for large |x|.
 * @param options.posWeight factor on the first term, broadcastable to the logits' last axis
 * @throws ShapeError unless the shapes are equal
 */
export function bceWithLogitsLoss(
  logits: Tensor,
  target: Tensor,
  options: LossOptions & { readonly posWeight?: Tensor | null } = {},
): Tensor {
  checkSame('bceWithLogitsLoss', logits, target);
  const { posWeight = null, reduction } = options;
  wantReduction('bceWithLogitsLoss', reduction);
  if (
    posWeight !== null &&
    (posWeight.rank > 1 || (posWeight.rank === 1 && posWeight.shape[0] !== logits.shape.at(-1)))
  ) {
    throw new ShapeError(
      'bceWithLogitsLoss',
      `posWeight [${posWeight.shape.join(',')}] is not one value per last axis`,
      [posWeight.shape, logits.shape],
    );
  }
  return tidy(() => {
    const other = sub(1, target).mul(logits);
    // −log σ(x) as PyTorch rounds it: below 1e-16 it is 0
    const tail = maximum(neg(logits), 0).add(log(exp(neg(abs(logits))).add(1)));
    if (posWeight === null) return reduce(add(other, tail), reduction);
    const factor = sub(posWeight, 1).mul(target).add(1);
    return reduce(add(other, mul(factor, tail)), reduction);
  });
}

/**
 * p (log p − logQ), 0 where p is 0. `batchmean` divides the sum by the first axis, as the definition has it.
 * @throws ShapeError unless the shapes are equal
 */
export function klDivLoss(
  logQ: Tensor,
  p: Tensor,
  options: { readonly reduction?: Reduction | 'batchmean' } = {},
): Tensor {
  checkSame('klDivLoss', logQ, p);
  const { reduction } = options;
  if (reduction !== 'batchmean') wantReduction('klDivLoss', reduction);
  else if (logQ.rank === 0)
    throw new ShapeError('klDivLoss', 'batchmean needs a batch axis', [logQ.shape]);
  return tidy(() => {
    const none = eq(p, 0);
    const terms = where(none, 0, mul(p, sub(log(where(none, 1, p)), logQ)));
    if (reduction !== 'batchmean') return reduce(terms, reduction);
    return sum(terms).div(Math.max(1, logQ.shape[0]!));
  });
}

function distributionLoss(
  logits: Tensor,
  target: Tensor,
  smoothing: number,
  weight: Tensor | null,
  reduction: Reduction,
): Tensor {
  checkSame('crossEntropyLoss', logits, target);
  const v = logits.shape.at(-1)!;
  return tidy(() => {
    const smooth = smoothing === 0 ? target : target.mul(1 - smoothing).add(smoothing / v);
    const logProbs = logSoftmax(logits);
    const terms = where(
      eq(smooth, 0),
      0,
      mul(smooth, weight === null ? logProbs : mul(logProbs, weight)),
    );
    return reduce(neg(sum(terms, -1)), reduction);
  });
}

/** Weight of each row's class, 0 where the row is ignored. */
function rowWeights(target: Tensor, counted: Tensor, weight: Tensor | null, dtype: DType): Tensor {
  if (weight === null) return counted.cast(dtype);
  return where(counted, embedding(weight, where(counted, target, 0)), 0);
}

function reduceCounted(losses: Tensor, weights: Tensor, reduction: Reduction): Tensor {
  if (reduction === 'none') return losses;
  const total = sum(losses);
  if (reduction === 'sum') return total;
  const n = sum(weights);
  return total.div(where(eq(n, 0), 1, n));
}

function reduce(losses: Tensor, reduction: Reduction = 'mean'): Tensor {
  if (reduction === 'none') return losses;
  return reduction === 'sum' || losses.size === 0 ? sum(losses) : mean(losses);
}

function classes(op: string, logits: Tensor, weight: Tensor | null): number {
  wantFloat(op, logits);
  const v = logits.shape[logits.rank - 1];
  if (v === undefined)
    throw new ShapeError(op, 'logits are a scalar, not [..., v]', [logits.shape]);
  if (weight !== null && !sameShape(weight.shape, [v])) {
    throw new ShapeError(op, `weight is [${weight.shape.join(',')}], not [${v}]`, [
      weight.shape,
      logits.shape,
    ]);
  }
  return v;
}

function wantReduction(op: string, reduction: unknown): void {
  if (reduction === undefined || ['mean', 'sum', 'none'].includes(reduction as string)) return;
  throw new ValueError(op, `reduction is ${String(reduction)}: it must be mean, sum or none`);
}

function wantFloat(op: string, x: Tensor): void {
  if (isFloat(x.dtype)) return;
  throw new DTypeError(op, `${x.dtype} is not floating point: .cast() it`, [x.dtype]);
}

function checkSame(op: string, a: Tensor, b: Tensor): void {
  if (a.dtype !== b.dtype)
    throw new DTypeError(op, `${a.dtype} and ${b.dtype}: .cast() one`, [a.dtype, b.dtype]);
  wantFloat(op, a);
  if (!sameShape(a.shape, b.shape)) {
    throw new ShapeError(
      op,
      `[${a.shape.join(',')}] and [${b.shape.join(',')}] differ: reshape or broadcastTo one, it is not done silently`,
      [a.shape, b.shape],
    );
  }
}
