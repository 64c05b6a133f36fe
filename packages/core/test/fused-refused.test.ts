/** Fused ops refuse what does not fit, in words, and leave no memory behind; their gradient ops do as well. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  adamw,
  apply,
  type Backend,
  crossEntropy,
  gelu,
  layerNorm,
  logSoftmax,
  rmsNorm,
  rope,
  selectiveScan,
  selectiveScanWithState,
  setBackend,
  silu,
  softmax,
  swiglu,
  type Tensor,
} from '../src';
import { geluGradOp, siluGradOp, swigluGradOp } from '../src/ops/fused/activation';
import { layerNormGradOp, rmsNormGradOp } from '../src/ops/fused/norm';
import { selectiveScanGradOp } from '../src/ops/fused/scan';
import { crossEntropyGradOp, logSoftmaxGradOp, softmaxGradOp } from '../src/ops/fused/softmax';
import { type Refusal, refusal, refused } from './refusal';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const noFloat = (op: string, what: string): string =>
  `${op}: ${what} is not floating point: convert it with .cast('f32')`;
const differ = (op: string, all: string): string =>
  `${op}: dtypes differ: ${all}: convert one with .cast('f32')`;

describe('activations', () => {
  const swigluGrad = (...xs: Tensor[]) => apply(swigluGradOp, xs, {});
  const siluGrad = (...xs: Tensor[]) => apply(siluGradOp, xs, {});
  const geluGrad = (...xs: Tensor[]) => apply(geluGradOp, xs, { approximate: true });
  refused('DTypeError', [
    ['i32[2]', (x) => gelu(x!), noFloat('gelu', 'i32[2]')],
    ['bool[2]', (x) => silu(x!), noFloat('silu', 'bool[2]')],
    ['f32[2] i32[2]', (x, y) => swiglu(x!, y!), noFloat('swiglu', 'i32[2]')],
    ['f32[2] f64[2]', (x, y) => swiglu(x!, y!), differ('swiglu', 'f32[2], f64[2]')],
    ['f32[2] f64[2]', geluGrad, differ('geluGrad', 'f32[2], f64[2]')],
    ['i32[2] i32[2]', siluGrad, noFloat('siluGrad', 'i32[2]')],
    ['f32[2] f32[2] i32[2]', swigluGrad, noFloat('swigluGrad', 'i32[2]')],
  ]);
  refused('ShapeError', [
    ['f32[2] f32[3]', (x, y) => swiglu(x!, y!), 'swiglu: an input is f32[3], not [2]'],
    ['f32[2,3] f32[3]', (x, y) => swiglu(x!, y!), 'swiglu: an input is f32[3], not [2,3]'],
    ['f32[2] f32[1]', geluGrad, 'geluGrad: an input is f32[1], not [2]'],
    ['f32[2] f32[]', siluGrad, 'siluGrad: an input is f32[], not [2]'],
    ['f32[2] f32[2] f32[4]', swigluGrad, 'swigluGrad: an input is f32[4], not [2]'],
  ]);
});

describe('softmax and cross-entropy', () => {
  const softmaxGrad = (...xs: Tensor[]) => apply(softmaxGradOp, xs, {});
  const logSoftmaxGrad = (...xs: Tensor[]) => apply(logSoftmaxGradOp, xs, {});
  const entropyGrad = (...xs: Tensor[]) => apply(crossEntropyGradOp, xs, { ignoreIndex: 0 });
  const entropy = (x?: Tensor, y?: Tensor) => crossEntropy(x!, y!);
  refused('DTypeError', [
    ['i32[2,3]', (x) => softmax(x!), noFloat('softmax', 'i32[2,3]')],
    ['i32[2,3]', (x) => softmax(x!, 0), noFloat('softmax', 'i32[3,2]')],
    ['i32[3]', (x) => logSoftmax(x!), noFloat('logSoftmax', 'i32[3]')],
    ['f32[3] i32[3]', softmaxGrad, noFloat('softmaxGrad', 'i32[3]')],
    ['f32[3] f64[3]', logSoftmaxGrad, differ('logSoftmaxGrad', 'f32[3], f64[3]')],
    ['i32[2,3] i32[2]', entropy, noFloat('crossEntropy', 'i32[2,3]')],
    [
      'f32[2,3] f32[2]',
      entropy,
      "crossEntropy: targets is f32[2], not i32: convert it with .cast('i32')",
    ],
    [
      'f32[2,3] f32[2] f32[2] f32[2]',
      entropyGrad,
      "crossEntropyGrad: targets is f32[2], not i32: convert it with .cast('i32')",
    ],
  ]);
  refused('ShapeError', [
    ['f32[2]', (x) => softmax(x!, 1), 'softmax: axis 1 is out of range for shape [2]: use -1 to 0'],
    [
      'f32[2,2]',
      (x) => logSoftmax(x!, -3),
      'logSoftmax: axis -3 is out of range for shape [2,2]: use -2 to 1',
    ],
    [
      'f32[]',
      (x) => softmax(x!),
      'softmax: axis -1 is out of range for shape []: use a tensor with axes',
    ],
    ['f32[] f32[]', softmaxGrad, 'softmaxGrad: f32[] has no axis'],
    ['f32[3] f32[2]', softmaxGrad, 'softmaxGrad: an input is f32[2], not [3]'],
    ['f32[3] f32[1,3]', logSoftmaxGrad, 'logSoftmaxGrad: an input is f32[1,3], not [3]'],
    ['f32[] i32[]', entropy, 'crossEntropy: logits are f32[], not [..., v]'],
    ['f32[2,3] i32[3]', entropy, 'crossEntropy: targets is i32[3], not [2]'],
    ['f32[2,4,3] i32[8]', entropy, 'crossEntropy: targets is i32[8], not [2,4]'],
    ['f32[2,0] i32[2]', entropy, 'crossEntropy: f32[2,0] has no classes'],
    [
      'f32[6] i32[2] f32[2] f32[2]',
      entropyGrad,
      'crossEntropyGrad: logits is f32[6], not of rank 2',
    ],
    ['f32[2,3] i32[3] f32[2] f32[2]', entropyGrad, 'crossEntropyGrad: targets is i32[3], not [2]'],
    ['f32[2,3] i32[2] f32[3] f32[2]', entropyGrad, 'crossEntropyGrad: lse is f32[3], not [2]'],
    ['f32[2,3] i32[2] f32[2] f32[]', entropyGrad, 'crossEntropyGrad: dloss is f32[], not [2]'],
  ]);
});

describe('norms', () => {
  const layerGrad = (...xs: Tensor[]) => apply(layerNormGradOp, xs, {});
  const rmsGrad = (...xs: Tensor[]) => apply(rmsNormGradOp, xs, {});
  refused('ValueError', [
    ...[-1e-5, NaN, Infinity].flatMap((eps): Refusal[] => {
      const what = `eps ${eps} is not a finite number from 0 to Infinity`;
      return [
        ['f32[2,3]', (x) => layerNorm(x!, null, null, { eps }), `layerNorm: ${what}`],
        ['f32[2,3]', (x) => rmsNorm(x!, null, { eps }), `rmsNorm: ${what}`],
      ];
    }),
  ]);
  refused('DTypeError', [
    ['i32[2]', (x) => layerNorm(x!), noFloat('layerNorm', 'i32[2]')],
    ['i32[2]', (x) => rmsNorm(x!), noFloat('rmsNorm', 'i32[2]')],
    ['f32[2] i32[2]', (x, w) => rmsNorm(x!, w!), noFloat('rmsNorm', 'i32[2]')],
    ['f32[2] f64[2]', (x, w) => layerNorm(x!, w!), differ('layerNorm', 'f32[2], f64[2], f32[2]')],
    [
      'f32[2] f64[2]',
      (x, b) => layerNorm(x!, null, b!),
      differ('layerNorm', 'f32[2], f32[2], f64[2]'),
    ],
  ]);
  refused('ShapeError', [
    ['f32[]', (x) => layerNorm(x!), 'layerNorm: f32[] has nothing to normalise'],
    ['f32[2,0]', (x) => rmsNorm(x!), 'rmsNorm: f32[2,0] has nothing to normalise'],
    [
      'f32[2,3] f32[2]',
      (x, w) => layerNorm(x!, w!),
      'layerNorm: weight or bias is f32[2], not [3]',
    ],
    [
      'f32[2,3] f32[1,3]',
      (x, b) => layerNorm(x!, null, b!),
      'layerNorm: weight or bias is f32[1,3], not [3]',
    ],
    ['f32[2,3] f32[1]', (x, w) => rmsNorm(x!, w!), 'rmsNorm: weight or bias is f32[1], not [3]'],
    ...(
      [
        ['f32[2,3] f32[2] f32[2] f32[2] f32[2,3]', 'weight or bias is f32[2], not [3]'],
        ['f32[2,3] f32[3] f32[3] f32[2] f32[2,3]', 'mean is f32[3], not [2]'],
        ['f32[2,3] f32[3] f32[2] f32[2,1] f32[2,3]', 'rstd is f32[2,1], not [2]'],
        ['f32[2,3] f32[3] f32[2] f32[2] f32[3]', 'dy is f32[3], not [2,3]'],
      ] as const
    ).map(([ins, what]): Refusal => [ins, layerGrad, `layerNormGrad: ${what}`]),
    ...(
      [
        ['f32[2,3] f32[2] f32[2] f32[2,3]', 'weight or bias is f32[2], not [3]'],
        ['f32[2,3] f32[3] f32[3] f32[2,3]', 'rstd is f32[3], not [2]'],
        ['f32[2,3] f32[3] f32[2] f32[3,2]', 'dy is f32[3,2], not [2,3]'],
      ] as const
    ).map(([ins, what]): Refusal => [ins, rmsGrad, `rmsNormGrad: ${what}`]),
  ]);
});

describe('rope', () => {
  const x = 'f32[2,3,1,4]';
  const plain = (a?: Tensor, p?: Tensor) => rope(a!, p!);
  const misplaced = (p: string): string => `rope: positions are ${p} for ${x}: use [t] or [b, t]`;
  refused('DTypeError', [
    ['i32[2,3,1,4] i32[3]', plain, noFloat('rope', 'i32[2,3,1,4]')],
    [`${x} f32[3]`, plain, "rope: positions is f32[3], not i32: convert it with .cast('i32')"],
  ]);
  refused('ShapeError', [
    ['f32[3,4] i32[3]', plain, 'rope: the input is f32[3,4], not of rank 4'],
    ['f32[] i32[3]', plain, 'rope: the input is f32[], not of rank 4'],
    ...['i32[2]', 'i32[]', 'i32[3,2]', 'i32[1,3]', 'i32[2,1]', 'i32[2,3,1]'].map(
      (p): Refusal => [`${x} ${p}`, plain, misplaced(p)],
    ),
    ['f32[2,3,1,3] i32[3]', plain, 'rope: rotaryDim 3 is odd: pairs turn'],
    [
      `${x} i32[3]`,
      (a, p) => rope(a!, p!, { rotaryDim: 1 }),
      'rope: rotaryDim 1 is odd: pairs turn',
    ],
  ]);
  refused(
    'ValueError',
    [6, -2, 0.5].map(
      (rotaryDim): Refusal => [
        `${x} i32[3]`,
        (a, p) => rope(a!, p!, { rotaryDim }),
        `rope: rotaryDim ${rotaryDim} is not an integer from 0 to 4`,
      ],
    ),
  );
});

describe('adamw', () => {
  const step = (...[p, g, m, v, hyper]: Tensor[]) =>
    adamw(p!, g!, m!, v!, hyper!, { beta1: 0.9, beta2: 0.9, eps: 1e-8 });
  refused('ShapeError', [
    ['f32[2] f32[3] f32[2] f32[2] f32[5]', step, 'adamw: the gradient is f32[3], not [2]'],
    ['f32[2] f32[2] f32[1] f32[2] f32[5]', step, 'adamw: the first moment is f32[1], not [2]'],
    ['f32[2] f32[2] f32[2] f32[] f32[5]', step, 'adamw: the second moment is f32[], not [2]'],
    ['f32[2] f32[2] f32[2] f32[2] f32[4]', step, 'adamw: hyper is f32[4], not [5]'],
  ]);
  const all = 'i32[2] i32[2] i32[2] i32[2] i32[5]';
  const mixed = (at: number): string =>
    ['f32[2]', 'f32[2]', 'f32[2]', 'f32[2]', 'f32[5]']
      .map((s, i) => (i === at ? s.replace('f32', 'f64') : s))
      .join(' ');
  refused('DTypeError', [
    [all, step, noFloat('adamw', 'i32[2]')],
    ...[1, 2, 3, 4].map(
      (at): Refusal => [mixed(at), step, differ('adamw', mixed(at).replaceAll(' ', ', '))],
    ),
  ]);
});

describe('selectiveScan', () => {
  const parts = ['f32[2,3,4]', 'f32[2,3,4]', 'f32[3,5]', 'f32[2,4,5]', 'f32[2,4,5]'] as const;
  const but = (at: number, what: string): string =>
    parts.map((s, i) => (i === at ? what : s)).join(' ');
  const five = (...[u, delta, A, B, C]: Tensor[]) => selectiveScan(u!, delta!, A!, B!, C!);
  const state = (...[u, delta, A, B, C, s]: Tensor[]) =>
    selectiveScanWithState(u!, delta!, A!, B!, C!, { state: s! });
  const starts = (...[u, delta, A, B, C, s]: Tensor[]) =>
    selectiveScan(u!, delta!, A!, B!, C!, { starts: s! });
  const gradient = (...xs: Tensor[]) =>
    apply(selectiveScanGradOp, xs, { has: { state: false, starts: false } });
  const scan = (what: string): string => `selectiveScan: ${what}`;
  const ranks = (u: string, A: string): string =>
    scan(`u ${u} and A ${A}: they are [b, d, l] and [d, n]`);
  refused('ShapeError', [
    [but(0, 'f32[2,3]'), five, ranks('f32[2,3]', 'f32[3,5]')],
    [but(2, 'f32[2,3,5]'), five, ranks('f32[2,3,4]', 'f32[2,3,5]')],
    [but(1, 'f32[2,3,5]'), five, scan('delta is f32[2,3,5], not [2,3,4]')],
    [but(2, 'f32[4,5]'), five, scan('A is f32[4,5], not [3,5]')],
    [but(3, 'f32[2,5,4]'), five, scan('B is f32[2,5,4], not [2,4,5]')],
    [but(4, 'f32[1,4,5]'), five, scan('C is f32[1,4,5], not [2,4,5]')],
    [`${but(5, '')} f32[2,3]`, state, scan('state is f32[2,3], not [2,3,5]')],
    [`${but(5, '')} bool[4]`, starts, scan('starts is bool[4], not [2,4]')],
    [`${but(5, '')} f32[2,4,3]`, gradient, 'selectiveScanGrad: dy is f32[2,4,3], not [2,3,4]'],
    [`${but(1, 'f32[1]')} f32[2,3,4]`, gradient, 'selectiveScanGrad: delta is f32[1], not [2,3,4]'],
  ]);
  refused('DTypeError', [
    ...[0, 1, 2, 3, 4].map((at): Refusal => {
      const int = parts[at]!.replace('f32', 'i32');
      return [but(at, int), five, noFloat('selectiveScan', int)];
    }),
    [
      but(4, 'f64[2,4,5]'),
      five,
      differ('selectiveScan', but(4, 'f64[2,4,5]').replaceAll(' ', ', ')),
    ],
    [`${but(5, '')} i32[2,3,5]`, state, noFloat('selectiveScan', 'i32[2,3,5]')],
    [
      `${but(5, '')} f32[2,4]`,
      starts,
      scan("starts is f32[2,4], not bool: convert it with .cast('bool')"),
    ],
  ]);

  it('names both shapes that are of a wrong rank', () => {
    const { shapes } = refusal(backend, but(0, 'f32[2,3]'), five);
    expect(shapes).toEqual([
      [2, 3],
      [3, 5],
    ]);
  });
});
