/** One mixer with its projections, forward and backward. */
import { type Backend, key, type Tensor, tensor, valueAndGrad } from '@loretta-ts/core';
import {
  CausalSelfAttention,
  HyenaMixer,
  MambaMixer,
  type Mixer,
  type MixerContext,
  resolveDecoderConfig,
} from '@loretta-ts/nn';
import type { MixerCase } from '../lib/cases';
import { pattern, type Work } from '../peers/serve.mjs';

const none: MixerContext = {
  ...{ positions: null, real: null, allReal: null, mask: null, segments: null, cache: null },
};

export function mixerWork({ mixer, length, dim, window }: MixerCase, backend: Backend): Work {
  const layer = makeMixer(mixer, length, dim, window);
  const x = tensor(pattern(length * dim, 1), { shape: [1, length, dim] }).keep();
  const leaves = [x, ...layer.parameters()];
  const loss = (): Tensor => layer.forward(x, 0, none).square().sum();
  const before = backend.memory().bytes;
  return {
    run() {
      const { value, grads } = valueAndGrad(leaves, loss);
      value.dispose();
      grads.dispose();
    },
    after: () => ({ peakMiB: (backend.memory().peakBytes - before) / 2 ** 20 }),
    free() {
      x.dispose();
      layer.dispose();
    },
  };
}

function makeMixer(mixer: MixerCase['mixer'], length: number, dim: number, window: number): Mixer {
  const sizes = { vocab: 1, dim, layers: 1, heads: 4, maxLength: length, positions: [] };
  switch (mixer) {
    case 'mamba':
      return new MambaMixer(resolveDecoderConfig({ ...sizes, mixer }), key(1));
    case 'hyena':
      return new HyenaMixer(resolveDecoderConfig({ ...sizes, mixer }), key(1));
    case 'attention':
      return new CausalSelfAttention(resolveDecoderConfig(sizes), key(1));
    case 'window':
      return new CausalSelfAttention(resolveDecoderConfig({ ...sizes, window }), key(1));
  }
}
