/** Movement and layout. */

import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import type { Call, OpCall, Outputs } from '../call';

/** Python's `x[start:stop:step]` along an axis: bounds count from the end when negative, and clamp. */
export function pythonSlice(
  x: Tensor,
  dim: number,
  start: number | null,
  stop: number | null,
  step: number,
): Tensor {
  const axis = dim < 0 ? dim + x.rank : dim;
  const d = x.shape[axis] ?? 0;
  const clamp = (at: number): number => Math.min(d, Math.max(0, at < 0 ? at + d : at));
  const from = clamp(start ?? 0);
  const to = clamp(stop ?? d);
  const size = step === 0 ? 1 : Math.max(0, Math.ceil((to - from) / step));
  return core.narrow(x, dim, size === 0 ? 0 : from, size, step);
}

const named = (parts: readonly Tensor[]): Outputs =>
  Object.fromEntries(parts.map((part, i) => [`y${i}`, part]));

const boundOf = (c: Call, name: string): number | null => (c.has(name) ? c.num(name) : null);

export const shape: Readonly<Record<string, OpCall>> = {
  reshape: (c) => core.reshape(c.x, c.nums('shape')),
  permute: (c) => core.permute(c.x, c.nums('dims')),
  transpose: (c) => core.transpose(c.x, c.num('dim0'), c.num('dim1')),
  slice: (c) =>
    pythonSlice(c.x, c.num('dim'), boundOf(c, 'start'), boundOf(c, 'stop'), c.num('step', 1)),
  select: (c) => core.select(c.x, c.num('dim'), c.num('index')),
  concat: (c) => core.concat(c.list, c.num('dim')),
  concat_self: (c) => core.concat([c.x, core.mul(c.x, 2), c.x], c.num('dim')),
  stack: (c) => core.stack(c.list, c.num('dim')),
  split: (c) => named(core.split(c.x, c.nums('sizes'), c.num('dim'))),
  chunk: (c) => {
    const axis = c.num('dim');
    const d = c.x.shape.at(axis)!;
    return named(core.split(c.x, Math.ceil(d / c.num('chunks')), axis));
  },
  pad: (c) =>
    core.pad(
      c.x,
      (c.raw('pads') as (readonly [number, number])[]).map(([b, a]) => [b, a] as const),
      c.num('value', 0),
    ),
  gather: (c) => core.gather(c.t('x'), c.t('index'), c.num('dim')),
  index_select: (c) => core.indexSelect(c.t('x'), c.t('index'), c.num('dim')),
  embedding: (c) => core.embedding(c.t('weight'), c.t('ids')),
  scatter_add: (c) => core.scatterAdd(c.t('x'), c.t('index'), c.t('src'), c.num('dim')),
  scatter: (c) => {
    const [x, index, src] = [c.t('x'), c.t('index'), c.t('src')];
    const ones = core.full(index.shape, 1, { dtype: 'i32' });
    const hits = core.scatterAdd(core.zeros(x.shape, { dtype: 'i32' }), index, ones, c.num('dim'));
    return core.scatterAdd(core.where(core.gt(hits, 0), 0, x), index, src, c.num('dim'));
  },
  expand: (c) => {
    const to = c.nums('shape');
    const lead = to.length - c.x.rank;
    return core.broadcastTo(
      c.x,
      to.map((d, i) => (d === -1 ? c.x.shape[i - lead]! : d)),
    );
  },
  tile: (c) => core.tile(c.x, c.nums('repeats')),
  repeat_interleave: (c) => core.repeatInterleave(c.x, c.num('repeats'), c.num('dim')),
  // PyTorch leaves an axis that is not 1 as it is
  squeeze: (c) => {
    if (!c.has('dim')) return core.squeeze(c.x);
    return c.x.shape.at(c.num('dim')) === 1 ? core.squeeze(c.x, c.num('dim')) : c.x;
  },
  unsqueeze: (c) => core.unsqueeze(c.x, c.num('dim')),
  flatten: (c) => core.flatten(c.x, c.num('start_dim', 0), c.num('end_dim', -1)),
  flip: (c) => core.flip(c.x, c.nums('dims')),
  roll: (c) => {
    if (c.has('dim')) return core.roll(c.x, c.num('shift'), c.num('dim'));
    return core.reshape(core.roll(core.flatten(c.x), c.num('shift'), 0), c.x.shape);
  },
  tril: (c) => core.tril(c.x, c.num('diagonal', 0)),
  triu: (c) => core.triu(c.x, c.num('diagonal', 0)),
  diagonal: (c) => {
    const [rows, columns] = c.x.shape as [number, number];
    return core.narrow(core.flatten(c.x), 0, 0, Math.min(rows, columns), columns + 1);
  },
  one_hot: (c) => core.oneHot(c.x, c.num('num_classes'), { dtype: 'i32' }),
  view_chain: (c) => {
    const kept = pythonSlice(core.permute(c.x, [1, 0, 2]), 1, 1, null, 1);
    const rows = core.reshape(kept, [kept.shape[0]!, -1]);
    const turned = core.transpose(core.mul(core.flip(rows, 0), 2), 0, 1);
    return pythonSlice(turned, 0, null, null, 2);
  },
  slice_overlap: (c) => core.mul(pythonSlice(c.x, 0, 0, -1, 1), pythonSlice(c.x, 0, 1, null, 1)),
  setitem: (c) => core.updateSlice(c.t('x'), core.unsqueeze(c.t('v'), 0), 1, 0),
};
