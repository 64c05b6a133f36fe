/** Reductions, scans and order. */

import type { Tensor } from '@loretta-ts/core';
import * as core from '@loretta-ts/core';
import type { Call, OpCall, Outputs } from '../call';

/** Values and indices along `dim`: the first index wins and takes the whole gradient. */
function alongDim(c: Call, find: (x: Tensor, axis: number) => Tensor): Outputs {
  const axis = c.num('dim');
  const at = find(c.x, axis);
  const place = axis < 0 ? axis + c.x.rank : axis;
  const values = core.squeeze(core.gather(c.x, core.unsqueeze(at, place), axis), axis);
  if (!c.bool('keepdim')) return { values, indices: at };
  return { values: core.unsqueeze(values, place), indices: core.unsqueeze(at, place) };
}

const argDim = (c: Call): number | null => (c.has('dim') ? c.num('dim') : null);

export const reduce: Readonly<Record<string, OpCall>> = {
  sum: (c) => core.sum(c.x, c.dims, c.keep),
  mean: (c) => core.mean(c.x, c.dims, c.keep),
  max: (c) => core.max(c.x, c.dims, c.keep),
  min: (c) => core.min(c.x, c.dims, c.keep),
  prod: (c) => core.prod(c.x, c.dims, c.keep),
  logsumexp: (c) => core.logSumExp(c.x, c.dims, c.keep),
  any: (c) => core.any(c.x, c.dims, c.keep),
  all: (c) => core.all(c.x, c.dims, c.keep),
  norm2: (c) => core.norm(c.x, c.dims, c.keep),
  var: (c) => core.variance(c.x, c.dims, { ...c.keep, correction: c.num('correction', 1) }),
  std: (c) => core.std(c.x, c.dims, { ...c.keep, correction: c.num('correction', 1) }),
  max_dim: (c) => alongDim(c, core.argmax),
  min_dim: (c) => alongDim(c, core.argmin),
  argmax: (c) => core.argmax(c.x, argDim(c), c.keep),
  argmin: (c) => core.argmin(c.x, argDim(c), c.keep),
  cumsum: (c) => core.cumsum(c.x, c.num('dim')),
  cumprod: (c) => core.cumprod(c.x, c.num('dim')),
  topk: (c) => {
    const options = { axis: c.num('dim', -1), largest: c.bool('largest', true) };
    const [values, indices] = core.topK(c.x, c.num('k'), options);
    return { values, indices };
  },
  sort: (c) => {
    const [values, indices] = core.sort(c.x, c.num('dim', -1), {
      descending: c.bool('descending'),
    });
    return { values, indices };
  },
};
