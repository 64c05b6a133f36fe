/** Fourier transforms, long convolutions and linear recurrences. */
import { apply, apply1 } from '../apply';
import { showAval } from '../dtype';
import { ShapeError } from '../errors';
import type { Op } from '../op';
import { broadcast, sameDType, wantFloat, wantShape } from '../shape-rules';
import type { Tensor } from '../tensor';
import { div, mul, neg } from './arithmetic';
import { full } from './create';
import { sumTo } from './linear';
import { concat, flip, narrow, pad } from './shape';
import { tidy } from '../scope';

export const fftOp: Op<'fft'> = {
  name: 'fft',
  infer([re, im]) {
    wantFloat('fft', re!, im!);
    sameDType('fft', [re!, im!]);
    wantShape('fft', 'the imaginary part', im!, re!.shape);
    if (re!.shape.length === 0 || re!.shape.at(-1) === 0) {
      throw new ShapeError('fft', `${showAval(re!)} has nothing to transform`, [re!.shape]);
    }
    return [re!, im!].map((x) => ({ shape: x.shape, dtype: x.dtype }));
  },
  saveIns: 'none',
  // The transform F is symmetric: for real cotangents (u, v) of (re, im) the adjoint is conj(F), which is n times
  // the inverse, or 1/n times the forward transform.
  vjp: ({ ins, cts, attrs }) => {
    const n = ins[0]!.shape.at(-1)!;
    const like = cts[0] ?? cts[1]!;
    const none = full(like.shape, 0, { dtype: like.dtype });
    const [re, im] = fft(cts[0] ?? none, cts[1] ?? none, { inverse: !attrs.inverse });
    return attrs.inverse ? [div(re, n), div(im, n)] : [mul(re, n), mul(im, n)];
  },
};

export const longConvOp: Op<'longConv'> = {
  name: 'longConv',
  infer([u, k]) {
    wantFloat('longConv', u!, k!);
    const dtype = sameDType('longConv', [u!, k!]);
    if (u!.shape.length === 0 || u!.shape.at(-1) !== k!.shape.at(-1)) {
      throw new ShapeError(
        'longConv',
        `${showAval(u!)} and filter ${showAval(k!)} differ in length`,
        [u!.shape, k!.shape],
      );
    }
    return [{ shape: broadcast('longConv', u!, k!), dtype }];
  },
  // y = u * k: du and dk are correlations, that is convolutions with time reversed
  vjp: ({ ins, cts, needs }) => {
    const [u, k] = [ins[0]!, ins[1]!];
    const back = flip(cts[0]!, -1);
    return [
      needs[0] ? sumTo(flip(longConv(back, k), -1), u.shape) : null,
      needs[1] ? sumTo(flip(longConv(back, u), -1), k.shape) : null,
    ];
  },
};

export const linearRecurrenceOp: Op<'linearRecurrence'> = {
  name: 'linearRecurrence',
  infer([a, b]) {
    wantFloat('linearRecurrence', a!, b!);
    const dtype = sameDType('linearRecurrence', [a!, b!]);
    wantShape('linearRecurrence', 'b', b!, a!.shape);
    if (a!.shape.length < 2) {
      throw new ShapeError('linearRecurrence', `${showAval(a!)} needs axes [..., time, state]`, [
        a!.shape,
      ]);
    }
    return [{ shape: a!.shape, dtype }];
  },
  saveIns: [0],
  saveOuts: 'all',
  // g_t = dh_t + a_{t+1} g_{t+1}; db = g, da_t = g_t h_{t-1}
  vjp: ({ ins, outs, cts, needs, attrs: { reverse } }) => {
    const g = linearRecurrence(shift(ins[0]!, !reverse), cts[0]!, { reverse: !reverse });
    return [needs[0] ? mul(g, shift(outs[0]!, reverse)) : null, g];
  },
};

/** Moves axis -2 on by one (back when `ahead`), a zero entering: out_t = x_{t-1}. */
function shift(x: Tensor, ahead: boolean): Tensor {
  const n = x.shape.at(-2)!;
  if (n === 0) return x;
  const kept = narrow(x, -2, ahead ? 1 : 0, n - 1);
  return pad(
    kept,
    x.shape.map((_, i): readonly [number, number] =>
      i === x.rank - 2 ? (ahead ? [0, 1] : [1, 0]) : [0, 0],
    ),
  );
}

/**
 * Discrete Fourier transform of the last axis, of any length; the inverse divides by n.
 * @throws ShapeError, DTypeError
 */
export function fft(
  re: Tensor,
  im: Tensor,
  options: { readonly inverse?: boolean } = {},
): readonly [re: Tensor, im: Tensor] {
  const [r, i] = apply(fftOp, [re, im], { inverse: options.inverse ?? false });
  return [r!, i!];
}

/** Transform of real values: the first `floor(n/2) + 1` frequencies. @throws ShapeError */
export function rfft(x: Tensor): readonly [re: Tensor, im: Tensor] {
  return tidy(() => {
    const half = Math.floor(x.shape.at(-1)! / 2) + 1;
    const [re, im] = fft(x, full(x.shape, 0, { dtype: x.dtype }));
    return [narrow(re, -1, 0, half), narrow(im, -1, 0, half)];
  });
}

/**
 * Real values of length n from `floor(n/2) + 1` frequencies; the imaginary parts of the first and, for even n, of the
 * last do not count.
 * @throws ShapeError
 */
export function irfft(re: Tensor, im: Tensor, n: number): Tensor {
  return tidy(() => {
    const half = Math.floor(n / 2) + 1;
    if (re.shape.at(-1) !== half) {
      throw new ShapeError(
        'irfft',
        `${showAval(re)} is not the half spectrum of ${n} values: that has ${half}`,
        [re.shape],
      );
    }
    const mirrored = n - half;
    const edge = narrow(im, -1, 0, 1);
    const zero = mul(edge, 0);
    const inner = narrow(im, -1, 1, mirrored);
    const nyquist = half - 1 - mirrored > 0 ? [zero] : [];
    const fullRe = concat([re, flip(narrow(re, -1, 1, mirrored), -1)], -1);
    const fullIm = concat([zero, inner, ...nyquist, neg(flip(inner, -1))], -1);
    return fft(fullRe, fullIm, { inverse: true })[0];
  });
}

/** Causal convolution `y_t = Σ_{s≤t} k_s u_{t-s}` along the last axis, by FFT (Hyena, §3). @throws ShapeError */
export function longConv(u: Tensor, k: Tensor): Tensor {
  return apply1(longConvOp, [u, k], {});
}

/** `h_t = a_t h_{t-1} + b_t` along axis -2 of `[..., t, n]`, from h = 0. @throws ShapeError */
export function linearRecurrence(
  a: Tensor,
  b: Tensor,
  options: { readonly reverse?: boolean } = {},
): Tensor {
  return apply1(linearRecurrenceOp, [a, b], { reverse: options.reverse ?? false });
}
