/** What decides the shape of a VQ-VAE. */
import { type FloatDType, ValueError } from '@loretta-ts/core';
import type { Upsampling } from './layers';

/** Plain JSON, stored in checkpoints. */
export interface VqVaeConfig {
  /** Sizes of the input in space: `[h, w]` of images, `[t]` of frames. */
  readonly size: readonly number[];
  /** Channels of the input: colours, or values of a frame. */
  readonly channels: number;
  /** Number of codes, K. */
  readonly codes: number;
  /** How often the resolution is halved; default 2. */
  readonly levels?: number;
  /** Channels inside; default 64. */
  readonly hidden?: number;
  /** Residual blocks in the encoder and in the decoder; default 2. */
  readonly blocks?: number;
  /** Width of a code; default 16. */
  readonly dim?: number;
  /** Nearest code (VQ-VAE), or a Gumbel-softmax over codes (dVAE); default `vq`. */
  readonly quantizer?: 'vq' | 'gumbel';
  /** Default `transposed`. */
  readonly upsampling?: Upsampling;
  /** `vq`: β; default 0.25. */
  readonly commitment?: number;
  /** `vq`: share of the past in the codes' averages, or null to train them by the codebook loss; default 0.99. */
  readonly decay?: number | null;
  /** `vq`: a code is dead below this share of an even count; default 0.03, without `decay` 0. */
  readonly revive?: number;
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** A configuration with its defaults. */
export type ResolvedVqVaeConfig = Required<VqVaeConfig>;

/** Fills the defaults in. @throws ValueError for sizes out of range, and for fields and choices that there are not */
export function resolveVqVaeConfig(config: VqVaeConfig): ResolvedVqVaeConfig {
  const decay = config.decay === undefined ? 0.99 : config.decay;
  const full: ResolvedVqVaeConfig = {
    size: [...config.size],
    channels: config.channels,
    codes: config.codes,
    levels: config.levels ?? 2,
    hidden: config.hidden ?? 64,
    blocks: config.blocks ?? 2,
    dim: config.dim ?? 16,
    quantizer: config.quantizer ?? 'vq',
    upsampling: config.upsampling ?? 'transposed',
    commitment: config.commitment ?? 0.25,
    decay,
    revive: config.revive ?? (decay === null ? 0 : 0.03),
    dtype: config.dtype ?? 'f32',
  };
  for (const name of Object.keys(config)) {
    if (!(name in full))
      throw new ValueError('VqVae', `${name} is not a field: it is one of ${Object.keys(full)}`);
  }
  const choices: Readonly<Record<string, readonly string[]>> = {
    ...{ quantizer: ['vq', 'gumbel'], upsampling: ['transposed', 'nearest'] },
    dtype: ['f32', 'f64'],
  };
  for (const [name, allowed] of Object.entries(choices)) {
    const chosen = full[name as keyof ResolvedVqVaeConfig];
    if (!allowed.includes(String(chosen)))
      throw new ValueError('VqVae', `${name} is '${chosen}', not one of ${allowed}`);
  }
  if (full.size.length !== 1 && full.size.length !== 2) {
    throw new ValueError('VqVae', `size [${full.size.join(', ')}]: give [t] or [h, w]`);
  }
  const { channels, codes, levels, hidden, blocks, dim } = full;
  const counts = { size: Math.min(...full.size), channels, codes, hidden, dim };
  for (const [name, x] of Object.entries({ ...counts, levels, blocks })) {
    const least = name in counts ? 1 : 0;
    if (!Number.isInteger(x) || x < least)
      throw new ValueError('VqVae', `${name} is ${x}, not an integer from ${least}`);
  }
  if (!full.size.every(Number.isInteger))
    throw new ValueError('VqVae', `size [${full.size.join(', ')}] is not made of integers`);
  return full;
}
