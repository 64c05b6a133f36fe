/** Gradients of core's functions that are no op of their own: each is made of ops, and has a case here. */
import * as core from '@loretta-ts/core';
import type { HostRandom, Tensor } from '@loretta-ts/core';
import { ops } from '@loretta-ts/core/testing';
import { between, coin, ids, values } from '../../draw';
import { pick } from '../../row';
import { axisOf, batchOf, type Draw, type GradientCase, type Size } from './case';

const NOT_OF_TENSORS = 'it is not a function of tensors alone';
const CHOICE = 'its results are true or false';
const RANDOM = 'its input is a key';
const MADE = 'it has no input';

/** Functions without a case, each with the reason. */
const WITHOUT: Readonly<Record<string, string>> = {
  ...{ throwIfAborted: NOT_OF_TENSORS, customGrad: NOT_OF_TENSORS, grad: NOT_OF_TENSORS },
  ...{ noGrad: NOT_OF_TENSORS, valueAndGrad: NOT_OF_TENSORS, vjp: NOT_OF_TENSORS },
  ...{ apply: NOT_OF_TENSORS, apply1: NOT_OF_TENSORS, capture: NOT_OF_TENSORS },
  ...{ broadcastShapes: NOT_OF_TENSORS, isFloat: NOT_OF_TENSORS, sameShape: NOT_OF_TENSORS },
  ...{ showAval: NOT_OF_TENSORS, sizeOf: NOT_OF_TENSORS, stridesOf: NOT_OF_TENSORS },
  ...{ typedArray: NOT_OF_TENSORS, viewOf: NOT_OF_TENSORS, getBackend: NOT_OF_TENSORS },
  ...{ setBackend: NOT_OF_TENSORS, withBackend: NOT_OF_TENSORS, construct: NOT_OF_TENSORS },
  ...{ keep: NOT_OF_TENSORS, scope: NOT_OF_TENSORS, tidy: NOT_OF_TENSORS },
  ...{ hostRandom: NOT_OF_TENSORS, key: NOT_OF_TENSORS },
  ...{ bernoulli: RANDOM, categorical: RANDOM, gumbel: RANDOM, normal: RANDOM, uniform: RANDOM },
  ...{ permutation: RANDOM, splitTensor: RANDOM, truncatedNormal: RANDOM },
  ...{ tensor: MADE, full: MADE, ones: MADE, zeros: MADE },
  ...{ all: CHOICE, any: CHOICE, oneHot: 'its input is a place' },
  stopGradient: 'its gradient is not its slope, on purpose',
};

const matrix = (random: HostRandom, size: Size): Tensor =>
  values(random, [batchOf(random, size), axisOf(random, size)]);

/** Of `x [b, n]`; n is 2 at least where one value has no result. */
const unary =
  (
    draw: (random: HostRandom, x: Tensor) => (x: Tensor) => Tensor | readonly Tensor[],
    least = 1,
  ): Draw =>
  (random, size) => {
    const x =
      least === 1
        ? matrix(random, size)
        : values(random, [batchOf(random, size), between(random, least, 4)]);
    const fn = draw(random, x);
    return { inputs: [x], fn: (y) => fn(y!) };
  };

/** Along the last axis, or over all that there is. */
const reduction = (
  reduce: (x: Tensor, axes: number | null, options: { keepDims: boolean }) => Tensor,
  least = 1,
): Draw =>
  unary((random, x) => {
    const axes = x.shape[0] === 0 || coin(random) ? -1 : null;
    const options = { keepDims: coin(random) };
    return (y) => reduce(y, axes, options);
  }, least);

interface Window {
  readonly groups: number;
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
}

/** A window that fits planes of 3 at least. */
const windowOf = (random: HostRandom): Window => ({
  ...{ groups: between(random, 1, 2), stride: between(random, 1, 2) },
  ...{ padding: random.int(2), dilation: 1 },
});

/** `x [b, groups · i, 3…4 by axis]`, its weight, and often a bias. */
function convolution(
  axes: 1 | 2,
  transposed: boolean,
  call: (x: Tensor, weight: Tensor, bias: Tensor | null, window: Window) => Tensor,
): Draw {
  return (random, size) => {
    const window = windowOf(random);
    const { groups } = window;
    const [inside, outside] = [between(random, 1, 2), between(random, 1, 2)];
    const plane = Array.from({ length: axes }, () => between(random, 3, 4));
    const kernel = plane.map(() => between(random, 1, 2));
    const x = values(random, [batchOf(random, size), groups * inside, ...plane]);
    const weight = values(random, [
      ...(transposed ? [groups * inside, outside] : [groups * outside, inside]),
      ...kernel,
    ]);
    const bias = coin(random) ? [values(random, [groups * outside])] : [];
    return { inputs: [x, weight, ...bias], fn: (u, w, b) => call(u!, w!, b ?? null, window) };
  };
}

/** Planes of 4, under windows of 2. */
const planes =
  (draw: (random: HostRandom) => (x: Tensor) => Tensor): Draw =>
  (random, size) => {
    const fn = draw(random);
    return { inputs: [values(random, [batchOf(random, size), 1, 4, 4])], fn: (x) => fn(x!) };
  };

const EQUATIONS = ['ab,bc->ac', 'ab,ab->', 'ab,cb->ca', '...a,a->...', 'ab,bc->'] as const;

function einsum(random: HostRandom, size: Size): GradientCase {
  const equation = pick(random, EQUATIONS);
  const sizes = { a: batchOf(random, size), b: axisOf(random, size), c: axisOf(random, size) };
  const terms = equation.split('->')[0]!.replace('...', 'b').split(',');
  const inputs = terms.map((letters) =>
    values(
      random,
      [...letters].map((letter) => sizes[letter as 'a' | 'b' | 'c']),
    ),
  );
  return { inputs, fn: (...xs) => core.einsum(equation, ...xs) };
}

function scan(random: HostRandom, size: Size): GradientCase {
  const [b, d, n, l] = [batchOf(random, size), ...[0, 0, 0].map(() => axisOf(random, size, 3))] as [
    number,
    number,
    number,
    number,
  ];
  const inputs = [
    [b, d, l],
    [b, d, l],
    [d, n],
    [b, l, n],
    [b, l, n],
  ].map((s) => values(random, s));
  return {
    inputs,
    fn: (u, delta, A, B, C) => core.selectiveScanWithState(u!, delta!, A!, B!, C!),
  };
}

export const compositeDraws: Readonly<Record<string, Draw>> = {
  clamp: unary((random) => {
    const bounds = { min: coin(random) ? -0.5 : null, max: coin(random) ? 0.5 : null };
    return (x) => core.clamp(x, bounds);
  }),
  elu: unary((random) => {
    const alpha = 0.5 + random.uniform();
    return (x) => core.elu(x, alpha);
  }),
  leakyRelu: unary((random) => {
    const slope = random.uniform();
    return (x) => core.leakyRelu(x, slope);
  }),
  logSigmoid: unary(() => (x) => core.logSigmoid(x)),
  checkpoint: (random, size) => ({
    inputs: [matrix(random, size)],
    fn: (x) => core.checkpoint((y: Tensor) => core.sin(y).mul(y), x!),
  }),
  conv1d: convolution(1, false, core.conv1d),
  conv2d: convolution(2, false, core.conv2d),
  convTranspose1d: convolution(1, true, core.convTranspose1d),
  convTranspose2d: convolution(2, true, core.convTranspose2d),
  maxPool2d: planes((random) => {
    const options = { stride: between(random, 1, 2), padding: random.int(2) };
    return (x) => core.maxPool2d(x, 2, options);
  }),
  avgPool2d: planes((random) => {
    const options = { stride: between(random, 1, 2), padding: [random.int(2), 0] as const };
    return (x) => core.avgPool2d(x, [2, 1], options);
  }),
  upsampleNearest2d: planes((random) => {
    const scale = between(random, 1, 3);
    return (x) => core.upsampleNearest2d(x, scale);
  }),
  selectiveScanWithState: scan,
  indexSelect: unary((random, x) => {
    const index = ids(random, [between(random, 0, 3)], x.shape[1]!);
    return (y) => core.indexSelect(y, index, 1);
  }),
  flatten: unary(() => (x) => core.flatten(x)),
  squeeze: unary(() => (x) => core.squeeze(core.unsqueeze(x, 1), 1)),
  unsqueeze: unary((random) => {
    const axis = random.int(3);
    return (x) => core.unsqueeze(x, axis);
  }),
  transpose: unary(() => (x) => core.transpose(x, 0, 1)),
  einsum,
  linear(random, size) {
    const x = matrix(random, size);
    const out = axisOf(random, size);
    const bias = coin(random) ? [values(random, [out])] : [];
    return {
      inputs: [x, values(random, [out, x.shape[1]!]), ...bias],
      fn: (u, w, b) => core.linear(u!, w!, b ?? null),
    };
  },
  tril: unary((random) => {
    const diagonal = between(random, -2, 2);
    return (x) => core.tril(x, diagonal);
  }),
  triu: unary((random) => {
    const diagonal = between(random, -2, 2);
    return (x) => core.triu(x, diagonal);
  }),
  cumprod: unary((random) => {
    const axis = random.int(2);
    return (x) => core.cumprod(x, axis);
  }),
  logSumExp: reduction(core.logSumExp),
  mean: reduction(core.mean),
  norm: reduction(core.norm),
  std: reduction(core.std, 2),
  variance: reduction((x, axes, options) => core.variance(x, axes, { ...options, correction: 0 })),
  sort: unary((random) => {
    const descending = coin(random);
    return (x) => core.sort(x, -1, { descending })[0];
  }),
  topK: unary((random, x) => {
    const k = random.int(x.shape[1]! + 1);
    const largest = coin(random);
    return (y) => core.topK(y, k, { largest })[0];
  }),
  rfft: unary(() => (x) => core.rfft(x)),
  irfft(random, size) {
    const n = between(random, 1, 6);
    const shape = [batchOf(random, size), Math.floor(n / 2) + 1];
    return {
      inputs: [values(random, shape), values(random, shape)],
      fn: (re, im) => core.irfft(re!, im!, n),
    };
  },
  narrow: unary((random, x) => {
    const length = x.shape[1]!;
    const start = random.int(length);
    const taken = between(random, 0, length - start);
    return (y) => core.narrow(y, 1, start, taken);
  }),
  repeatInterleave: unary((random) => {
    const [times, axis] = [between(random, 0, 3), random.int(2)];
    return (x) => core.repeatInterleave(x, times, axis);
  }),
  roll: unary((random) => {
    const [shift, axis] = [between(random, -5, 5), random.int(2)];
    return (x) => core.roll(x, shift, axis);
  }),
  select: unary((random, x) => {
    const index = random.int(x.shape[1]!);
    return (y) => core.select(y, 1, index);
  }),
  split: unary((random) => {
    const sizes = between(random, 1, 3);
    return (x) => core.split(x, sizes, 1);
  }),
  stack(random, size) {
    const x = matrix(random, size);
    const axis = random.int(3);
    return { inputs: [x, values(random, x.shape)], fn: (u, v) => core.stack([u!, v!], axis) };
  },
  tile: unary((random) => {
    const repeats = Array.from({ length: between(random, 2, 3) }, () => between(random, 0, 2));
    return (x) => core.tile(x, repeats);
  }),
};

/** Every function of core that is neither an op nor excused, by name. */
export const composites: readonly string[] = Object.entries(core).flatMap(([name, value]) =>
  typeof value === 'function' && /^[a-z]/.test(name) && !(name in ops) && !(name in WITHOUT)
    ? [name]
    : [],
);

/** What stands in the list of those without a case, and is not there. */
export const excusedForNothing: readonly string[] = Object.keys(WITHOUT).filter(
  (name) => !(name in core),
);
