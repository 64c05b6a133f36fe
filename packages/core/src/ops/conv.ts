/**
 * Convolutions and pooling as products with the patches under a sliding window: `unfold` and its adjoint `fold` are
 * the core ops, all gradients follow from them.
 */
import { apply1 } from '../apply';
import type { Window2d } from '../attrs';
import { type Aval, showAval } from '../dtype';
import { ShapeError, ValueError } from '../errors';
import type { Op } from '../op';
import { wantInteger, wantRank } from '../shape-rules';
import type { Tensor } from '../tensor';
import { add, div } from './arithmetic';
import { reshape, squeeze, sum, unsqueeze } from './linear';
import { matmul } from './matmul';
import { max } from './reduce';
import { pad, repeatInterleave } from './shape';
import { tidy } from '../scope';

type Pair = readonly [number, number];

/** Number of window positions along an axis. */
function positions(size: number, i: 0 | 1, w: Window2d): number {
  const span = w.dilation[i] * (w.kernel[i] - 1) + 1;
  return Math.floor((size + 2 * w.padding[i] - span) / w.stride[i]) + 1;
}

function checkWindow(op: string, w: Window2d): void {
  const ok =
    [...w.kernel, ...w.stride, ...w.dilation].every((n) => Number.isInteger(n) && n > 0) &&
    w.padding.every((n) => Number.isInteger(n) && n >= 0);
  if (!ok) {
    throw new ValueError(
      op,
      `kernel [${w.kernel}], stride [${w.stride}] and dilation [${w.dilation}] are integers from 1, padding [${w.padding}] from 0`,
    );
  }
}

/** Positions of a window along both axes of `[b, c, h, w]`. @throws ValueError; ShapeError where there is none */
function positionsIn(op: string, x: Aval, w: Window2d): Pair {
  checkWindow(op, w);
  const [oh, ow] = [positions(x.shape[2]!, 0, w), positions(x.shape[3]!, 1, w)];
  if (oh < 1 || ow < 1) {
    throw new ShapeError(
      op,
      `a window of [${w.kernel}] does not fit ${showAval(x)} with padding [${w.padding}]`,
      [x.shape],
    );
  }
  return [oh, ow];
}

export const unfoldOp: Op<'unfold'> = {
  name: 'unfold',
  infer([x], w) {
    wantRank('unfold', 'the input', x!, 4);
    const [b, c] = x!.shape as [number, number];
    const [oh, ow] = positionsIn('unfold', x!, w);
    return [{ shape: [b, c * w.kernel[0] * w.kernel[1], oh * ow], dtype: x!.dtype }];
  },
  saveIns: 'none',
  vjp: ({ ins, cts, attrs }) => {
    const [h, w] = ins[0]!.shape.slice(2) as [number, number];
    return [apply1(foldOp, [cts[0]!], { ...attrs, size: [h, w] })];
  },
};

export const foldOp: Op<'fold'> = {
  name: 'fold',
  infer([x], w) {
    wantRank('fold', 'the input', x!, 3);
    checkWindow('fold', w);
    const [b, rows, columns] = x!.shape as [number, number, number];
    const area = w.kernel[0] * w.kernel[1];
    const [oh, ow] = [positions(w.size[0], 0, w), positions(w.size[1], 1, w)];
    const isPlane = w.size.every((n) => Number.isInteger(n) && n >= 0);
    if (!isPlane || rows % area !== 0 || oh < 1 || ow < 1 || columns !== oh * ow) {
      throw new ShapeError(
        'fold',
        `${showAval(x!)} does not fold to [${w.size}] with a window of [${w.kernel}]`,
        [x!.shape],
      );
    }
    return [{ shape: [b, rows / area, ...w.size], dtype: x!.dtype }];
  },
  saveIns: 'none',
  vjp: ({ cts, attrs: { size: _size, ...w } }) => [apply1(unfoldOp, [cts[0]!], w)],
};

/** A number for both axes, or one each. */
export type PairArg = number | Pair;

const pair = (x: PairArg = 1): Pair => (typeof x === 'number' ? [x, x] : x);

/** Options of convolutions over a plane. */
export interface Conv2dOptions {
  /** Step of the window; default 1. */
  readonly stride?: PairArg;
  /** Zeros on both sides. */
  readonly padding?: PairArg;
  /** Distance between elements of the window; default 1. */
  readonly dilation?: PairArg;
  /** Groups of channels that do not see each other; default 1. */
  readonly groups?: number;
}

function windowOf(kernel: Pair, o: Omit<Conv2dOptions, 'groups'>): Window2d {
  return {
    kernel,
    stride: pair(o.stride),
    padding: pair(o.padding ?? 0),
    dilation: pair(o.dilation),
  };
}

/** The patches under a window: `[b, c, h, w] -> [b, c·kh·kw, positions]` (im2col). @throws ShapeError, ValueError */
export function unfold(
  x: Tensor,
  kernel: PairArg,
  options: Omit<Conv2dOptions, 'groups'> = {},
): Tensor {
  return apply1(unfoldOp, [x], windowOf(pair(kernel), options));
}

/** The adjoint of `unfold`: patches add up where they overlap. @throws ShapeError, ValueError */
export function fold(
  x: Tensor,
  size: PairArg,
  kernel: PairArg,
  options: Omit<Conv2dOptions, 'groups'> = {},
): Tensor {
  return apply1(foldOp, [x], { ...windowOf(pair(kernel), options), size: pair(size) });
}

type Operands = readonly [x: Tensor, weight: Tensor, bias: Tensor | null];

/** Checks the operands over a line (`rank` 3) or a plane (4); a line is given back as a plane of height 1. */
function checked(
  op: string,
  rank: 3 | 4,
  [x, weight, bias]: Operands,
  groups: number,
  transposed = false,
): readonly [Tensor, Tensor] {
  wantRank(op, 'the input', x, rank);
  wantRank(op, 'the weight', weight, rank);
  const [first, second] = weight.shape as [number, number];
  const [cin, cout] = transposed ? [first, second * groups] : [second * groups, first];
  if (!(Number.isInteger(groups) && groups >= 1 && first % groups === 0 && cin === x.shape[1])) {
    throw new ShapeError(
      op,
      `input ${showAval(x)}, weight ${showAval(weight)}, ${groups} groups: channels differ`,
      [x.shape, weight.shape],
    );
  }
  if (bias !== null && (bias.rank !== 1 || bias.shape[0] !== cout)) {
    throw new ShapeError(op, `bias is ${showAval(bias)}, not [${cout}]`, [bias.shape]);
  }
  return rank === 4 ? [x, weight] : [unsqueeze(x, 2), unsqueeze(weight, 2)];
}

/** Adds the bias; a plane back to a line. */
function finished(y: Tensor, bias: Tensor | null, rank: 3 | 4): Tensor {
  const z = bias === null ? y : add(y, reshape(bias, [bias.size, 1, 1]));
  return rank === 3 ? squeeze(z, 2) : z;
}

function conv(op: string, rank: 3 | 4, operands: Operands, options: Conv2dOptions): Tensor {
  return tidy(() => {
    const groups = options.groups ?? 1;
    const [x, weight] = checked(op, rank, operands, groups);
    const [cout, cg, kh, kw] = weight.shape as [number, number, number, number];
    const w = windowOf([kh, kw], options);
    const [oh, ow] = positionsIn(op, x, w);
    const b = x.shape[0]!;
    const columns = apply1(unfoldOp, [x], w); // [b, cin kh kw, oh ow]
    const patches = reshape(columns, [b, groups, cg * kh * kw, oh * ow]);
    const filters = reshape(weight, [groups, cout / groups, cg * kh * kw]);
    return finished(reshape(matmul(filters, patches), [b, cout, oh, ow]), operands[2], rank);
  });
}

/**
 * Cross-correlation: `x [b, cin, h, w]`, `weight [cout, cin/groups, kh, kw]`, `bias [cout]` -> `[b, cout, oh, ow]`.
 * @throws ShapeError, ValueError
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: Conv2dOptions = {},
): Tensor {
  return conv('conv2d', 4, [x, weight, bias], options);
}

type ConvTransposeOptions = Conv2dOptions & { readonly outputPadding?: PairArg };

function convTranspose(
  op: string,
  rank: 3 | 4,
  operands: Operands,
  options: ConvTransposeOptions,
): Tensor {
  return tidy(() => {
    const groups = options.groups ?? 1;
    const [x, weight] = checked(op, rank, operands, groups, true);
    const [b, cin, h, width] = x.shape as [number, number, number, number];
    const [, cg, kh, kw] = weight.shape as [number, number, number, number];
    const w = windowOf([kh, kw], options);
    checkWindow(op, w);
    const extra = pair(options.outputPadding ?? 0);
    const size = ([h, width] as const).map(
      (d, i) =>
        (d - 1) * w.stride[i]! -
        2 * w.padding[i]! +
        w.dilation[i]! * (w.kernel[i]! - 1) +
        extra[i]! +
        1,
    ) as [number, number];
    const filters = reshape(weight, [groups, cin / groups, cg * kh * kw]);
    const source = reshape(x, [b, groups, cin / groups, h * width]);
    const patches = matmul(filters, source, { transA: true }); // [b, groups, cg kh kw, h w]
    const y = apply1(foldOp, [reshape(patches, [b, groups * cg * kh * kw, h * width])], {
      ...w,
      size,
    });
    return finished(y, operands[2], rank);
  });
}

/**
 * The adjoint of `conv2d` in its input: `x [b, cin, h, w]`, `weight [cin, cout/groups, kh, kw]`, `bias [cout]`.
 * @throws ShapeError, ValueError
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: Conv2dOptions & { readonly outputPadding?: PairArg } = {},
): Tensor {
  return convTranspose('convTranspose2d', 4, [x, weight, bias], options);
}

/** Options of convolutions over a line. */
export interface Conv1dOptions {
  /** Step of the window; default 1. */
  readonly stride?: number;
  /** Zeros on both sides; default 0. */
  readonly padding?: number;
  /** Distance between elements of the window; default 1. */
  readonly dilation?: number;
  /** Groups of channels that do not see each other; default 1. */
  readonly groups?: number;
}

function as2d(o: Conv1dOptions): Conv2dOptions {
  return {
    stride: [1, o.stride ?? 1],
    padding: [0, o.padding ?? 0],
    dilation: [1, o.dilation ?? 1],
    groups: o.groups ?? 1,
  };
}

/** `x [b, cin, l]`, `weight [cout, cin/groups, k]` -> `[b, cout, ol]`. @throws ShapeError, ValueError */
export function conv1d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: Conv1dOptions = {},
): Tensor {
  return conv('conv1d', 3, [x, weight, bias], as2d(options));
}

/** `x [b, cin, l]`, `weight [cin, cout/groups, k]` -> `[b, cout, ol]`. @throws ShapeError, ValueError */
export function convTranspose1d(
  x: Tensor,
  weight: Tensor,
  bias: Tensor | null = null,
  options: Conv1dOptions & { readonly outputPadding?: number } = {},
): Tensor {
  return convTranspose('convTranspose1d', 3, [x, weight, bias], {
    ...as2d(options),
    outputPadding: [0, options.outputPadding ?? 0],
  });
}

/** Options of pooling. */
export interface PoolOptions {
  /** Default: the kernel. */
  readonly stride?: PairArg;
  /** On both sides, at most half of the kernel, so that every window has a pixel; default 0. */
  readonly padding?: PairArg;
}

function pool(
  op: string,
  x: Tensor,
  kernel: PairArg,
  o: PoolOptions,
  fill: number,
  reduce: (patches: Tensor) => Tensor,
): Tensor {
  return tidy(() => {
    wantRank(op, 'the input', x, 4);
    const [kh, kw] = pair(kernel);
    const { stride = kernel, padding = 0 } = o;
    const [ph, pw] = pair(padding);
    const [oh, ow] = positionsIn(op, x, windowOf([kh, kw], { stride, padding }));
    wantInteger(op, 'padding', ph, 0, kh >> 1);
    wantInteger(op, 'padding', pw, 0, kw >> 1);
    const padded = pad(
      x,
      [
        [0, 0],
        [0, 0],
        [ph, ph],
        [pw, pw],
      ],
      fill,
    );
    const [b, c] = x.shape as [number, number];
    const columns = apply1(unfoldOp, [padded], windowOf([kh, kw], { stride }));
    return reshape(reduce(reshape(columns, [b, c, kh * kw, oh * ow])), [b, c, oh, ow]);
  });
}

/** Largest value under each window of `[b, c, h, w]`. @throws ShapeError, ValueError */
export function maxPool2d(x: Tensor, kernel: PairArg, options: PoolOptions = {}): Tensor {
  return pool('maxPool2d', x, kernel, options, Number.NEGATIVE_INFINITY, (p) => max(p, 2));
}

/** Mean under each window of `[b, c, h, w]`; padding counts as zeros. @throws ShapeError, ValueError */
export function avgPool2d(x: Tensor, kernel: PairArg, options: PoolOptions = {}): Tensor {
  const [kh, kw] = pair(kernel);
  return pool('avgPool2d', x, kernel, options, 0, (p) => div(sum(p, 2), kh * kw));
}

/** Each pixel of `[b, c, h, w]` repeated `scale` times along both axes. @throws ShapeError */
export function upsampleNearest2d(x: Tensor, scale: number): Tensor {
  return tidy(() => {
    wantRank('upsampleNearest2d', 'the input', x, 4);
    return repeatInterleave(repeatInterleave(x, scale, 2), scale, 3);
  });
}
