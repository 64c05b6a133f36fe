/** Slices, padding and joins. */
import { apply1 } from '../apply';
import { type Shape, showAval, sizeOf } from '../dtype';
import { ShapeError, ValueError } from '../errors';
import type { Op } from '../op';
import { normalizeAxes, normalizeAxis, sameDType, wantInteger } from '../shape-rules';
import type { Tensor } from '../tensor';
import { broadcastTo, reshape, squeeze, unsqueeze } from './linear';
import { tidy } from '../scope';

export const sliceOp: Op<'slice'> = {
  name: 'slice',
  infer([x], { starts, sizes, steps }) {
    const { shape, dtype } = x!;
    shape.forEach((d, i) => {
      const [start, size, step] = [starts[i]!, sizes[i]!, steps[i]!];
      if (step === 0) throw new ValueError('slice', `step of axis ${i} is 0: use another`);
      const last = start + (size - 1) * step;
      if (size < 0 || (size > 0 && (start < 0 || start >= d || last < 0 || last >= d))) {
        throw new ShapeError(
          'slice',
          `${size} elements of axis ${i} from ${start} by ${step} leave ${showAval(x!)}`,
          [shape],
        );
      }
    });
    return [{ shape: [...sizes], dtype }];
  },
  saveIns: 'none',
  vjp: ({ ins, cts, attrs }) => [sliceAdjoint(cts[0]!, ins[0]!.shape, attrs)],
  // a leading run of a contiguous tensor is a view
  viewOffset([x], { starts, sizes, steps }) {
    const { shape } = x!;
    const axis = shape.findIndex((d, i) => sizes[i] !== d || steps[i] !== 1);
    if (axis < 0) return 0;
    const whole = shape.every((d, i) => i <= axis || (sizes[i] === d && steps[i] === 1));
    const single = shape.every((_, i) => i >= axis || shape[i] === 1);
    if (!whole || !single || (steps[axis] !== 1 && sizes[axis]! > 1)) return null;
    return sizes[axis] === 0 ? 0 : starts[axis]! * sizeOf(shape.slice(axis + 1));
  },
};

/** Puts a slice back among zeros: flip, spread by the step, pad. */
function sliceAdjoint(
  ct: Tensor,
  shape: Shape,
  { starts, steps }: { readonly starts: readonly number[]; readonly steps: readonly number[] },
): Tensor {
  const backwards = steps.flatMap((s, i) => (s < 0 ? [i] : []));
  let y = backwards.length > 0 ? flip(ct, backwards) : ct;
  const firsts = steps.map((s, i) => (s < 0 ? starts[i]! + (ct.shape[i]! - 1) * s : starts[i]!));
  steps.forEach((step, axis) => {
    if (Math.abs(step) > 1) y = spread(y, axis, Math.abs(step));
  });
  return pad(
    y,
    shape.map((d, i): readonly [number, number] => {
      const before = ct.shape[i] === 0 ? 0 : firsts[i]!;
      return [before, d - before - y.shape[i]!];
    }),
  );
}

/** Zeros between the elements of an axis: n elements become (n - 1) step + 1. */
function spread(x: Tensor, axis: number, step: number): Tensor {
  const n = x.shape[axis]!;
  if (n <= 1) return x;
  const after = [...x.shape.slice(0, axis + 1), 1, ...x.shape.slice(axis + 1)];
  const padded = pad(
    reshape(x, after),
    after.map((_, i): readonly [number, number] => [0, i === axis + 1 ? step - 1 : 0]),
  );
  const joined = reshape(padded, [...x.shape.slice(0, axis), n * step, ...x.shape.slice(axis + 1)]);
  return narrow(joined, axis, 0, (n - 1) * step + 1);
}

export const padOp: Op<'pad'> = {
  name: 'pad',
  infer([x], { before, after }) {
    const { shape, dtype } = x!;
    if (before.length !== shape.length || after.length !== shape.length) {
      throw new ShapeError(
        'pad',
        `${before.length} pads for ${showAval(x!)}: give one pair an axis`,
        [shape],
      );
    }
    return [
      {
        shape: shape.map((d, i) => {
          const [b, a] = [before[i]!, after[i]!];
          if (!Number.isInteger(b) || !Number.isInteger(a) || b < 0 || a < 0) {
            throw new ShapeError('pad', `pad [${b}, ${a}] of axis ${i}: use integers from 0`, [
              shape,
            ]);
          }
          return d + b + a;
        }),
        dtype,
      },
    ];
  },
  saveIns: 'none',
  vjp: ({ ins, cts, attrs }) => [slice(cts[0]!, attrs.before, ins[0]!.shape)],
};

export const concatOp: Op<'concat'> = {
  name: 'concat',
  infer(ins, { axis }) {
    const first = ins[0];
    if (first === undefined) throw new ShapeError('concat', 'no tensors: give at least one');
    const dtype = sameDType('concat', ins);
    for (const x of ins) {
      if (
        x.shape.length !== first.shape.length ||
        x.shape.some((d, i) => i !== axis && d !== first.shape[i])
      ) {
        throw new ShapeError(
          'concat',
          `shapes differ off axis ${axis}: ${ins.map(showAval).join(', ')}`,
          ins.map((t) => t.shape),
        );
      }
    }
    const total = ins.reduce((n, x) => n + x.shape[axis]!, 0);
    return [{ shape: first.shape.map((d, i) => (i === axis ? total : d)), dtype }];
  },
  saveIns: 'none',
  vjp: ({ ins, cts, needs, attrs }) => {
    let at = 0;
    return ins.map((x, i) => {
      const start = at;
      at += x.shape[attrs.axis]!;
      return needs[i] ? narrow(cts[0]!, attrs.axis, start, x.shape[attrs.axis]!) : null;
    });
  },
};

export const flipOp: Op<'flip'> = {
  name: 'flip',
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  saveIns: 'none',
  vjp: ({ cts, attrs }) => [flip(cts[0]!, attrs.axes)],
};

/** `sizes[i]` elements of each axis from `starts[i]`, by `steps[i]` (1). @throws ShapeError when they leave the tensor */
export function slice(
  x: Tensor,
  starts: readonly number[],
  sizes: readonly number[],
  steps: readonly number[] = starts.map(() => 1),
): Tensor {
  for (const list of [starts, sizes, steps]) {
    if (list.length !== x.rank || !list.every(Number.isInteger)) {
      throw new ShapeError('slice', `[${list}] for ${showAval(x)}: give one integer an axis`, [
        x.shape,
      ]);
    }
  }
  return apply1(sliceOp, [x], { starts, sizes, steps });
}

/** `size` elements of one axis from `start`, by `step`. @throws ShapeError */
export function narrow(x: Tensor, axis: number, start: number, size: number, step = 1): Tensor {
  const a = normalizeAxis('narrow', axis, x.shape);
  return slice(
    x,
    x.shape.map((_, i) => (i === a ? start : 0)),
    x.shape.map((d, i) => (i === a ? size : d)),
    x.shape.map((_, i) => (i === a ? step : 1)),
  );
}

/** One index of an axis, which goes away; negative counts from the end. @throws ShapeError */
export function select(x: Tensor, axis: number, index: number): Tensor {
  return tidy(() => {
    const a = normalizeAxis('select', axis, x.shape);
    const d = x.shape[a]!;
    if (!Number.isInteger(index) || index < -d || index >= d) {
      throw new ShapeError(
        'select',
        `index ${index} is out of range for axis ${a} of ${showAval(x)}`,
        [x.shape],
      );
    }
    return squeeze(narrow(x, a, index < 0 ? index + d : index, 1), a);
  });
}

/** Adds `[before, after]` elements of `value` to each axis. @throws ShapeError for negative pads */
export function pad(x: Tensor, pads: readonly (readonly [number, number])[], value = 0): Tensor {
  if (pads.length === x.rank && pads.every(([b, a]) => b === 0 && a === 0)) return x;
  return apply1(padOp, [x], {
    before: pads.map((p) => p[0]),
    after: pads.map((p) => p[1]),
    value,
  });
}

/** Joins tensors along an axis. @throws ShapeError, DTypeError */
export function concat(xs: readonly Tensor[], axis = 0): Tensor {
  const first = xs[0];
  if (first === undefined) throw new ShapeError('concat', 'no tensors: give at least one');
  return apply1(concatOp, xs, { axis: normalizeAxis('concat', axis, first.shape) });
}

/** Joins tensors of one shape along a new axis. @throws ShapeError, DTypeError */
export function stack(xs: readonly Tensor[], axis = 0): Tensor {
  return tidy(() => {
    if (xs.length === 0) throw new ShapeError('stack', 'no tensors: give at least one');
    for (const x of xs) {
      if (x.rank !== xs[0]!.rank || x.shape.some((d, i) => d !== xs[0]!.shape[i])) {
        throw new ShapeError(
          'stack',
          `shapes differ: ${xs.map(showAval).join(', ')}`,
          xs.map((t) => t.shape),
        );
      }
    }
    return concat(
      xs.map((x) => unsqueeze(x, axis)),
      axis,
    );
  });
}

/** Pieces of the given sizes along an axis; a number gives equal pieces, the last one smaller. @throws ShapeError when sizes do not add up, ValueError for a size below 1 */
export function split(x: Tensor, sizes: number | readonly number[], axis = 0): Tensor[] {
  const a = normalizeAxis('split', axis, x.shape);
  const d = x.shape[a]!;
  if (typeof sizes === 'number') wantInteger('split', 'the size', sizes, 1);
  const list =
    typeof sizes === 'number'
      ? Array.from({ length: Math.ceil(d / sizes) }, (_, i) => Math.min(sizes, d - i * sizes))
      : sizes;
  if (!list.every((s) => Number.isInteger(s) && s >= 0) || list.reduce((n, s) => n + s, 0) !== d) {
    throw new ShapeError('split', `sizes [${list}] do not add up to axis ${a} of ${showAval(x)}`, [
      x.shape,
    ]);
  }
  let at = 0;
  return list.map((size) => {
    const start = at;
    at += size;
    return narrow(x, a, start, size);
  });
}

/** Reverses axes. @throws ShapeError */
export function flip(x: Tensor, axes: number | readonly number[]): Tensor {
  return apply1(flipOp, [x], { axes: normalizeAxes('flip', axes, x.shape) });
}

/** Shifts an axis round by `shift`. @throws ShapeError */
export function roll(x: Tensor, shift: number, axis: number): Tensor {
  return tidy(() => {
    const a = normalizeAxis('roll', axis, x.shape);
    const d = x.shape[a]!;
    wantInteger('roll', 'shift', shift, -(2 ** 31));
    const by = d === 0 ? 0 : ((shift % d) + d) % d;
    if (by === 0) return x;
    return concat([narrow(x, a, d - by, by), narrow(x, a, 0, d - by)], a);
  });
}

/** Repeats the whole tensor `repeats[i]` times along axis i; missing leading axes are added. @throws ValueError */
export function tile(x: Tensor, repeats: readonly number[]): Tensor {
  return tidy(() => {
    for (const n of repeats) wantInteger('tile', 'repeats', n, 0);
    const rank = Math.max(x.rank, repeats.length);
    const shape = [...new Array<number>(rank - x.rank).fill(1), ...x.shape];
    const times = [...new Array<number>(rank - repeats.length).fill(1), ...repeats];
    const wide = broadcastTo(
      reshape(
        x,
        shape.flatMap((d) => [1, d]),
      ),
      shape.flatMap((d, i) => [times[i]!, d]),
    );
    return reshape(
      wide,
      shape.map((d, i) => d * times[i]!),
    );
  });
}

/** Repeats each element of an axis `repeats` times. @throws ShapeError, ValueError */
export function repeatInterleave(x: Tensor, repeats: number, axis: number): Tensor {
  return tidy(() => {
    const a = normalizeAxis('repeatInterleave', axis, x.shape);
    wantInteger('repeatInterleave', 'repeats', repeats, 0);
    const wide = unsqueeze(x, a + 1);
    const shape = wide.shape.map((d, i) => (i === a + 1 ? repeats : d));
    return reshape(
      broadcastTo(wide, shape),
      x.shape.map((d, i) => (i === a ? d * repeats : d)),
    );
  });
}
