/** Pools and nearest upsampling give what plain loops give. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  avgPool2d,
  maxPool2d,
  type PairArg,
  type PoolOptions,
  setBackend,
  upsampleNearest2d,
  vjp,
} from '../src';
import { f64, near, range, total, wave } from './plain';

beforeEach(() => {
  setBackend(referenceBackend());
});

const shape = [2, 2, 5, 6] as const;
const [b, c, h, w] = shape;
const data = wave(b * c * h * w, 1).map((v) => v - 2); // below zero: a padding of zeros would show
const pair = (x: PairArg): readonly [number, number] => (typeof x === 'number' ? [x, x] : x);

/** Every window's elements, padding as `fill`. */
function windows(kernel: PairArg, { stride = kernel, padding = 0 }: PoolOptions, fill: number) {
  const [[kh, kw], [sh, sw], [ph, pw]] = [pair(kernel), pair(stride), pair(padding)];
  const oh = range(50).filter((i) => i * sh + kh <= h + 2 * ph).length;
  const ow = range(50).filter((j) => j * sw + kw <= w + 2 * pw).length;
  const all = range(b * c * oh * ow).map((p) => {
    const plane = Math.floor(p / oh / ow);
    return range(kh * kw).map((k) => {
      const y = (Math.floor(p / ow) % oh) * sh + Math.floor(k / kw) - ph;
      const x = (p % ow) * sw + (k % kw) - pw;
      return y < 0 || y >= h || x < 0 || x >= w ? fill : data[(plane * h + y) * w + x]!;
    });
  });
  return { shape: [b, c, oh, ow], all };
}

const cases: readonly (readonly [string, PairArg, PoolOptions | undefined])[] = [
  ['a kernel', 2, undefined],
  ['no options', 2, {}],
  ['a kernel of two sizes', [3, 2], {}],
  ['a stride', 2, { stride: 1 }],
  ['two strides', [2, 3], { stride: [3, 1] }],
  ['padding', 3, { padding: 1 }],
  ['two paddings', [2, 4], { padding: [0, 2] }],
  ['all of them', [4, 2], { stride: [1, 2], padding: [2, 1] }],
  ['a kernel of one element', 1, {}],
];

describe.each(cases)('with %s', (_, kernel, options) => {
  const x = () => f64(shape, data);

  it('maxPool2d gives the largest element, never the padding', () => {
    const want = windows(kernel, options ?? {}, -Infinity);
    near(
      maxPool2d(x(), kernel, options),
      want.shape,
      want.all.map((v) => Math.max(...v)),
      0,
    );
  });

  it('avgPool2d gives the mean, padding counted as zeros', () => {
    const want = windows(kernel, options ?? {}, 0);
    near(
      avgPool2d(x(), kernel, options),
      want.shape,
      want.all.map((v) => total(v) / v.length),
    );
  });
});

it('the gradient of maxPool2d goes to the largest element of each window', () => {
  const x = f64([1, 1, 2, 4], [1, 5, 2, 0, 3, -1, 7, 4]);
  const { pullback } = vjp((t) => maxPool2d(t!, 2), x);
  near(pullback(f64([1, 1, 1, 2], [10, 20]))[0]!, [1, 1, 2, 4], [0, 10, 0, 0, 0, 0, 20, 0]);
});

it('the gradient of avgPool2d is shared by all elements of each window', () => {
  const { pullback } = vjp((t) => avgPool2d(t!, [2, 1]), f64([1, 1, 2, 2], [1, 2, 3, 4]));
  near(pullback(f64([1, 1, 1, 2], [10, 20]))[0]!, [1, 1, 2, 2], [5, 10, 5, 10]);
});

it('upsampleNearest2d repeats each pixel along both axes', () => {
  const x = f64([1, 2, 2, 1], [1, 2, 3, 4]);
  near(upsampleNearest2d(x, 2), [1, 2, 4, 2], [1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4]);
  near(upsampleNearest2d(x, 1), [1, 2, 2, 1], [1, 2, 3, 4]);
  const row = f64([1, 1, 1, 2], [1, 2]);
  near(
    upsampleNearest2d(row, 3),
    [1, 1, 3, 6],
    range(3).flatMap(() => [1, 1, 1, 2, 2, 2]),
  );
  expect(upsampleNearest2d(row, 0).shape).toEqual([1, 1, 0, 0]);
});
