/** Reading and writing by index. Indices are checked against their range by the kernels, which see their values. */
import { apply, apply1 } from '../apply';
import { showAval } from '../dtype';
import { ShapeError } from '../errors';
import type { Op } from '../op';
import {
  normalizeAxis,
  sameDType,
  wantDType,
  wantInteger,
  wantRank,
  wantShape,
} from '../shape-rules';
import type { Tensor } from '../tensor';
import { full, iota } from './create';
import { add } from './arithmetic';
import { permute, reshape } from './linear';
import { pad } from './shape';
import { tidy } from '../scope';

export const gatherOp: Op<'gather'> = {
  name: 'gather',
  infer([x, index], { axis }) {
    wantDType('gather', 'the index', index!, 'i32');
    wantRank('gather', 'the index', index!, x!.shape.length);
    index!.shape.forEach((d, i) => {
      if (i !== axis && d > x!.shape[i]!) {
        throw new ShapeError(
          'gather',
          `index ${showAval(index!)} is larger than ${showAval(x!)} off axis ${axis}`,
          [x!.shape, index!.shape],
        );
      }
    });
    return [{ shape: index!.shape, dtype: x!.dtype }];
  },
  saveIns: [1],
  vjp: ({ ins, cts, attrs }) => {
    const ct = cts[0]!;
    return [scatterAdd(full(ins[0]!.shape, 0, { dtype: ct.dtype }), ins[1]!, ct, attrs.axis), null];
  },
};

export const scatterAddOp: Op<'scatterAdd'> = {
  name: 'scatterAdd',
  infer([x, index, src], { axis }) {
    wantDType('scatterAdd', 'the index', index!, 'i32');
    sameDType('scatterAdd', [x!, src!]);
    wantRank('scatterAdd', 'the index', index!, x!.shape.length);
    wantRank('scatterAdd', 'the source', src!, x!.shape.length);
    index!.shape.forEach((d, i) => {
      if (d > src!.shape[i]! || (i !== axis && d > x!.shape[i]!)) {
        throw new ShapeError(
          'scatterAdd',
          `index ${showAval(index!)} is larger than source ${showAval(src!)} or ${showAval(x!)} off axis ${axis}`,
          [x!.shape, index!.shape, src!.shape],
        );
      }
    });
    return [{ shape: x!.shape, dtype: x!.dtype }];
  },
  saveIns: [1],
  vjp: ({ ins, cts, needs, attrs }) => {
    const [ct, index, src] = [cts[0]!, ins[1]!, ins[2]!];
    if (!needs[2]) return [ct, null, null];
    const read = gather(ct, index, attrs.axis);
    // entries of src that no index names have gradient 0
    const covered = index.shape.every((d, i) => d === src.shape[i]);
    const dsrc = covered
      ? read
      : pad(
          read,
          src.shape.map((d, i): readonly [number, number] => [0, d - index.shape[i]!]),
        );
    return [ct, null, dsrc];
  },
};

export const embeddingOp: Op<'embedding'> = {
  name: 'embedding',
  infer([table, ids]) {
    wantDType('embedding', 'ids', ids!, 'i32');
    if (table!.shape.length === 0) {
      throw new ShapeError('embedding', `the table is ${showAval(table!)}: it needs a row axis`, [
        table!.shape,
      ]);
    }
    return [{ shape: [...ids!.shape, ...table!.shape.slice(1)], dtype: table!.dtype }];
  },
  saveIns: [1],
  vjp: ({ ins, cts }) => [embeddingGrad(ins[1]!, cts[0]!, ins[0]!.shape[0]!), null],
};

export const embeddingGradOp: Op<'embeddingGrad'> = {
  name: 'embeddingGrad',
  infer([ids, dy], { rows }) {
    wantDType('embeddingGrad', 'ids', ids!, 'i32');
    wantInteger('embeddingGrad', 'rows', rows, 0);
    const lead = ids!.shape.length;
    wantShape(
      'embeddingGrad',
      'the leading part',
      { shape: dy!.shape.slice(0, lead), dtype: dy!.dtype },
      ids!.shape,
    );
    return [{ shape: [rows, ...dy!.shape.slice(lead)], dtype: dy!.dtype }];
  },
  saveIns: [0],
  vjp: ({ ins, cts }) => [null, embedding(cts[0]!, ins[0]!)],
};

export const updateSliceOp: Op<'updateSlice'> = {
  name: 'updateSlice',
  infer([x, update, start], { axis }) {
    sameDType('updateSlice', [x!, update!]);
    wantDType('updateSlice', 'start', start!, 'i32');
    wantShape('updateSlice', 'start', start!, []);
    wantRank('updateSlice', 'the update', update!, x!.shape.length);
    x!.shape.forEach((d, i) => {
      const u = update!.shape[i]!;
      if (i === axis ? u > d : u !== d) {
        throw new ShapeError(
          'updateSlice',
          `${showAval(update!)} does not fit ${showAval(x!)} along axis ${axis}`,
          [x!.shape, update!.shape],
        );
      }
    });
    return [{ shape: x!.shape, dtype: x!.dtype }];
  },
  saveIns: [2],
  donates: [0],
  vjp: ({ ins, cts, needs, attrs }) => {
    const [ct, update, start] = [cts[0]!, ins[1]!, ins[2]!];
    const n = update.shape[attrs.axis]!;
    const hole = full(update.shape, 0, { dtype: ct.dtype });
    return [
      needs[0] ? apply1(updateSliceOp, [ct, hole, start], attrs) : null,
      needs[1] ? readSlice(ct, start, n, attrs.axis) : null,
      null,
    ];
  },
};

/** `size` elements along `axis` from a start that is a tensor. */
function readSlice(x: Tensor, start: Tensor, size: number, axis: number): Tensor {
  const moved = x.shape.map((_, i) => i);
  moved.splice(axis, 1);
  const order = [axis, ...moved];
  const back = order.map((_, i) => order.indexOf(i));
  const rows = embedding(permute(x, order), add(iota(size), start));
  return permute(rows, back);
}

/** Elements of x along an axis at the places that `index` names; same rank. @throws ShapeError, DTypeError, ValueError for an index out of range */
export function gather(x: Tensor, index: Tensor, axis: number): Tensor {
  return apply1(gatherOp, [x, index], { axis: normalizeAxis('gather', axis, x.shape) });
}

/** x with `src` added at the places that `gather` would read. @throws ShapeError, DTypeError, ValueError for an index out of range */
export function scatterAdd(x: Tensor, index: Tensor, src: Tensor, axis: number): Tensor {
  return apply1(scatterAddOp, [x, index, src], {
    axis: normalizeAxis('scatterAdd', axis, x.shape),
  });
}

/** Rows of a table `[v, ...row]` at ids of any shape: `[...ids, ...row]`. @throws DTypeError, ValueError for an id out of range */
export function embedding(table: Tensor, ids: Tensor): Tensor {
  return apply1(embeddingOp, [table, ids], {});
}

/** The sum of `dy` `[...ids, ...row]` over equal ids: `[rows, ...row]`. @throws ShapeError, ValueError for an id out of range */
export function embeddingGrad(ids: Tensor, dy: Tensor, rows: number): Tensor {
  return apply1(embeddingGradOp, [ids, dy], { rows });
}

/** Slices of `x` along an axis, at 1-D indices (negative ones are out of range). @throws ShapeError, ValueError */
export function indexSelect(x: Tensor, index: Tensor, axis: number): Tensor {
  return tidy(() => {
    wantRank('indexSelect', 'the index', index, 1);
    const a = normalizeAxis('indexSelect', axis, x.shape);
    if (a === 0) return embedding(x, index);
    const order = [a, ...x.shape.flatMap((_, i) => (i === a ? [] : [i]))];
    const back = order.map((_, i) => order.indexOf(i));
    return permute(embedding(permute(x, order), index), back);
  });
}

/**
 * x with `update` written along `axis` from `start`, a number or an i32 scalar tensor. With `donate` x is given
 * away and written in place.
 * @throws ShapeError, ValueError when the update does not fit
 */
export function updateSlice(
  x: Tensor,
  update: Tensor,
  start: number | Tensor,
  axis: number,
  options: { readonly donate?: boolean } = {},
): Tensor {
  return tidy(() => {
    const a = normalizeAxis('updateSlice', axis, x.shape);
    if (typeof start === 'number') {
      wantInteger('updateSlice', 'start', start, 0, x.shape[a]! - (update.shape[a] ?? 0));
    }
    const at = typeof start === 'number' ? full([], start, { dtype: 'i32' }) : start;
    return apply(updateSliceOp, [x, update, at], { axis: a }, options.donate ?? false)[0]!;
  });
}

/** 1 at each id, 0 elsewhere: `[...ids, classes]`. @throws DTypeError, ValueError for an id outside [0, classes) */
export function oneHot(
  ids: Tensor,
  classes: number,
  options: { readonly dtype?: 'f32' | 'f64' | 'i32' } = {},
): Tensor {
  return tidy(() => {
    wantDType('oneHot', 'ids', ids, 'i32');
    wantInteger('oneHot', 'classes', classes, 1);
    const { dtype = 'f32' } = options;
    const rows = ids.size;
    // The op checks its indices on every backend, replays included.
    const hot = scatterAdd(
      full([rows, classes], 0, { dtype }),
      reshape(ids, [rows, 1]),
      full([rows, 1], 1, { dtype }),
      1,
    );
    return reshape(hot, [...ids.shape, classes]);
  });
}
