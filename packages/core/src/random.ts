/**
 * Random numbers from explicit keys: Threefry-2x32 with 20 rounds (Salmon et al. 2011). The same key gives the same
 * bits on every backend, whatever the number of threads.
 */
import { apply1 } from './apply';
import { sizeOf, type FloatDType, type Shape } from './dtype';
import { ValueError } from './errors';
import type { Op } from './op';
import { tensor } from './create-tensor';
import { add, log, mul, neg, remainder } from './ops/arithmetic';
import { argmax, argsort } from './ops/reduce';
import { cast, reshape } from './ops/linear';
import { lt, type Operand } from './ops/select';
import { select } from './ops/shape';
import { cos, erf, sqrt } from './ops/unary';
import { checkShape, wantDType, wantFinite, wantInteger, wantShape } from './shape-rules';
import { tidy } from './scope';
import type { Tensor } from './tensor';
import { threefry2x32 } from './threefry';

export const randomBitsOp: Op<'randomBits'> = {
  name: 'randomBits',
  infer([key], { shape, stream }) {
    wantDType('randomBits', 'the key', key!, 'i32');
    wantShape('randomBits', 'the key', key!, [2]);
    checkShape('randomBits', shape);
    wantInteger('randomBits', 'stream', stream, 0);
    return [{ shape, dtype: 'i32' }];
  },
  vjp: null,
};

/** Streams keep the words of one key apart: values, and the keys derived from it. */
const VALUES = 0;
const DERIVED = 1;

/** 64 bits that name a stream of random numbers. Derive a key for each use; never use one twice. */
export class Key {
  /** The two 32-bit words. */
  readonly words: readonly [number, number];

  constructor(words: readonly [number, number]) {
    this.words = [words[0] >>> 0, words[1] >>> 0];
  }

  /** The key of index `data`, for loops: `key.fold(step)`. @throws ValueError unless it is an integer from 0 to 2^32 - 1 */
  fold(data: number): Key {
    wantInteger('fold', 'index', data, 0, 0xffffffff);
    return new Key(threefry2x32(this.words[0], this.words[1], data, DERIVED));
  }

  /** n independent keys. */
  split(n = 2): Key[] {
    return Array.from({ length: n }, (_, i) => this.fold(i));
  }

  /** The key as `i32[2]`, as captured functions take it. */
  tensor(): Tensor {
    return tensor(Int32Array.of(this.words[0] | 0, this.words[1] | 0));
  }
}

/** A key from a seed. @throws ValueError unless it is a safe integer from 0 */
export function key(seed: number): Key {
  wantInteger('key', 'seed', seed, 0, Number.MAX_SAFE_INTEGER);
  return new Key([Math.floor(seed / 2 ** 32), seed >>> 0]);
}

/** A key: a host value, or an `i32[2]` tensor inside captured functions. */
export type KeyLike = Key | Tensor;

/** n keys `i32[2]` of a key tensor, as `Key.split` derives them. */
export function splitTensor(k: Tensor, n: number): Tensor[] {
  return tidy(() => {
    const words = apply1(randomBitsOp, [k], { shape: [n, 2], stream: DERIVED });
    return Array.from({ length: n }, (_, i) => select(words, 0, i));
  });
}

/** Random 32-bit words. @throws ShapeError */
export function randomBits(k: KeyLike, shape: Shape): Tensor {
  return tidy(() =>
    apply1(randomBitsOp, [k instanceof Key ? k.tensor() : k], {
      shape: [...shape],
      stream: VALUES,
    }),
  );
}

/** Options of draws from continuous distributions. */
export interface FloatOptions {
  /** Default f32. */
  readonly dtype?: FloatDType;
}

/** The low 24 bits of a word as a multiple of 2^-24 in [0, 1): exact in f32, the same in f64. */
function unit(k: KeyLike, shape: Shape, dtype: FloatDType): Tensor {
  return mul(cast(remainder(randomBits(k, shape), 2 ** 24), dtype), 2 ** -24);
}

/** Uniform in [low, high). @throws ShapeError, ValueError for bounds that are not finite or in no order */
export function uniform(
  k: KeyLike,
  shape: Shape,
  options: FloatOptions & { readonly low?: number; readonly high?: number } = {},
): Tensor {
  const { low = 0, high = 1, dtype = 'f32' } = options;
  wantFinite('uniform', 'high', high);
  wantFinite('uniform', 'low', low, -Infinity, high);
  return tidy(() => {
    const u = unit(k, shape, dtype);
    return low === 0 && high === 1 ? u : add(mul(u, high - low), low);
  });
}

/** Normal with `mean` (0) and `std` (1), by Box and Muller. @throws ShapeError, ValueError for what is not finite, and a negative std */
export function normal(
  k: KeyLike,
  shape: Shape,
  options: FloatOptions & { readonly mean?: number; readonly std?: number } = {},
): Tensor {
  const { mean = 0, std = 1, dtype = 'f32' } = options;
  checkShape('normal', shape);
  wantFinite('normal', 'mean', mean);
  wantFinite('normal', 'std', std, 0);
  return tidy(() => {
    const u = unit(k, [2, sizeOf(shape)], dtype);
    // 1 - u lies in (0, 1]: the logarithm is finite
    const radius = sqrt(mul(log(add(neg(select(u, 0, 0)), 1)), -2));
    const z = mul(radius, cos(mul(select(u, 0, 1), 2 * Math.PI)));
    return reshape(add(mul(z, std), mean), shape);
  });
}

/** Normal values conditioned on [low, high], in units of the result, by inverting the distribution. @throws ValueError */
export function truncatedNormal(
  k: KeyLike,
  shape: Shape,
  options: FloatOptions & {
    readonly mean?: number;
    readonly std?: number;
    readonly low?: number;
    readonly high?: number;
  } = {},
): Tensor {
  const { mean = 0, std = 1, dtype = 'f32' } = options;
  const { low = mean - 2 * std, high = mean + 2 * std } = options;
  wantFinite('truncatedNormal', 'mean', mean);
  wantFinite('truncatedNormal', 'std', std, Number.MIN_VALUE);
  if (!(low < high)) {
    throw new ValueError('truncatedNormal', `low ${low} is not below high ${high}`);
  }
  return tidy(() => truncatedByBisection(unit(k, shape, dtype), mean, std, low, high));
}

/** Solves Φ(z) = Φ(a) + u (Φ(b) − Φ(a)) by bisection: 40 halvings reach the last bit of f32. */
function truncatedByBisection(
  u: Tensor,
  mean: number,
  std: number,
  low: number,
  high: number,
): Tensor {
  const cdf = (z: Tensor): Tensor => mul(add(erf(mul(z, Math.SQRT1_2)), 1), 0.5);
  const edge = (x: number): Tensor => add(mul(u, 0), (x - mean) / std);
  let a = edge(low);
  let b = edge(high);
  const [ca, cb] = [cdf(a), cdf(b)];
  const target = add(ca, mul(u, add(cb, neg(ca))));
  for (let i = 0; i < 40; i++) {
    const middle = mul(add(a, b), 0.5);
    const below = cast(lt(cdf(middle), target), u.dtype);
    const above = add(neg(below), 1);
    a = add(mul(below, middle), mul(above, a));
    b = add(mul(above, middle), mul(below, b));
  }
  return add(mul(mul(add(a, b), 0.5), std), mean);
}

/** True with probability p. @throws ValueError for a number outside [0, 1] */
export function bernoulli(k: KeyLike, p: Operand, shape: Shape): Tensor {
  if (typeof p === 'number') wantFinite('bernoulli', 'probability', p, 0, 1);
  return tidy(() => lt(unit(k, shape, typeof p === 'number' ? 'f32' : (p.dtype as FloatDType)), p));
}

/** Standard Gumbel noise: -log(-log u). */
export function gumbel(k: KeyLike, shape: Shape, options: FloatOptions = {}): Tensor {
  return tidy(() => {
    // the midpoints of the 2^-24 grid: no 0 and no 1
    const u = add(mul(unit(k, shape, options.dtype ?? 'f32'), 1 - 2 ** -23), 2 ** -25);
    return neg(log(neg(log(u))));
  });
}

/** A draw from each row of unnormalised log-probabilities `[..., v]`: `i32[...]`, by the Gumbel maximum. */
export function categorical(k: KeyLike, logits: Tensor): Tensor {
  return tidy(() =>
    argmax(add(logits, gumbel(k, logits.shape, { dtype: logits.dtype as FloatDType })), -1),
  );
}

/** The integers from 0 to n - 1 in random order, `i32[n]`. */
export function permutation(k: KeyLike, n: number): Tensor {
  return tidy(() => argsort(randomBits(k, [n])));
}

/** Host-side random numbers for shuffling, resumable from their counter. */
export interface HostRandom {
  /** Words drawn so far; pass it back to go on from here. */
  readonly counter: number;
  /** In [0, 1), 32 bits. */
  uniform(): number;
  /** From 0 to n - 1. @throws ValueError unless n is a positive integer */
  int(n: number): number;
}

/** A host-side generator: word i is the first of Threefry(seed, i). */
export function hostRandom(seed: number, counter = 0): HostRandom {
  const [k0, k1] = key(seed).words;
  let at = counter;
  const uniform = (): number => {
    const [word] = threefry2x32(k0, k1, at >>> 0, (Math.floor(at / 2 ** 32) + 2) >>> 0);
    at++;
    return word / 2 ** 32;
  };
  return {
    get counter() {
      return at;
    },
    uniform,
    int(n) {
      wantInteger('hostRandom.int', 'n', n, 1, 2 ** 32);
      return Math.floor(uniform() * n);
    },
  };
}
