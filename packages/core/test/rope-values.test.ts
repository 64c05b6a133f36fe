/** Rotary positions turn pairs as complex numbers turn, forward and back. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, expect, it } from 'vitest';
import { apply1, rope, type RopeOptions, setBackend, type Tensor, vjp } from '../src';
import { ropeOp } from '../src/ops/fused/rope';
import { f64, i32, near, range, wave } from './plain';

beforeEach(() => {
  setBackend(referenceBackend());
});

const [B, T, H, D] = [2, 3, 2, 6] as const;
const shape = [B, T, H, D];
const data = wave(B * T * H * D, 1);
const at = [4, 0, 7];
const each = [4, 0, 7, 1, 2, 30];

/** The rotation of `turned` by `position`, for every row and step. */
function plain(
  turned: readonly number[],
  position: (b: number, t: number) => number,
  { theta = 10000, rotaryDim = D, interleaved = false }: RopeOptions = {},
): number[] {
  const out = [...turned];
  for (const p of range(B * T * H)) {
    const angle = position(Math.floor(p / (T * H)), Math.floor(p / H) % T);
    for (const k of range(rotaryDim / 2)) {
      const [i, j] = interleaved ? [2 * k, 2 * k + 1] : [k, k + rotaryDim / 2];
      const a = angle * theta ** ((-2 * k) / rotaryDim);
      const [x, y] = [turned[p * D + i]!, turned[p * D + j]!];
      out[p * D + i] = x * Math.cos(a) - y * Math.sin(a);
      out[p * D + j] = y * Math.cos(a) + x * Math.sin(a);
    }
  }
  return out;
}

const x = (): Tensor => f64(shape, data);
const shared = (_: number, t: number): number => at[t]!;

const options: readonly (readonly [string, RopeOptions])[] = [
  ['the defaults', {}],
  ['neighbours as pairs', { interleaved: true }],
  ['another base', { theta: 100 }],
  ['a part of the features', { rotaryDim: 4 }],
  ['a part of the features, neighbours as pairs', { rotaryDim: 4, interleaved: true, theta: 7 }],
  ['one pair', { rotaryDim: 2 }],
];

it.each(options)('with %s pairs turn by position times frequency', (_, o) => {
  near(rope(x(), i32(...at), o), shape, plain(data, shared, o));
});

it.each(options)('with %s each row may have positions of its own', (_, o) => {
  const positions = i32(...each).reshape(B, T);
  near(
    rope(x(), positions, o),
    shape,
    plain(data, (b, t) => each[b * T + t]!, o),
  );
});

it.each(options)('with %s the gradient turns back', (_, o) => {
  const [dx] = vjp((t) => rope(t!, i32(...at), o), x()).pullback(x());
  near(
    dx!,
    shape,
    plain(data, (_b, t) => -at[t]!, o),
  );
});

it('the inverse undoes the rotation, and its gradient turns forward', () => {
  const attrs = { theta: 50, rotaryDim: 4, interleaved: false };
  const back = (t: Tensor): Tensor => apply1(ropeOp, [t, i32(...at)], { ...attrs, inverse: true });
  near(back(rope(x(), i32(...at), attrs)), shape, data);
  const [dx] = vjp((t) => back(t!), x()).pullback(x());
  near(dx!, shape, plain(data, shared, attrs));
});

it('has the defaults it names', () => {
  const named = { theta: 10000, rotaryDim: D, interleaved: false };
  expect(rope(x(), i32(...at), named).dataSync()).toEqual(rope(x(), i32(...at)).dataSync());
});

it('of no features turns nothing', () => {
  near(rope(x(), i32(...at), { rotaryDim: 0 }), shape, data, 0);
});

it('one row takes positions of both forms alike', () => {
  const one = f64([1, T, H, D], data.slice(0, T * H * D));
  const flat = rope(one, i32(...at)).dataSync();
  expect(rope(one, i32(...at).reshape(1, T)).dataSync()).toEqual(flat);
});

it('scores of turned features depend on the distance alone', () => {
  const [q, k] = [f64([1, 1, 1, D], wave(D, 2)), f64([1, 1, 1, D], wave(D, 3))];
  const score = (i: number, j: number): number =>
    rope(q, i32(i))
      .mul(rope(k, i32(j)))
      .sum()
      .itemSync();
  expect(score(9, 4)).toBeCloseTo(score(105, 100), 12);
  expect(Math.abs(score(9, 4) - score(4, 9))).toBeGreaterThan(1e-3);
});
