/** Large samples of every op: a × b elements or somewhat more, several rows of a texture and work for two threads. */
import { apply, type HostRandom, type OpAttrs, type OpName } from '@loretta-ts/core';
import { type HostValue, type OpSample, opSamples, ops } from '@loretta-ts/core/testing';
import * as fc from 'fast-check';
import { between, coin } from '../../draw';
import { pick } from '../../row';
import {
  bools,
  decaying,
  distinct,
  divisor,
  type Element,
  floats,
  grid,
  integers,
  positive,
  quarter,
  special,
} from './elements';

/** Draws a sample of about a × b elements; both are 3 at least. */
type Wide<A> = (random: HostRandom, a: number, b: number) => OpSample<A>;

function plain<A>(ins: readonly HostValue[], attrs: A): OpSample<A> {
  return { ins, attrs: () => attrs };
}

/** [a, b], a line, or with axes of one. */
function shapeOf(random: HostRandom, a: number, b: number): number[] {
  return pick(random, [[a, b], [a * b], [a, 1, b], [1, b, a]]);
}

const unary =
  (element: Element): Wide<Record<never, never>> =>
  (random, a, b) =>
    plain([floats(random, shapeOf(random, a, b), element)], {});

const pair =
  (left: (r: HostRandom, s: number[]) => HostValue, right: typeof left) =>
  (random: HostRandom, a: number, b: number): OpSample<Record<never, never>> => {
    const [x, y] = pick(random, [
      [
        [a, b],
        [a, b],
      ],
      [[a, b], [b]],
      [
        [a, 1],
        [a, b],
      ],
      [[a * b], []],
    ] as const);
    return plain([left(random, [...x]), right(random, [...y])], {});
  };

const of =
  (element: Element) =>
  (random: HostRandom, shape: number[]): HostValue =>
    floats(random, shape, element);
const binary = (left: Element, right: Element) => pair(of(left), of(right));

/** n tensors of one shape. */
const alike =
  <A>(n: number, attrs: A, element: Element = grid): Wide<A> =>
  (random, a, b) => {
    const shape = shapeOf(random, a, b);
    return plain(
      Array.from({ length: n }, () => floats(random, shape, element)),
      attrs,
    );
  };

const reduced =
  (values: (r: HostRandom, s: number[]) => HostValue): Wide<OpAttrs['sum']> =>
  (random, a, b) => {
    const [shape, axes] = pick(random, [
      [[a, b], [0]],
      [[a, b], [1]],
      [
        [3, a, b],
        [0, 2],
      ],
      [[a, 3, b], [1]],
    ] as const);
    return plain([values(random, [...shape])], { axes: [...axes], keepDims: coin(random) });
  };

const along =
  <A>(values: (r: HostRandom, s: number[]) => HostValue, more: (r: HostRandom) => A) =>
  (random: HostRandom, a: number, b: number): OpSample<A & { readonly axis: number }> =>
    plain([values(random, [a, b])], { axis: random.int(2), ...more(random) });

const anything = (random: HostRandom, shape: number[]): HostValue =>
  pick(random, [floats, bools, (r: HostRandom, s: number[]) => integers(r, s, 99)])(random, shape);

/** Attributes, and inputs that are results of others, as the op's small samples have them. */
function as<N extends OpName>(name: N, random: HostRandom, ins: HostValue[]): OpSample<OpAttrs[N]> {
  const [small] = fc.sample(opSamples[name] as unknown as fc.Arbitrary<OpSample<OpAttrs[N]>>, {
    seed: random.int(2 ** 31),
    numRuns: 1,
  });
  return { ...small!, ins };
}

const normGrad =
  <N extends 'layerNormGrad' | 'rmsNormGrad'>(name: N): Wide<OpAttrs[N]> =>
  (random, a, b) =>
    as(name, random, [floats(random, [a, b]), floats(random, [b]), floats(random, [a, b])]);

const rowGrad =
  <N extends 'softmaxGrad' | 'logSoftmaxGrad'>(name: N): Wide<OpAttrs[N]> =>
  (random, a, b) =>
    as(name, random, [floats(random, [a, b]), floats(random, [a, b])]);

const window = (random: HostRandom): OpAttrs['unfold'] => ({
  kernel: [between(random, 1, 3), 3],
  stride: [1, between(random, 1, 2)],
  padding: [0, random.int(2)],
  dilation: [1, 1],
});

/** Queries of 4 heads, keys of 2. */
const attention = (gradient: boolean): Wide<OpAttrs['attention']> => {
  return (random, a, b) => {
    const t = Math.min(33, Math.max(3, Math.round(b / 4)));
    const d = between(random, 4, 8);
    const rows = Math.max(1, Math.ceil((a * b) / (t * 4 * d)));
    const has = { mask: false, bias: coin(random), segments: false, lengths: coin(random) };
    const attrs = {
      ...{ causal: coin(random), window: random.int(3) * 4, scale: 0.5, qOffset: 0, has },
    };
    const given = [
      ...[floats(random, [rows, t, 4, d]), floats(random, [rows, t, 2, d])],
      floats(random, [rows, t, 2, d]),
      ...(has.bias ? [floats(random, [4, t, t])] : []),
      ...(has.lengths ? [integers(random, [rows], (bits) => 1 + (bits % t))] : []),
    ];
    if (!gradient) return plain(given, attrs);
    return {
      ins: [...given, floats(random, [rows, t, 4, d])],
      attrs: () => attrs,
      derive: (ins) => {
        const own = ins.slice(0, -1);
        return [...own, ...apply(ops.attention, own, attrs), ins.at(-1)!];
      },
    };
  };
};

const scan = (gradient: boolean): Wide<OpAttrs['selectiveScan']> => {
  return (random, a, b) => {
    const [l, d, n] = [Math.max(3, Math.round(b / 4)), Math.max(3, a), 2];
    const rows = 1 + Math.floor((a * b) / (l * d));
    const has = { state: coin(random), starts: coin(random) };
    const falling: Element = (bits) => -positive(bits);
    return plain(
      [
        floats(random, [rows, d, l]),
        floats(random, [rows, d, l], positive),
        floats(random, [d, n], falling),
        ...[floats(random, [rows, l, n]), floats(random, [rows, l, n])],
        ...(has.state ? [floats(random, [rows, d, n])] : []),
        ...(has.starts ? [bools(random, [rows, l])] : []),
        ...(gradient ? [floats(random, [rows, d, l])] : []),
      ],
      { has },
    );
  };
};

const compared = pair(of(special), of(special));
const logical = pair(bools, bools);

/** One for each op; a missing one does not compile. */
export const wideSamples: { readonly [N in OpName]: Wide<OpAttrs[N]> } = {
  ...{ add: binary(grid, grid), sub: binary(grid, grid), mul: binary(grid, grid) },
  ...{ div: binary(grid, divisor), pow: binary(positive, grid), atan2: binary(grid, grid) },
  ...{ maximum: binary(grid, quarter), minimum: binary(grid, quarter) },
  remainder: binary(grid, divisor),
  ...{ eq: compared, ne: compared, lt: compared, le: compared, gt: compared, ge: compared },
  ...{ and: logical, or: logical, xor: logical },
  not: (random, a, b) => plain([bools(random, shapeOf(random, a, b))], {}),
  ...{ neg: unary(grid), abs: unary(grid), sign: unary(grid), square: unary(grid) },
  ...{ relu: unary(grid), exp: unary(grid), expm1: unary(grid), log: unary(positive) },
  ...{ log1p: unary(positive), sqrt: unary(positive), rsqrt: unary(positive) },
  ...{ reciprocal: unary(divisor), sin: unary(grid), cos: unary(grid), tanh: unary(grid) },
  ...{ sigmoid: unary(grid), softplus: unary(grid), erf: unary(grid), floor: unary(grid) },
  ...{ ceil: unary(grid), round: unary((bits) => grid(bits) * 4) },
  ...{ isNaN: unary(special), isInf: unary(special), isFinite: unary(special) },
  sum: reduced(floats),
  prod: reduced((r, s) => floats(r, s, divisor)),
  ...{ max: reduced(distinct), min: reduced(distinct) },
  argmax: along(of(special), () => ({})),
  argmin: along(of(special), () => ({})),
  argsort: along(of(special), (r) => ({ descending: coin(r) })),
  cumsum: along(of(grid), (r) => ({ reverse: coin(r) })),
  cast: (random, a, b) => {
    const to = pick(random, ['float', 'i32', 'bool'] as const);
    return {
      ins: [anything(random, shapeOf(random, a, b))],
      attrs: (float) => ({ dtype: to === 'float' ? float : to }),
    };
  },
  reshape: (random, a, b) => plain([anything(random, [a, b])], { shape: [b, 1, a] }),
  permute: (random, a, b) =>
    plain([anything(random, [a, 3, b])], {
      axes: pick(random, [
        [2, 1, 0],
        [1, 0, 2],
        [0, 2, 1],
        [2, 0, 1],
      ]),
    }),
  slice: (random, a, b) => {
    const step = pick(random, [1, 2, -1]);
    return plain([anything(random, [2 * a, b + 3])], {
      starts: [step < 0 ? 2 * a - 1 : 0, 2],
      sizes: [a, b],
      steps: [step, 1],
    });
  },
  pad: (random, a, b) =>
    plain([anything(random, [a, b])], { before: [1, 0], after: [0, 3], value: random.int(2) }),
  concat: (random, a, b) => {
    const axis = random.int(2);
    const kind = pick(random, [of(grid), bools]);
    const parts = [1, 2, 3].map((n) => kind(random, axis === 0 ? [n * a, b] : [a, n * b]));
    return plain(parts, { axis });
  },
  broadcastTo: (random, a, b) =>
    plain([anything(random, pick(random, [[b], [a, 1], [1, b]]))], { shape: [a, b] }),
  flip: (random, a, b) =>
    plain([anything(random, [a, b])], { axes: pick(random, [[0], [1], [0, 1]]) }),
  where: (random, a, b) =>
    plain([bools(random, [a, b]), floats(random, [a, b]), floats(random, [b])], {}),
  gather: (random, a, b) => {
    const axis = random.int(2);
    return plain([floats(random, [a, b]), integers(random, [a, b], axis === 0 ? a : b)], { axis });
  },
  scatterAdd: (random, a, b) => {
    const axis = random.int(2);
    const [shape, at] = [[a, b], axis === 0 ? [2 * a, b] : [a, 2 * b]];
    return plain([floats(random, shape), integers(random, at, shape[axis]!), floats(random, at)], {
      axis,
    });
  },
  embedding: (random, a, b) => plain([floats(random, [a, b]), integers(random, [a + 5], a)], {}),
  embeddingGrad: (random, a, b) =>
    plain([integers(random, [3, a], a), floats(random, [3, a, b])], { rows: a }),
  updateSlice: (random, a, b) => {
    const n = between(random, 1, a);
    return plain(
      [floats(random, [a, b]), floats(random, [n, b]), integers(random, [], a - n + 1)],
      { axis: 0 },
    );
  },
  fill: (random, a, b) => ({
    ins: [],
    attrs: (dtype) => ({ shape: shapeOf(random, a, b), value: 0.5, dtype }),
  }),
  iota: (random, a, b) => {
    const start = random.int(9);
    return { ins: [], attrs: (dtype) => ({ size: a * b, start, step: 2, dtype }) };
  },
  randomBits: (random, a, b) =>
    plain([integers(random, [2], (bits) => bits | 0)], {
      shape: shapeOf(random, a, b),
      stream: random.int(3),
    }),
  matmul: (random, a, b) => {
    const [transA, transB, k] = [coin(random), coin(random), between(random, 1, 40)];
    return plain(
      [
        floats(random, [...(coin(random) ? [2] : []), ...(transA ? [k, a] : [a, k])]),
        floats(random, transB ? [b, k] : [k, b]),
      ],
      { transA, transB },
    );
  },
  unfold: (random, a, b) => plain([floats(random, [2, 2, a, b])], window(random)),
  fold: (random, a, b) => {
    const w = window(random);
    const positions = [a, b].reduce(
      (n, size, i) =>
        n * (Math.floor((size + 2 * w.padding[i]! - w.kernel[i]!) / w.stride[i]!) + 1),
      1,
    );
    const rows = 2 * w.kernel[0] * w.kernel[1];
    return plain([floats(random, [1, rows, positions])], { ...w, size: [a, b] });
  },
  fft: (random, a, b) =>
    plain([floats(random, [a, b]), floats(random, [a, b])], { inverse: coin(random) }),
  longConv: (random, a, b) =>
    plain([floats(random, [2, a, b]), floats(random, coin(random) ? [a, b] : [1, b])], {}),
  linearRecurrence: (random, a, b) =>
    plain([floats(random, [a, b, 3], decaying), floats(random, [a, b, 3])], {
      reverse: coin(random),
    }),
  ...{ softmax: alike(1, {}), softmaxGrad: rowGrad('softmaxGrad') },
  ...{ logSoftmax: alike(1, {}), logSoftmaxGrad: rowGrad('logSoftmaxGrad') },
  crossEntropy: (random, a, b) =>
    plain([floats(random, [a, b]), integers(random, [a], b)], { ignoreIndex: 1 }),
  crossEntropyGrad: (random, a, b) => ({
    ins: [floats(random, [a, b]), integers(random, [a], b), floats(random, [a])],
    attrs: () => ({ ignoreIndex: 1 }),
    derive: ([x, y, d]) => [
      ...[x!, y!],
      apply(ops.crossEntropy, [x!, y!], { ignoreIndex: 1 })[1]!,
      d!,
    ],
  }),
  layerNorm: (random, a, b) =>
    plain([floats(random, [a, b]), floats(random, [b]), floats(random, [b])], { eps: 0.01 }),
  rmsNorm: (random, a, b) => plain([floats(random, [a, b]), floats(random, [b])], { eps: 0.01 }),
  ...{ layerNormGrad: normGrad('layerNormGrad'), rmsNormGrad: normGrad('rmsNormGrad') },
  gelu: (random, a, b) => alike(1, { approximate: coin(random) })(random, a, b),
  geluGrad: (random, a, b) => alike(2, { approximate: coin(random) })(random, a, b),
  ...{ silu: alike(1, {}), siluGrad: alike(2, {}), swiglu: alike(2, {}) },
  swigluGrad: alike(3, {}),
  rope: (random, a, b) => {
    const t = Math.max(3, Math.round(a / 2));
    return plain([floats(random, [2, t, 4, 2 * Math.ceil(b / 8)]), integers(random, [t], 50)], {
      ...{ rotaryDim: 2 * Math.ceil(b / 8), theta: 100, inverse: coin(random) },
      interleaved: coin(random),
    });
  },
  ...{ attention: attention(false), attentionGrad: attention(true) },
  adamw: (random, a, b) => {
    const shape = shapeOf(random, a, b);
    return plain(
      [
        ...[floats(random, shape), floats(random, shape), floats(random, shape)],
        floats(random, shape, positive),
        floats(random, [5], positive),
      ],
      { beta1: 0.875, beta2: 0.96875, eps: 1e-8 },
    );
  },
  ...{ selectiveScan: scan(false), selectiveScanGrad: scan(true) },
};
