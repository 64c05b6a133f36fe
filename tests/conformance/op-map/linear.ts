/** Products, convolutions and pooling. */
import * as core from '@loretta-ts/core';
import type { Call, OpCall } from '../call';

const conv1dOptions = (c: Call): core.Conv1dOptions => ({
  stride: c.num('stride', 1),
  padding: c.num('padding', 0),
  dilation: c.num('dilation', 1),
  groups: c.num('groups', 1),
});

const conv2dOptions = (c: Call): core.Conv2dOptions => ({
  stride: c.pairOr('stride', 1),
  padding: c.pairOr('padding', 0),
  dilation: c.pairOr('dilation', 1),
  groups: c.num('groups', 1),
});

const poolOptions = (c: Call): core.PoolOptions => ({
  stride: c.pairOr('stride', c.num('kernel_size')),
  padding: c.pairOr('padding', 0),
});

export const linear: Readonly<Record<string, OpCall>> = {
  matmul: (c) => core.matmul(...c.pair),
  linear: (c) => core.linear(c.t('x'), c.t('weight'), c.maybe('bias')),
  outer: (c) => core.mul(core.unsqueeze(c.t('a'), 1), c.t('b')),
  matmul_chain: (c) => core.matmul(core.matmul(c.t('a'), c.t('b')), c.t('a')),
  einsum: (c) => core.einsum(c.text('equation'), ...c.list),
  conv1d: (c) => core.conv1d(c.t('x'), c.t('weight'), c.maybe('bias'), conv1dOptions(c)),
  conv2d: (c) => core.conv2d(c.t('x'), c.t('weight'), c.maybe('bias'), conv2dOptions(c)),
  conv_transpose1d: (c) =>
    core.convTranspose1d(c.t('x'), c.t('weight'), c.maybe('bias'), {
      ...conv1dOptions(c),
      outputPadding: c.num('output_padding', 0),
    }),
  conv_transpose2d: (c) =>
    core.convTranspose2d(c.t('x'), c.t('weight'), c.maybe('bias'), {
      ...conv2dOptions(c),
      outputPadding: c.pairOr('output_padding', 0),
    }),
  causal_conv1d: (c) => {
    const weight = c.t('weight'); // [c, k]
    const [channels, k] = weight.shape as [number, number];
    const y = core.conv1d(
      core.pad(c.t('x'), [
        [0, 0],
        [0, 0],
        [k - 1, 0],
      ]),
      core.unsqueeze(weight, 1),
      c.maybe('bias'),
      { groups: channels },
    );
    return c.text('activation') === 'silu' ? core.silu(y) : y;
  },
  max_pool2d: (c) => core.maxPool2d(c.x, c.pairOr('kernel_size', 1), poolOptions(c)),
  avg_pool2d: (c) => core.avgPool2d(c.x, c.pairOr('kernel_size', 1), poolOptions(c)),
  upsample_nearest2d: (c) => core.upsampleNearest2d(c.x, c.num('scale')),
};
