/** Calls for the row wrong-calls: every op that takes tensors, with arguments of the types that it declares. */
import * as core from '@loretta-ts/core';
import { type DType, type HostRandom, key, sameShape, type Tensor, tensor } from '@loretta-ts/core';
import {
  bceWithLogitsLoss,
  crossEntropyLoss,
  huberLoss,
  klDivLoss,
  l1Loss,
  mseLoss,
  nllLoss,
} from '@loretta-ts/nn';
import { must, pick } from '../../row';

/** A tensor in messages. */
export const show = (t: Tensor): string => `${t.dtype}[${t.shape.join()}]`;

/** Arguments of the types that an op takes, with values that it often does not. */
export class Draw {
  private readonly random: HostRandom;
  constructor(random: HostRandom) {
    this.random = random;
  }
  /** A tensor. */
  get t(): Tensor {
    const dtype = pick<DType>(this.random, ['f32', 'f32', 'f32', 'f64', 'i32', 'i32', 'bool']);
    const shape = Array.from({ length: this.random.int(5) }, () =>
      pick(this.random, [0, 1, 2, 2, 3]),
    );
    const size = shape.reduce((n, d) => n * d, 1);
    const values = Array.from(
      { length: size },
      () => this.random.int(dtype === 'bool' ? 2 : 6) - (dtype === 'bool' ? 0 : 1),
    );
    return tensor(values, { shape, dtype });
  }
  /** A tensor, or null. */
  get maybe(): Tensor | null {
    return this.random.int(2) === 0 ? null : this.t;
  }
  /** A number. */
  get n(): number {
    return pick(this.random, [
      0,
      1,
      2,
      3,
      -1,
      -2,
      5,
      -0,
      0.5,
      1.5,
      -2.5,
      Number.NaN,
      Infinity,
      -Infinity,
      2 ** 31,
      2 ** 32,
      2 ** 53,
      -(2 ** 31),
      -(2 ** 53),
      1e300,
    ]);
  }
  /** A small list of numbers. */
  get ns(): number[] {
    return Array.from({ length: this.random.int(5) }, () =>
      this.random.int(8) === 0 ? this.n : this.random.int(4) - 1,
    );
  }
  /** An axis, several, or all. */
  get axes(): number | number[] | null {
    return pick(this.random, [() => this.n, () => this.ns, () => null])();
  }
  /** Pairs of numbers. */
  get pairs(): [number, number][] {
    return this.ns.map((n) => [n, this.random.int(3) - 1]);
  }
  /** Options of convolutions and pools. */
  get conv(): { stride: number; padding: number; dilation: number; groups: number } {
    const one = (): number => (this.random.int(6) === 0 ? this.n : 1);
    return {
      stride: one(),
      padding: this.random.int(6) === 0 ? this.n : 0,
      dilation: one(),
      groups: one(),
    };
  }
  get dtype(): DType {
    return pick<DType>(this.random, ['f32', 'f64', 'i32', 'bool']);
  }
  get reduction(): string | undefined {
    return pick(this.random, [undefined, 'mean', 'sum', 'none', 'batchmean', 'median']);
  }
  /** Mostly a share of 1. */
  get share(): number {
    return this.random.int(4) === 0 ? this.n : 0.5;
  }
  get ignore(): { ignoreIndex?: number } {
    return this.random.int(2) === 0 ? {} : { ignoreIndex: this.n };
  }
  get bool(): boolean {
    return this.random.int(2) === 0;
  }
}

export type Call = (d: Draw) => unknown;

const unary = [
  ...[
    'abs',
    'ceil',
    'cos',
    'elu',
    'erf',
    'exp',
    'expm1',
    'floor',
    'gelu',
    'leakyRelu',
    'log',
    'log1p',
  ],
  ...[
    'logSigmoid',
    'neg',
    'reciprocal',
    'relu',
    'round',
    'rsqrt',
    'sigmoid',
    'sign',
    'silu',
    'sin',
  ],
  ...['softplus', 'sqrt', 'square', 'tanh', 'not', 'isFinite', 'isInf', 'isNaN'],
] as const;
const binary = [
  ...[
    'add',
    'atan2',
    'div',
    'maximum',
    'minimum',
    'mul',
    'pow',
    'remainder',
    'sub',
    'and',
    'or',
    'xor',
  ],
  ...['eq', 'ge', 'gt', 'le', 'lt', 'ne', 'matmul', 'longConv', 'linearRecurrence', 'fft', 'irfft'],
  ...['embedding', 'crossEntropy', 'swiglu'],
] as const;
const reductions = [
  'all',
  'any',
  'logSumExp',
  'max',
  'mean',
  'min',
  'norm',
  'prod',
  'std',
  'sum',
  'variance',
] as const;
const alongAxis = [
  'argmax',
  'argmin',
  'argsort',
  'cumprod',
  'cumsum',
  'flip',
  'logSoftmax',
  'softmax',
  'sort',
  'unsqueeze',
] as const;
/** Losses of predictions and targets of one shape. */
const elementwise = { bceWithLogitsLoss, huberLoss, klDivLoss, l1Loss, mseLoss };
/** Losses of classes: targets have the shape of the logits, or that without the last axis. */
const ofClasses = { crossEntropyLoss, nllLoss };
const losses = { ...elementwise, ...ofClasses };
const equations = [
  'ij,jk->ik',
  'ii->i',
  'i,i->',
  'ij->ji',
  '...i,i->...',
  'bij,bjk',
  'i->ii',
  'i-',
  '',
  'ij,jk->iz',
];

type Loose = Readonly<Record<string, (...args: unknown[]) => unknown>>;
const ops = core as unknown as Loose;
const named = (names: readonly string[], args: (d: Draw) => unknown[]): [string, Call][] =>
  names.map((name) => [name, (d) => ops[name]!(...args(d))]);

type Loss = (a: Tensor, b: Tensor, options: object) => Tensor;

/** A loss that gives a result has paired every prediction with a target of its own: nothing is broadcast. */
function checkLoss(name: string, loss: Loss, d: Draw): Tensor {
  const [a, b] = [d.t, d.t];
  const options = { reduction: d.reduction, labelSmoothing: d.share, delta: d.share, ...d.ignore };
  const result = loss(a, b, options);
  const fits =
    sameShape(a.shape, b.shape) ||
    (Object.hasOwn(ofClasses, name) && sameShape(a.shape.slice(0, -1), b.shape));
  must(fits, () => `${name} of ${show(a)} and ${show(b)} gives ${show(result)}`);
  return result;
}

/** Every op that takes tensors, with arguments of the types that it declares. */
export const calls: readonly (readonly [string, Call])[] = [
  ...named(unary, (d) => [d.t]),
  ...named(binary, (d) => [d.t, d.t]),
  ...named(reductions, (d) => [d.t, d.axes, { keepDims: d.bool }]),
  ...named(alongAxis, (d) => [d.t, d.n]),
  ...named(['adamw'], (d) => [d.t, d.t, d.t, d.t, d.t, { beta1: d.n, beta2: d.n, eps: d.n }]),
  ...named(['attention'], (d) => [d.t, d.t, d.t, { causal: d.bool, window: d.n }]),
  ...named(['avgPool2d', 'maxPool2d'], (d) => [d.t, d.n, d.conv]),
  ...named(['unfold'], (d) => [d.t, d.n, d.conv]),
  ...named(['fold'], (d) => [d.t, d.n, d.n, d.conv]),
  ...named(['conv1d', 'conv2d', 'convTranspose1d', 'convTranspose2d'], (d) => [
    d.t,
    d.t,
    d.maybe,
    d.conv,
  ]),
  ...named(['broadcastTo', 'permute', 'reshape', 'tile'], (d) => [d.t, d.ns]),
  ...named(['squeeze'], (d) => [d.t, d.axes]),
  ...named(['cast'], (d) => [d.t, 'f32']),
  ...named(['clamp'], (d) => [d.t, { min: d.n, max: d.n }]),
  ...named(['concat', 'stack'], (d) => [d.bool ? [d.t, d.t] : [d.t], d.n]),
  ...named(['einsum'], (d) => [
    equations[Math.abs(Math.trunc(d.t.size)) % equations.length],
    d.t,
    d.t,
  ]),
  ...named(['embeddingGrad'], (d) => [d.t, d.t, d.n]),
  ...named(['flatten', 'transpose', 'repeatInterleave', 'roll', 'select'], (d) => [d.t, d.n, d.n]),
  ...named(['full'], (d) => [d.ns, d.n]),
  ...named(['gather', 'indexSelect'], (d) => [d.t, d.t, d.n]),
  ...named(['scatterAdd'], (d) => [d.t, d.t, d.t, d.n]),
  ...named(['layerNorm'], (d) => [d.t, d.maybe, d.maybe, { eps: d.n }]),
  ...named(['rmsNorm'], (d) => [d.t, d.maybe, { eps: d.n }]),
  ...named(['linear'], (d) => [d.t, d.t, d.maybe]),
  ...named(['narrow'], (d) => [d.t, d.n, d.n, d.n]),
  ...named(['oneHot', 'split', 'tril', 'triu', 'upsampleNearest2d', 'topK'], (d) => [d.t, d.n]),
  ...named(['pad'], (d) => [d.t, d.pairs, d.n]),
  ...named(['rfft'], (d) => [d.t]),
  ...named(['rope'], (d) => [d.t, d.t, { theta: d.n, rotaryDim: d.n }]),
  ...named(['selectiveScan'], (d) => [d.t, d.t, d.t, d.t, d.t]),
  ...named(['slice'], (d) => [d.t, d.ns, d.ns, d.ns]),
  ...named(['updateSlice'], (d) => [d.t, d.t, d.n, d.n]),
  ...named(['where'], (d) => [d.t, d.t, d.bool ? d.n : d.t]),
  ...named(['uniform', 'normal', 'gumbel', 'truncatedNormal'], (d) => [key(1), d.ns]),
  ...named(['bernoulli'], (d) => [key(1), d.bool ? d.n : d.t, d.ns]),
  ...named(['categorical'], (d) => [key(1), d.t]),
  ...named(['key'], (d) => [d.n]),
  ...named(['splitTensor'], (d) => [key(1).tensor(), d.n]),
  ...named(['randomBits'], (d) => [key(1), d.ns]),
  ...named(['zeros', 'ones'], (d) => [d.ns, { dtype: d.dtype }]),
  ...named(['iota'], (d) => [d.n, { dtype: d.dtype, start: d.n, step: d.n }]),
  ...named(['tensor'], (d) => [d.ns, { shape: d.ns, dtype: d.dtype }]),
  ...Object.entries(losses).map(([name, loss]): [string, Call] => [
    name,
    (d) => checkLoss(name, loss as Loss, d),
  ]),
];
