/** Convolutions, pools, patches and their adjoints give what plain loops give, with each option. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  avgPool2d,
  conv1d,
  type Conv1dOptions,
  conv2d,
  type Conv2dOptions,
  convTranspose1d,
  convTranspose2d,
  fold,
  maxPool2d,
  type PairArg,
  setBackend,
  type Tensor,
  unfold,
  vjp,
} from '../src';
import { f64, near, range, total, wave } from './plain';

beforeEach(() => {
  setBackend(referenceBackend());
});

type Dims = readonly [number, number, number, number];
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);
const of = (shape: readonly number[], seed: number): Tensor => f64(shape, wave(size(shape), seed));
const pair = (x: PairArg): readonly [number, number] => (typeof x === 'number' ? [x, x] : x);

type Options = Conv2dOptions & { readonly outputPadding?: PairArg };

/** A window with every option named. */
function full(o: Options) {
  const [stride, padding, dilation] = [o.stride ?? 1, o.padding ?? 0, o.dilation ?? 1].map((p) =>
    pair(p),
  ) as [readonly [number, number], readonly [number, number], readonly [number, number]];
  return { stride, padding, dilation, groups: o.groups ?? 1, extra: pair(o.outputPadding ?? 0) };
}

/** Calls `visit` for each input element that a window at (i, j) reads, with its place in the kernel. */
function under(
  [h, w]: readonly [number, number],
  [kh, kw]: readonly [number, number],
  o: Options,
  [i, j]: readonly [number, number],
  visit: (y: number, x: number, ky: number, kx: number) => void,
): void {
  const { stride, padding, dilation } = full(o);
  for (const ky of range(kh)) {
    for (const kx of range(kw)) {
      const y = i * stride[0] + ky * dilation[0] - padding[0];
      const x = j * stride[1] + kx * dilation[1] - padding[1];
      if (y >= 0 && y < h && x >= 0 && x < w) visit(y, x, ky, kx);
    }
  }
}

/** Positions of a window along both axes: as many as fit, counted one by one. */
function places(s: readonly number[], k: readonly number[], o: Options): [number, number] {
  const { stride, padding, dilation } = full(o);
  const fits = (axis: 0 | 1): number =>
    range(100).filter(
      (i) => i * stride[axis] + dilation[axis] * (k[axis]! - 1) < s[axis]! + 2 * padding[axis],
    ).length;
  return [fits(0), fits(1)];
}

/** conv2d of waves 1 and 2 and the bias of wave 3. */
function plainConv([b, cin, h, w]: Dims, [cout, cg, kh, kw]: Dims, biased: boolean, o: Options) {
  const [x, weight, bias] = [wave(b * cin * h * w, 1), wave(cout * cg * kh * kw, 2), wave(cout, 3)];
  const [oh, ow] = places([h, w], [kh, kw], o);
  const per = cout / full(o).groups;
  const y = range(b * cout * oh * ow).map((p) => {
    const [r, c] = [Math.floor(p / (cout * oh * ow)), Math.floor(p / (oh * ow)) % cout];
    const parts = [biased ? bias[c]! : 0];
    under([h, w], [kh, kw], o, [Math.floor(p / ow) % oh, p % ow], (yy, xx, ky, kx) => {
      for (const k of range(cg)) {
        const channel = Math.floor(c / per) * cg + k;
        parts.push(
          x[((r * cin + channel) * h + yy) * w + xx]! * weight[((c * cg + k) * kh + ky) * kw + kx]!,
        );
      }
    });
    return total(parts);
  });
  return { shape: [b, cout, oh, ow], y };
}

/** convTranspose2d of the same: every input element paints its kernel. */
function plainTranspose([b, cin, h, w]: Dims, [, cg, kh, kw]: Dims, biased: boolean, o: Options) {
  const { stride, padding, dilation, groups, extra } = full(o);
  const cout = cg * groups;
  const [x, weight, bias] = [wave(b * cin * h * w, 1), wave(cin * cg * kh * kw, 2), wave(cout, 3)];
  const [oh, ow] = ([h, w] as const).map(
    (n, a) =>
      (n - 1) * stride[a]! + dilation[a]! * ([kh, kw][a]! - 1) + 1 + extra[a]! - 2 * padding[a]!,
  ) as [number, number];
  const y = range(b * cout * oh * ow).map((p) =>
    biased ? bias[Math.floor(p / oh / ow) % cout]! : 0,
  );
  for (const p of range(b * cin * h * w)) {
    const [r, c] = [Math.floor(p / (cin * h * w)), Math.floor(p / (h * w)) % cin];
    const group = Math.floor(c / (cin / groups));
    under([oh, ow], [kh, kw], o, [Math.floor(p / w) % h, p % w], (yy, xx, ky, kx) => {
      for (const k of range(cg)) {
        y[((r * cout + group * cg + k) * oh + yy) * ow + xx]! +=
          x[p]! * weight[((c * cg + k) * kh + ky) * kw + kx]!;
      }
    });
  }
  return { shape: [b, cout, oh, ow], y };
}

const options: readonly (readonly [string, Options])[] = [
  ['no options', {}],
  ['one stride', { stride: 2 }],
  ['two strides', { stride: [1, 3] }],
  ['one padding', { padding: 1 }],
  ['two paddings', { padding: [2, 1] }],
  ['one dilation', { dilation: 2 }],
  ['two dilations', { dilation: [1, 2] }],
  ['groups', { groups: 2 }],
  ['all of them', { stride: [2, 1], padding: [1, 2], dilation: [2, 1], groups: 2 }],
];

describe.each(options)('with %s', (_, o) => {
  const groups = o.groups ?? 1;
  const x: Dims = [2, 4, 4, 6];
  const forward: Dims = [6, 4 / groups, 2, 3];
  const back: Dims = [4, 3, 2, 3];

  it('conv2d is the sum under its window, with a bias or without', () => {
    const [plain, biased] = [plainConv(x, forward, false, o), plainConv(x, forward, true, o)];
    near(conv2d(of(x, 1), of(forward, 2), null, o), plain.shape, plain.y);
    near(conv2d(of(x, 1), of(forward, 2), of([6], 3), o), biased.shape, biased.y);
  });

  it('convTranspose2d paints its window, with a bias or without', () => {
    const cout = 3 * groups;
    const [plain, biased] = [plainTranspose(x, back, false, o), plainTranspose(x, back, true, o)];
    near(convTranspose2d(of(x, 1), of(back, 2), null, o), plain.shape, plain.y);
    near(convTranspose2d(of(x, 1), of(back, 2), of([cout], 3), o), biased.shape, biased.y);
  });

  it('each gradient of conv2d is its adjoint', () => {
    const { value, pullback } = vjp(
      (...ts) => conv2d(ts[0]!, ts[1]!, ts[2]!, o),
      ...[of(x, 1), of(forward, 2), of([6], 3)],
    );
    const ct = of(value.shape, 5);
    const [dx, dweight, dbias] = pullback(ct).map((g) => g.dataSync());
    // linear in each operand: ⟨dweight, weight⟩ = ⟨dx, x⟩ = ⟨ct, y − bias⟩
    const dot = (a: ArrayLike<number>, b: readonly number[]): number =>
      total(b.map((v, i) => v * a[i]!));
    const want = dot(ct.dataSync(), plainConv(x, forward, false, o).y);
    expect(dot(dx!, wave(size(x), 1))).toBeCloseTo(want, 10);
    expect(dot(dweight!, wave(size(forward), 2))).toBeCloseTo(want, 10);
    const channel = size(value.shape.slice(2));
    const sums = range(6).map((c) =>
      total([...ct.dataSync()].filter((_v, p) => Math.floor(p / channel) % 6 === c)),
    );
    near(f64([6], [...dbias!]), [6], sums);
  });

  it('unfold lists what lies under the window, and fold adds it back', () => {
    const { groups: _groups, ...window } = o;
    const [h, w] = [5, 6];
    const data = wave(4 * h * w, 1);
    const [oh, ow] = places([h, w], [2, 3], o);
    const columns = new Array<number>(2 * 12 * oh * ow).fill(0);
    const counts = new Array<number>(4 * h * w).fill(0);
    for (const p of range(4 * oh * ow)) {
      const plane = Math.floor(p / oh / ow);
      under([h, w], [2, 3], o, [Math.floor(p / ow) % oh, p % ow], (yy, xx, ky, kx) => {
        const from = (plane * h + yy) * w + xx;
        columns[((plane * 2 + ky) * 3 + kx) * oh * ow + (p % (oh * ow))] = data[from]!;
        counts[from]! += 1;
      });
    }
    const patches = unfold(f64([2, 2, h, w], data), [2, 3], window);
    near(patches, [2, 12, oh * ow], columns);
    const added = data.map((v, i) => v * counts[i]!);
    near(fold(patches, [h, w], [2, 3], window), [2, 2, h, w], added);
    const { pullback } = vjp((t) => unfold(t!, [2, 3], window), f64([2, 2, h, w], data));
    near(pullback(patches)[0]!, [2, 2, h, w], added);
    const again = vjp((t) => fold(t!, [h, w], [2, 3], window), patches);
    near(again.pullback(f64([2, 2, h, w], data))[0]!, [2, 12, oh * ow], columns);
  });
});

describe('convTranspose2d', () => {
  it.each([
    ['one output padding', { stride: 2, outputPadding: 1 }],
    ['two output paddings', { stride: [3, 2], outputPadding: [2, 1], padding: 1 }],
    [
      'output padding, groups and dilation',
      { stride: 2, outputPadding: [0, 1], groups: 2, dilation: 2 },
    ],
  ] as const)('grows by %s', (_, o) => {
    const [x, weight]: [Dims, Dims] = [
      [2, 4, 3, 2],
      [4, 2, 3, 2],
    ];
    const want = plainTranspose(x, weight, true, o);
    const bias = of([want.shape[1]!], 3);
    near(convTranspose2d(of(x, 1), of(weight, 2), bias, o), want.shape, want.y);
  });
});

it.each([
  [
    [4, 2],
    [4, 1],
  ],
  [
    [2, 4],
    [1, 4],
  ],
  [
    [2, 2],
    [1, 1],
  ],
] as const)('a plane of %j may have %j places for a window, one along an axis', (plane, at) => {
  const kernel = [plane[0] - at[0] + 1, plane[1] - at[1] + 1] as const;
  const patches = unfold(of([1, 1, ...plane], 1), kernel);
  expect(patches.shape).toEqual([1, kernel[0] * kernel[1], at[0] * at[1]]);
  expect(fold(patches, plane, kernel).shape).toEqual([1, 1, ...plane]);
});

describe('a number stands for both axes', () => {
  it('in every option', () => {
    const [x, weight] = [of([1, 2, 7, 7], 1), of([2, 2, 2, 2], 2)];
    const [one, two] = [
      { stride: 2, padding: 1, dilation: 2 },
      { stride: [2, 2], padding: [1, 1], dilation: [2, 2] },
    ] as const;
    const same = (fn: (o: Options, p: (n: number) => PairArg) => Tensor): void => {
      const [a, b] = [fn(one, (n) => n), fn(two, (n) => [n, n])];
      near(a, b.shape, [...b.dataSync()], 0);
    };
    same((o) => conv2d(x, weight, null, o));
    same((o, p) => convTranspose2d(x, weight, null, { ...o, outputPadding: p(1) }));
    same((o, p) => unfold(x, p(2), o));
    same((o, p) => fold(unfold(x, 2, o), p(7), p(2), o));
    same((_, p) => maxPool2d(x, p(3), { stride: p(2), padding: p(1) }));
    same((_, p) => avgPool2d(x, p(3), { stride: p(2), padding: p(1) }));
  });
});

describe('over a line', () => {
  const lines: readonly (readonly [string, Conv1dOptions])[] = [
    ['no options', {}],
    ['a stride', { stride: 2 }],
    ['padding', { padding: 2 }],
    ['dilation', { dilation: 2 }],
    ['groups', { groups: 2 }],
    ['all of them', { stride: 2, padding: 1, dilation: 2, groups: 2 }],
  ];
  // the same over a plane of one row: no option touches that axis
  const rows = ({ stride = 1, padding = 0, dilation = 1, groups = 1 }: Conv1dOptions): Options => ({
    ...{ stride: [1, stride], padding: [0, padding], dilation: [1, dilation], groups },
  });
  const flat = ([b, c, , w]: readonly number[]): number[] => [b!, c!, w!];

  it.each(lines)('conv1d with %s is conv2d of one row', (_, o) => {
    const [x, weight]: [Dims, Dims] = [
      [2, 4, 1, 7],
      [6, 4 / (o.groups ?? 1), 1, 3],
    ];
    for (const bias of [null, of([6], 3)]) {
      const want = plainConv(x, weight, bias !== null, rows(o));
      near(conv1d(of(flat(x), 1), of(flat(weight), 2), bias, o), flat(want.shape), want.y);
    }
  });

  it.each([...lines, ['output padding', { stride: 3, outputPadding: 2 }] as const])(
    'convTranspose1d with %s is convTranspose2d of one row',
    (_, o: Conv1dOptions & { readonly outputPadding?: number }) => {
      const [x, weight]: [Dims, Dims] = [
        [2, 4, 1, 5],
        [4, 3, 1, 3],
      ];
      for (const bias of [null, of([3 * (o.groups ?? 1)], 3)]) {
        const plane = { ...rows(o), outputPadding: [0, o.outputPadding ?? 0] as const };
        const want = plainTranspose(x, weight, bias !== null, plane);
        const y = convTranspose1d(of(flat(x), 1), of(flat(weight), 2), bias, o);
        near(y, flat(want.shape), want.y);
      }
    },
  );
});
