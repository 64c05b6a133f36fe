/** Attention gives what plain loops give, with each option, and pulls back their slopes. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  apply,
  attention,
  type AttentionOptions,
  setBackend,
  type Tensor,
  tidy,
  valueAndGrad,
  vjp,
} from '../src';
import { attentionOp } from '../src/ops/fused/attention';
import { bool, f64, i32, near, range, total, wave } from './plain';

beforeEach(() => {
  setBackend(referenceBackend());
});

const { exp, log, sqrt } = Math;

interface Sizes {
  readonly b: number;
  readonly t: number;
  readonly s: number;
  readonly h: number;
  readonly hkv: number;
  readonly d: number;
  readonly dv: number;
}
const plainSizes: Sizes = { b: 2, t: 3, s: 4, h: 4, hkv: 2, d: 3, dv: 2 };
const square: Sizes = { ...plainSizes, s: 3 };

const qOf = ({ b, t, h, d }: Sizes) => wave(b * t * h * d, 1);
const kOf = ({ b, s, hkv, d }: Sizes) => wave(b * s * hkv * d, 2);
const vOf = ({ b, s, hkv, dv }: Sizes) => wave(b * s * hkv * dv, 3);

const inputs = (z: Sizes): [Tensor, Tensor, Tensor] => [
  f64([z.b, z.t, z.h, z.d], qOf(z)),
  f64([z.b, z.s, z.hkv, z.d], kOf(z)),
  f64([z.b, z.s, z.hkv, z.dv], vOf(z)),
];

/** What query i of row b and head h adds to its score of key j; -Infinity where it does not see it. */
type Score = (b: number, h: number, i: number, j: number) => number;

/** Attention by loops, with the logarithm of each row's total. */
function plain(
  z: Sizes,
  score: Score = () => 0,
  scale = 1 / sqrt(z.d),
  [q, k, v] = [qOf(z), kOf(z), vOf(z)],
): { o: number[]; lse: number[] } {
  const { b, t, s, h, hkv, d, dv } = z;
  const o = new Array<number>(b * t * h * dv).fill(0);
  const lse = new Array<number>(b * h * t).fill(0);
  for (const [r, i, a] of range(b * t * h).map(
    (p) => [Math.floor(p / h / t), Math.floor(p / h) % t, p % h] as const,
  )) {
    const kv = Math.floor((a * hkv) / h);
    const weights = range(s).map((j) => {
      const dot = total(
        range(d).map(
          (c) => q[((r * t + i) * h + a) * d + c]! * k[((r * s + j) * hkv + kv) * d + c]!,
        ),
      );
      return exp(dot * scale + score(r, a, i, j));
    });
    const sum = total(weights);
    lse[(r * h + a) * t + i] = log(sum);
    for (const c of range(dv)) {
      const mixed = total(weights.map((w, j) => w * v[((r * s + j) * hkv + kv) * dv + c]!));
      o[((r * t + i) * h + a) * dv + c] = sum === 0 ? 0 : mixed / sum;
    }
  }
  return { o, lse };
}

const when = (seen: boolean): number => (seen ? 0 : -Infinity);
const biases = wave(2 * 4 * 3 * 4, 4);
const seen = [1, 0, 1, 1, 0, 1, 1, 0, 0, 0, 0, 0]; // [t, s], the last query sees nothing
const numbers = [0, 0, 1, 2, 5, 2];

/** Every row: options, the sizes, and what they do to a score. */
const rows: readonly (readonly [string, () => AttentionOptions, Sizes, Score, scale?: number])[] = [
  ['nothing', () => ({}), plainSizes, () => 0],
  ['a scale', () => ({ scale: 0.5 }), plainSizes, () => 0, 0.5],
  ['causal', () => ({ causal: true }), plainSizes, (_b, _h, i, j) => when(j <= i + 1)],
  ['causal, a square', () => ({ causal: true }), square, (_b, _h, i, j) => when(j <= i)],
  [
    'causal with an offset',
    () => ({ causal: true, qOffset: 0 }),
    plainSizes,
    (_b, _h, i, j) => when(j <= i),
  ],
  [
    'causal before the first key',
    () => ({ causal: true, qOffset: -1 }),
    plainSizes,
    (_b, _h, i, j) => when(j <= i - 1),
  ],
  ['a window of one', () => ({ window: 1 }), square, (_b, _h, i, j) => when(i - j < 1)],
  ['a window', () => ({ window: 2 }), plainSizes, (_b, _h, i, j) => when(i + 1 - j < 2)],
  [
    'a causal window with an offset',
    () => ({ causal: true, window: 2, qOffset: 2 }),
    plainSizes,
    (_b, _h, i, j) => when(j <= i + 2 && i + 2 - j < 2),
  ],
  [
    'a mask',
    () => ({ mask: bool([3, 4], seen) }),
    plainSizes,
    (_b, _h, i, j) => when(seen[i * 4 + j] === 1),
  ],
  [
    'a mask for each row',
    () => ({ mask: bool([2, 1, 1, 4], [1, 1, 0, 0, 0, 1, 0, 1]) }),
    plainSizes,
    (b, _h, _i, j) => when(b === 0 ? j < 2 : j % 2 === 1),
  ],
  [
    'a bias',
    () => ({ bias: f64([2, 4, 3, 4], biases) }),
    plainSizes,
    (b, h, i, j) => biases[((b * 4 + h) * 3 + i) * 4 + j]!,
  ],
  [
    'a bias that broadcasts',
    () => ({ bias: f64([4, 1, 4], biases.slice(0, 16)) }),
    plainSizes,
    (_b, h, _i, j) => biases[h * 4 + j]!,
  ],
  [
    'segments',
    () => ({ segments: i32(...numbers).reshape(2, 3) }),
    square,
    (b, _h, i, j) => when(numbers[b * 3 + i] === numbers[b * 3 + j]),
  ],
  ['lengths', () => ({ lengths: i32(2, 4) }), plainSizes, (b, _h, _i, j) => when(j < [2, 4][b]!)],
  [
    'lengths, causal, with an offset that does not count',
    () => ({ lengths: i32(3, 4), causal: true, qOffset: 9 }),
    plainSizes,
    (b, _h, i, j) => when(j < [3, 4][b]! && j <= [3, 4][b]! - 3 + i),
  ],
  [
    'lengths with a window',
    () => ({ lengths: i32(3, 4), window: 1 }),
    plainSizes,
    (b, _h, i, j) => when(j < [3, 4][b]! && [3, 4][b]! - 3 + i - j < 1),
  ],
  [
    'everything at once',
    () => ({
      causal: true,
      window: 2,
      scale: 2,
      mask: bool([3, 3], [1, 1, 1, 0, 1, 1, 1, 0, 1]),
      bias: f64([3, 3], biases.slice(0, 9)),
      segments: i32(...numbers).reshape(2, 3),
      lengths: i32(3, 2),
    }),
    square,
    (b, _h, i, j) => {
      const length = [3, 2][b]!;
      const at = length - 3 + i;
      const here = j < length && j <= at && at - j < 2 && numbers[b * 3 + i] === numbers[b * 3 + j];
      return here && [1, 1, 1, 0, 1, 1, 1, 0, 1][i * 3 + j] === 1 ? biases[i * 3 + j]! : -Infinity;
    },
    2,
  ],
];
const cases = rows.map(
  ([name, options, z, score, scale]) => [name, options, z, score, scale ?? 1 / sqrt(z.d)] as const,
);

describe('attention with', () => {
  it.each(cases)('%s', (_, options, z, score, scale) => {
    const want = plain(z, score, scale).o;
    near(attention(...inputs(z), options()), [z.b, z.t, z.h, z.dv], want);
  });

  it.each(cases)('%s pulls back its slope to q, k and v', (_, options, z, score, scale) => {
    const ct = wave(z.b * z.t * z.h * z.dv, 5);
    const { pullback } = vjp((q, k, v) => attention(q!, k!, v!, options()), ...inputs(z));
    const grads = pullback(f64([z.b, z.t, z.h, z.dv], ct));
    const step = 1e-5;
    grads.forEach((g, which) => {
      const at = (move: number): number => {
        const data = [qOf(z), kOf(z), vOf(z)] as [number[], number[], number[]];
        data[which] = data[which]!.map((x, i) => x + move * Math.cos(i));
        return total(plain(z, score, scale, data).o.map((x, i) => x * ct[i]!));
      };
      const along = total([...g.dataSync()].map((x, i) => x * Math.cos(i)));
      expect(Math.abs(along - (at(step) - at(-step)) / (2 * step))).toBeLessThan(1e-8);
    });
  });
});

describe('attention', () => {
  it('has the defaults it names', () => {
    const ins = inputs(plainSizes);
    const want = attention(...ins).dataSync();
    const named = { causal: false, window: 0, scale: 1 / sqrt(3), qOffset: 1 };
    expect(attention(...ins, {}).dataSync()).toEqual(want);
    expect(attention(...ins, named).dataSync()).toEqual(want);
    const causal = attention(...ins, { causal: true }).dataSync();
    expect(attention(...ins, { ...named, causal: true }).dataSync()).toEqual(causal);
  });

  it('sees every key where each is near enough', () => {
    const ins = inputs(square);
    expect(attention(...ins, { window: 3 }).dataSync()).toEqual(attention(...ins).dataSync());
  });

  it('gives the logarithm of the total beside its result, -inf where nothing is seen', () => {
    const z = plainSizes;
    const has = { mask: true, bias: false, segments: false, lengths: false };
    const attrs = { causal: false, window: 0, scale: 1, qOffset: 0, has };
    const [, lse] = apply(attentionOp, [...inputs(z), bool([3, 4], seen)], attrs);
    const want = plain(z, (_b, _h, i, j) => when(seen[i * 4 + j] === 1), 1).lse;
    near(lse!, [2, 4, 3], want);
    expect(want[2]).toBe(-Infinity);
  });

  it('of width 0 weighs all keys alike', () => {
    const [q, k] = [f64([1, 1, 1, 0], []), f64([1, 2, 1, 0], [])];
    near(attention(q, k, f64([1, 2, 1, 1], [1, 3])), [1, 1, 1, 1], [2]);
  });

  it('keeps scores that exp cannot take', () => {
    const [q, k] = [f64([1, 1, 1, 1], [1]), f64([1, 2, 1, 1], [1000, 999])];
    const v = f64([1, 2, 1, 1], [1, 0]);
    near(attention(q, k, v), [1, 1, 1, 1], [1 / (1 + exp(-1))]);
    near(attention(q.mul(-1), k, v), [1, 1, 1, 1], [exp(-1) / (1 + exp(-1))]);
  });

  it('of no keys is 0 with a total of -inf, and so are its gradients', () => {
    const z = { ...plainSizes, s: 0 };
    const has = { mask: false, bias: false, segments: false, lengths: false };
    const attrs = { causal: true, window: 2, scale: 1, qOffset: 0, has };
    const ins = inputs(z);
    const [o, lse] = apply(attentionOp, ins, attrs);
    near(o!, [2, 3, 4, 2], new Array<number>(48).fill(0));
    near(lse!, [2, 4, 3], new Array<number>(24).fill(-Infinity));
    const { grads } = valueAndGrad(ins, () => attention(...ins, { causal: true }).sum());
    near(grads.get(ins[0]), [2, 3, 4, 3], new Array<number>(72).fill(0));
    expect([grads.get(ins[1]).size, grads.get(ins[2]).size]).toEqual([0, 0]);
  });

  it('pulls back to a bias what its scores take, added up where it broadcast', () => {
    const z = plainSizes;
    const data = biases.slice(0, 4);
    const ct = wave(48, 5);
    const of = (at: readonly number[]): number =>
      total(plain(z, (_b, h) => at[h]!, 1).o.map((x, i) => x * ct[i]!));
    const flat = vjp(
      (bias) => attention(...inputs(z), { bias: bias!, scale: 1 }),
      f64([4, 1, 1], data),
    ).pullback(f64([2, 3, 4, 2], ct));
    // a bias alike for all keys changes nothing
    expect(of(data)).toBeCloseTo(of([0, 0, 0, 0]), 12);
    near(flat[0]!, [4, 1, 1], [0, 0, 0, 0]);
    const keys = (at: readonly number[]): number =>
      total(plain(z, (_b, _h, _i, j) => at[j]!, 1).o.map((x, i) => x * ct[i]!));
    const mask = bool([1, 4], [1, 1, 1, 1]);
    const [g] = vjp(
      (bias) => attention(...inputs(z), { bias: bias!, mask, scale: 1 }),
      f64([4], data),
    ).pullback(f64([2, 3, 4, 2], ct));
    const slopes = range(4).map((j) => {
      const at = (by: number): number => keys(data.map((x, i) => (i === j ? x + by : x)));
      return (at(1e-5) - at(-1e-5)) / 2e-5;
    });
    near(g!, [4], slopes, 1e-8);
  });

  it('with one tensor as q, k and v adds up its gradients', () => {
    const z = { ...square, h: 2, hkv: 2, dv: 3 };
    const data = wave(36, 6);
    const x = f64([2, 3, 2, 3], data);
    const ct = wave(36, 7);
    const [own] = vjp((t) => attention(t!, t!, t!), x).pullback(f64(x.shape, ct));
    const apart = vjp((q, k, v) => attention(q!, k!, v!), x, x, x).pullback(f64(x.shape, ct));
    const sum = tidy(() => apart[0]!.add(apart[1]!).add(apart[2]!));
    near(own!, [z.b, z.t, z.h, z.d], [...sum.dataSync()]);
  });
});
