/** Gradients of every exported module, in its inputs and its weights. */
import { type HostRandom, type Key, key, type Tensor } from '@loretta-ts/core';
import * as nn from '@loretta-ts/nn';
import { randomConfig, VOCAB, WITHIN } from '../../decoders';
import { between, coin, ids, leftMask, values } from '../../draw';
import { axisOf, batchOf, type Draw, type GradientCase, withWeights } from './case';

const dtype = 'f64';

/** How far weights are moved from where they start. */
const NOISE = 0.2;

function weighed<M extends nn.Module>(
  random: HostRandom,
  module: M,
  inputs: readonly Tensor[],
  call: (module: M, ...xs: Tensor[]) => Tensor | readonly Tensor[],
): GradientCase {
  return withWeights(module, inputs, (like) => values(random, like.shape).mul(NOISE), call);
}

const drawKey = (random: HostRandom): Key => key(random.int(2 ** 30));

/** A module over `[..., in]`. */
const rowsOf =
  (make: (random: HostRandom, width: number) => nn.Module & { forward(x: Tensor): Tensor }): Draw =>
  (random, size) => {
    const width = axisOf(random, size);
    const lead = coin(random) ? [batchOf(random, size)] : [batchOf(random, size), 2];
    return weighed(random, make(random, width), [values(random, [...lead, width])], (m, x) =>
      m.forward(x!),
    );
  };

type ConvClass = new (
  inChannels: number,
  outChannels: number,
  kernel: number,
  options: nn.ConvOptions,
) => nn.Module & { forward(x: Tensor): Tensor };

/** A convolution over a line or a plane. */
const convOf =
  (Conv: ConvClass, rank: number, grouped: boolean): Draw =>
  (random, size) => {
    const groups = grouped && size !== 'one' ? between(random, 1, 2) : 1;
    const [from, to] = [groups * axisOf(random, size, 2), groups * axisOf(random, size, 2)];
    const [kernel, dilation] = [axisOf(random, size, 3), grouped ? between(random, 1, 2) : 1];
    const conv = new Conv(from, to, kernel, {
      ...{ key: drawKey(random), dtype, groups, dilation, bias: coin(random) },
      ...{ stride: between(random, 1, 2), padding: random.int(Math.ceil(kernel / 2)) },
    });
    const least = dilation * (kernel - 1) + 1;
    const space = Array.from({ length: rank }, () => least + (size === 'one' ? 0 : random.int(3)));
    const x = values(random, [batchOf(random, size), from, ...space]);
    return weighed(random, conv, [x], (m, input) => m.forward(input!));
  };

/** A part of a decoder over `[b, t, d]`. */
const partOf =
  (
    mixer: nn.MixerKind,
    make: (
      config: nn.ResolvedDecoderConfig,
      random: HostRandom,
    ) => nn.Module & { forward(...args: never[]): Tensor },
    call: (part: never, x: Tensor, context: nn.MixerContext) => Tensor,
  ): Draw =>
  (random, size) => {
    const config = nn.resolveDecoderConfig(randomConfig(random, mixer, dtype, 6));
    const [b, t] = [batchOf(random, size), size === 'one' ? 1 : between(random, 1, 4)];
    const real = coin(random) ? leftMask(random, b, t) : null;
    const context: nn.MixerContext = {
      positions: config.positions.includes('rope') ? ids(random, [t], 6) : null,
      ...{ real, allReal: real, mask: null, cache: null },
      segments: real === null && mixer !== 'hyena' && coin(random) ? ids(random, [b, t], 2) : null,
    };
    return weighed(random, make(config, random), [values(random, [b, t, config.dim])], (m, x) =>
      call(m as never, x!, context),
    );
  };

const mixing = (part: nn.Mixer, x: Tensor, context: nn.MixerContext): Tensor =>
  part.forward(x, 0, context);

const decoder: Draw = (random, size) => {
  const mixer = (['attention', 'mamba', 'hyena'] as const)[random.int(3)]!;
  const [b, t] = [batchOf(random, size), size === 'one' ? 1 : between(random, 1, 4)];
  const latent = coin(random) ? { dim: 2, components: 2 } : null;
  const model = new nn.Decoder(
    { ...randomConfig(random, mixer, dtype, 6), layers: 1, latent },
    drawKey(random),
  );
  const tokens = ids(random, [b, t], VOCAB);
  const options: nn.ForwardOptions = {
    ...(coin(random) ? { attentionMask: leftMask(random, b, t) } : {}),
    ...(model.config.positions.includes('within-block')
      ? { within: ids(random, [b, t], WITHIN) }
      : {}),
  };
  const vectors = latent === null ? [] : [values(random, [b, t, latent.dim])];
  return weighed(random, model, vectors, (m, latents) => {
    const hidden = m.forward(tokens, latents === undefined ? options : { ...options, latents });
    return latents === undefined ? m.logits(hidden) : [m.logits(hidden), m.latentParams(hidden)];
  });
};

/** Without ties: codes are chosen by a margin that no difference crosses. */
const quantizer: Draw = (random, size) => {
  const [codes, dim] = [1 + random.int(4), axisOf(random, size)];
  const module = new nn.VectorQuantizer({ codes, dim, decay: null, dtype, key: drawKey(random) });
  const z = values(random, [Math.max(1, batchOf(random, size)), dim]);
  // each loss holds the other side fixed; the codes themselves are passed straight through, by no slope
  if (coin(random)) {
    return { inputs: [z], owned: module, fn: (x) => module.forward(x!).commitmentLoss };
  }
  return weighed(random, module, [], (m) => m.forward(z).codebookLoss);
};

const gumbel: Draw = (random, size) => {
  const [codes, dim] = [axisOf(random, size, 5), axisOf(random, size)];
  const module = new nn.GumbelQuantizer({ codes, dim, dtype, key: drawKey(random) });
  const [temperature, noise] = [0.5 + random.uniform(), drawKey(random)];
  const logits = values(random, [Math.max(1, batchOf(random, size)), codes]);
  return weighed(random, module, [logits], (m, x) => {
    const { quantized, kl } = m.forward(x!, temperature, noise);
    return [quantized, kl];
  });
};

const autoencoder: Draw = (random, size) => {
  const space = Array.from({ length: between(random, 1, 2) }, () => axisOf(random, size, 3));
  const channels = axisOf(random, size, 2);
  const model = new nn.VqVae(
    {
      ...{ size: space, channels, codes: 3, hidden: 2, blocks: random.int(2), dim: 2, dtype },
      ...{ levels: random.int(2), quantizer: 'gumbel' },
      upsampling: coin(random) ? 'transposed' : 'nearest',
    },
    drawKey(random),
  );
  const x = values(random, [Math.max(1, batchOf(random, size)), channels, ...space]);
  const noise = drawKey(random);
  return weighed(random, model, [x], (m, input) => {
    const { loss, reconstruction } = m.forward(input!, { key: noise, klWeight: 0.1 });
    return [loss, reconstruction];
  });
};

/** A case for every module. Quantizers refuse a batch of nothing: theirs have a row at least. */
export const moduleDraws: Readonly<Record<string, Draw>> = {
  Linear: rowsOf(
    (random, width) =>
      new nn.Linear(width, between(random, 1, 3), {
        ...{ key: drawKey(random), dtype, bias: coin(random) },
      }),
  ),
  LayerNorm: rowsOf((_, width) => new nn.LayerNorm(width, { dtype, eps: 0.01 })),
  RMSNorm: rowsOf((_, width) => new nn.RMSNorm(width, { dtype, eps: 0.01 })),
  Embedding: (random, size) => {
    const [rows, dim] = [axisOf(random, size), axisOf(random, size)];
    const module = new nn.Embedding(rows, dim, { key: drawKey(random), dtype });
    const tokens = ids(random, [batchOf(random, size), 2], rows);
    return weighed(random, module, [], (m) => m.forward(tokens));
  },
  Dropout: (random, size) => {
    const module = new nn.Dropout(random.int(3) / 2);
    const shape = [batchOf(random, size), axisOf(random, size)];
    const k = coin(random) ? drawKey(random) : null;
    return weighed(random, module, [values(random, shape)], (m, x) => m.forward(x!, k));
  },
  Conv1d: convOf(nn.Conv1d, 1, true),
  Conv2d: convOf(nn.Conv2d, 2, true),
  ConvTranspose1d: convOf(nn.ConvTranspose1d, 1, false),
  ConvTranspose2d: convOf(nn.ConvTranspose2d, 2, false),
  ShortConv: (random, size) => {
    const [b, t, c] = [batchOf(random, size), axisOf(random, size), axisOf(random, size)];
    const k = axisOf(random, size);
    const module = new nn.ShortConv(c, k, { key: drawKey(random), dtype });
    const window = coin(random) ? [values(random, [b, k - 1, c])] : [];
    const segments = window.length === 0 && coin(random) ? ids(random, [b, t], 2) : null;
    return weighed(random, module, [values(random, [b, t, c]), ...window], (m, x, before) =>
      m.forward(x!, before ?? null, segments),
    );
  },
  SwiGluMlp: partOf(
    'attention',
    (config, random) => new nn.SwiGluMlp(config, drawKey(random)),
    (part: nn.SwiGluMlp, x) => part.forward(x),
  ),
  GeluMlp: partOf(
    'attention',
    (config, random) => new nn.GeluMlp(config, drawKey(random)),
    (part: nn.GeluMlp, x) => part.forward(x),
  ),
  CausalSelfAttention: partOf(
    'attention',
    (config, random) => new nn.CausalSelfAttention(config, drawKey(random)),
    mixing,
  ),
  MambaMixer: partOf('mamba', (config, r) => new nn.MambaMixer(config, drawKey(r)), mixing),
  HyenaMixer: partOf('hyena', (config, r) => new nn.HyenaMixer(config, drawKey(r)), mixing),
  HyenaFilter: (random, size) => {
    const config = nn.resolveDecoderConfig(randomConfig(random, 'hyena', dtype, 6));
    const n = size === 'some' ? between(random, 1, 6) : Number(size === 'one');
    return weighed(random, new nn.HyenaFilter(config, drawKey(random)), [], (m) => m.values(n));
  },
  AttentionBlock: partOf(
    'attention',
    (config, random) => new nn.AttentionBlock(config, drawKey(random)),
    (part: nn.AttentionBlock, x, context) => part.forward(x, 0, context, null),
  ),
  MambaBlock: partOf(
    'mamba',
    (config, random) => new nn.MambaBlock(config, drawKey(random)),
    (part: nn.MambaBlock, x, context) => part.forward(x, 0, context, null),
  ),
  HyenaBlock: partOf(
    'hyena',
    (config, random) => new nn.HyenaBlock(config, drawKey(random)),
    (part: nn.HyenaBlock, x, context) => part.forward(x, 0, context, null),
  ),
  Decoder: decoder,
  VectorQuantizer: quantizer,
  GumbelQuantizer: gumbel,
  VqVae: autoencoder,
};

const classes = Object.entries(nn).filter(
  ([, value]) => typeof value === 'function' && value.prototype instanceof nn.Module,
);

/** Every class of `nn` that is a module, by name; one that others extend is in them. */
export const modules: readonly string[] = classes
  .filter(([, base]) => !classes.some(([, other]) => Object.getPrototypeOf(other) === base))
  .map(([name]) => name);
