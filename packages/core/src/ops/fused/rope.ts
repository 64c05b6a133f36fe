/** Rotary position embedding (Su et al. 2021). */
import { apply1 } from '../../apply';
import type { FusedAttrs } from '../../attrs';
import { showAval } from '../../dtype';
import { ShapeError } from '../../errors';
import type { Op } from '../../op';
import { wantDType, wantFloat, wantInteger, wantRank } from '../../shape-rules';
import type { Tensor } from '../../tensor';
import { add, mul, neg, sub } from '../arithmetic';
import { fromHost } from '../../from-host';
import { cast, reshape, unsqueeze } from '../linear';
import { concat, narrow, stack } from '../shape';
import { cos, sin } from '../unary';

export const ropeOp: Op<'rope'> = {
  name: 'rope',
  infer([x, positions], { rotaryDim }) {
    wantFloat('rope', x!);
    wantRank('rope', 'the input', x!, 4);
    wantDType('rope', 'positions', positions!, 'i32');
    const [b, t, , d] = x!.shape as [number, number, number, number];
    const p = positions!.shape;
    const fits = (p.length === 1 && p[0] === t) || (p.length === 2 && p[0] === b && p[1] === t);
    if (!fits) {
      throw new ShapeError(
        'rope',
        `positions are ${showAval(positions!)} for ${showAval(x!)}: use [t] or [b, t]`,
        [x!.shape, p],
      );
    }
    wantInteger('rope', 'rotaryDim', rotaryDim, 0, d);
    if (rotaryDim % 2 !== 0)
      throw new ShapeError('rope', `rotaryDim ${rotaryDim} is odd: pairs turn`, [x!.shape]);
    return [{ shape: x!.shape, dtype: x!.dtype }];
  },
  saveIns: [1],
  decompose: ([x, positions], attrs) => [rotate(x!, positions!, attrs)],
  // a rotation's adjoint turns back
  vjp: ({ ins, cts, attrs }) => [
    apply1(ropeOp, [cts[0]!, ins[1]!], { ...attrs, inverse: !attrs.inverse }),
    null,
  ],
};

function rotate(x: Tensor, positions: Tensor, a: FusedAttrs['rope']): Tensor {
  const half = a.rotaryDim / 2;
  if (half === 0) return x;
  const [b, t, h, d] = x.shape as [number, number, number, number];
  const frequencies = Float64Array.from({ length: half }, (_, k) => a.theta ** (-k / half));
  const speed = fromHost(x.backend, frequencies, [half], x.dtype);
  const angle = mul(unsqueeze(cast(positions, x.dtype), positions.rank), speed); // [(b,) t, half]
  const wide = reshape(angle, [...positions.shape, 1, half]);
  const c = cos(wide);
  const s = a.inverse ? neg(sin(wide)) : sin(wide);
  const turning = narrow(x, 3, 0, a.rotaryDim);
  const pairs = a.interleaved ? reshape(turning, [b, t, h, half, 2]) : null;
  const x1 = pairs ? reshape(narrow(pairs, 4, 0, 1), [b, t, h, half]) : narrow(turning, 3, 0, half);
  const x2 = pairs
    ? reshape(narrow(pairs, 4, 1, 1), [b, t, h, half])
    : narrow(turning, 3, half, half);
  const y1 = sub(mul(x1, c), mul(x2, s));
  const y2 = add(mul(x2, c), mul(x1, s));
  const turned = a.interleaved
    ? reshape(stack([y1, y2], 4), [b, t, h, a.rotaryDim])
    : concat([y1, y2], 3);
  return a.rotaryDim === d
    ? turned
    : concat([turned, narrow(x, 3, a.rotaryDim, d - a.rotaryDim)], 3);
}

/** Options of `rope`. */
export interface RopeOptions {
  /** Base of the frequencies (10000). */
  readonly theta?: number;
  /** Leading features that turn; default all. */
  readonly rotaryDim?: number;
  /** Pairs (2k, 2k+1) as in Meta's Llama, instead of (k, k + rotaryDim/2) as in Hugging Face. */
  readonly interleaved?: boolean;
}

/** Turns pairs of features of `x [b, t, h, d]` by `positions` (`i32[t]` or `[b, t]`). @throws ShapeError, DTypeError, ValueError */
export function rope(x: Tensor, positions: Tensor, options: RopeOptions = {}): Tensor {
  return apply1(ropeOp, [x, positions], {
    theta: options.theta ?? 10000,
    rotaryDim: options.rotaryDim ?? x.shape.at(-1) ?? 0,
    interleaved: options.interleaved ?? false,
    inverse: false,
  });
}
