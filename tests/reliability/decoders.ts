/** Random configurations of decoders, and what their passes need. */
import type { FloatDType, HostRandom } from '@loretta-ts/core';
import type { DecoderConfig, MixerKind } from '@loretta-ts/nn';
import { between, coin } from './draw';
import { pick } from './row';

/** Ids of every random decoder. */
export const VOCAB = 11;
/** Rows of the within-block table. */
export const WITHIN = 5;

const PLACES = {
  attention: [[], ['rope'], ['learned'], ['within-block'], ['rope', 'within-block']],
  mamba: [[], ['learned'], ['within-block']],
  hyena: [[], ['learned'], ['within-block']],
} as const;

function attention(random: HostRandom): Partial<DecoderConfig> {
  const [kvHeads, group, headDim] = [between(random, 1, 2), between(random, 1, 3), 2];
  return {
    ...{ kvHeads, heads: kvHeads * group, headDim: coin(random) ? headDim : 2 * headDim },
    window: coin(random) ? 0 : between(random, 1, 6),
    ropeInterleaved: coin(random),
    ropeTheta: pick(random, [100, 10_000]),
  };
}

const mixers: Readonly<Record<MixerKind, (random: HostRandom) => Partial<DecoderConfig>>> = {
  attention,
  mamba: (random) => ({
    ...{ expand: between(random, 1, 2), stateDim: between(random, 1, 4) },
    ...{ dtRank: between(random, 1, 3), convKernel: between(random, 1, 4) },
  }),
  hyena: (random) => ({ convKernel: between(random, 1, 4), filterDim: between(random, 1, 5) }),
};

/** A small decoder of a mixer, with every choice that a configuration has drawn. */
export function randomConfig(
  random: HostRandom,
  mixer: MixerKind,
  dtype: FloatDType,
  maxLength: number,
): DecoderConfig {
  const positions = pick<NonNullable<DecoderConfig['positions']>>(random, PLACES[mixer]);
  return {
    ...{ vocab: VOCAB, dim: between(random, 2, 4) * 2, layers: between(random, 1, 2) },
    ...{ maxLength, mixer, dtype, positions, initStd: 0.3, embeddingStd: 0.5 },
    ...{ norm: pick(random, ['rms', 'layer'] as const), mlp: pick(random, ['swiglu', 'gelu']) },
    ...{ ffDim: between(random, 1, 6), bias: coin(random), tieEmbeddings: coin(random) },
    ...(positions.includes('within-block') ? { withinLength: WITHIN } : {}),
    ...mixers[mixer](random),
  };
}
