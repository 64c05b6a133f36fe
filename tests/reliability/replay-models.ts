/** Every model with what goes in, as functions of tensors that can be captured. */
import {
  type FloatDType,
  type HostRandom,
  key,
  type Key,
  type Shape,
  type State,
  type Tensor,
  tensor,
} from '@loretta-ts/core';
import {
  crossEntropyLoss,
  Decoder,
  type DecoderConfig,
  Dropout,
  Linear,
  mixtureNll,
  Module,
  VectorQuantizer,
  VqVae,
  type VqVaeConfig,
} from '@loretta-ts/nn';
import { pick } from './row';

/** What a step minimises, with what the model does to itself once its gradient is there. */
export interface Loss {
  readonly loss: Tensor;
  /** Tensors that `after` needs; they outlive the gradient. */
  readonly aux?: readonly Tensor[];
}

/** A model that a row captures: everything but its inputs is fixed. */
export interface ReplayModel {
  readonly module: Module;
  /** Parameters that a step changes without a gradient. */
  readonly state: readonly State[];
  /** Inputs of a batch; the same sizes for the same `b`. */
  inputs(random: HostRandom, b: number): Tensor[];
  forward(...inputs: Tensor[]): Tensor[];
  loss(...inputs: Tensor[]): Loss;
  after?(aux: readonly Tensor[]): void;
}

/** A model by name; called twice with the same random numbers it gives the same one twice. */
export interface ReplayCase {
  readonly name: string;
  make(random: HostRandom): ReplayModel | Promise<ReplayModel>;
}

/** Random integers below a limit. */
function ids(random: HostRandom, shape: Shape, limit: number): Tensor {
  const size = shape.reduce((n, d) => n * d, 1);
  return tensor(
    Int32Array.from({ length: size }, () => random.int(limit)),
    { shape },
  );
}

/** Random numbers in [-2, 2). */
function floats(random: HostRandom, shape: Shape, dtype: FloatDType): Tensor {
  const size = shape.reduce((n, d) => n * d, 1);
  const values = Float64Array.from({ length: size }, () => 4 * random.uniform() - 2);
  return tensor(values, { shape, dtype });
}

/** True with a probability, and in every first place of a row, so that a token sees one at least. */
function truths(random: HostRandom, shape: Shape, probability: number): Tensor {
  const [size, last] = [shape.reduce((n, d) => n * d, 1), shape.at(-1)!];
  const values = Uint8Array.from({ length: size }, (_, i) =>
    i % last === 0 || random.uniform() < probability ? 1 : 0,
  );
  return tensor(values, { shape, dtype: 'bool' });
}

/** A tensor option of the decoder: its name and how it is drawn for `[b, t]` tokens. */
type Extra = readonly [
  name: 'within' | 'segments' | 'attentionMask' | 'mask' | 'latents' | 'positions',
  draw: (random: HostRandom, b: number, t: number, dtype: FloatDType) => Tensor,
];

const WITHIN = 7;
const LATENT = { dim: 3, components: 2 };

const within: Extra = ['within', (random, b, t) => ids(random, [b, t], WITHIN)];
const segments: Extra = ['segments', (random, b, t) => ids(random, [b, t], 2)];
const padding: Extra = ['attentionMask', (random, b, t) => truths(random, [b, t], 0.8)];
const chosen: Extra = ['mask', (random, b, t) => truths(random, [b, 1, t, t], 0.7)];
const places: Extra = ['positions', (random, b, t) => ids(random, [b, t], 30)];
const latents: Extra = [
  'latents',
  (random, b, t, dtype) => floats(random, [b, t, LATENT.dim], dtype),
];

interface Variant {
  readonly config: Partial<DecoderConfig>;
  readonly extras?: readonly Extra[];
}

const VARIANTS: Readonly<Record<string, Variant>> = {
  llama: { config: {} },
  'gpt-2': {
    config: { norm: 'layer', mlp: 'gelu', positions: 'learned', bias: true, tieEmbeddings: true },
  },
  mistral: { config: { heads: 4, kvHeads: 2, window: 3 } },
  interleaved: { config: { ropeInterleaved: true, headDim: 6 }, extras: [places] },
  packed: {
    config: { positions: ['rope', 'within-block'], withinLength: WITHIN },
    extras: [within, segments],
  },
  padded: { config: { positions: ['rope', 'learned'] }, extras: [padding] },
  masked: { config: { kvHeads: 1 }, extras: [chosen] },
  encoder: { config: { causal: false, norm: 'layer', mlp: 'gelu' }, extras: [padding] },
  mamba: { config: { mixer: 'mamba' } },
  'mamba, packed': {
    config: { mixer: 'mamba', positions: 'within-block', withinLength: WITHIN },
    extras: [within, segments],
  },
  'mamba, padded': { config: { mixer: 'mamba', expand: 1 }, extras: [padding] },
  hyena: { config: { mixer: 'hyena' } },
  'hyena, padded': { config: { mixer: 'hyena', positions: 'learned' }, extras: [padding] },
  latents: { config: { latent: LATENT }, extras: [latents] },
  'latents, mamba': { config: { mixer: 'mamba', latent: LATENT }, extras: [latents] },
};

function decoder(random: HostRandom, { config, extras = [] }: Variant): ReplayModel {
  const [dtype, t, vocab] = [
    pick<FloatDType>(random, ['f32', 'f32', 'f64']),
    3 + random.int(9),
    11,
  ];
  const model = new Decoder(
    {
      ...{ vocab, dim: 8 * (1 + random.int(3)), layers: 1 + random.int(2), heads: 2 },
      ...{ maxLength: 16, dropout: pick(random, [0, 0.2]), initStd: 0.3, dtype },
      ...config,
    },
    key(random.int(1000)),
  );
  const dropoutKey = key(random.int(1000));
  const run = (inputs: readonly Tensor[], drops: Key | null): Tensor =>
    model.forward(inputs[0]!, {
      key: drops,
      ...Object.fromEntries(extras.map(([name], i) => [name, inputs[2 + i]!])),
    });
  const real = model.config.latent !== null;
  return {
    module: model,
    state: [],
    inputs: (r, b) => [
      ids(r, [b, t], vocab),
      real ? floats(r, [b, t, LATENT.dim], dtype) : ids(r, [b, t], vocab),
      ...extras.map(([, draw]) => draw(r, b, t, dtype)),
    ],
    forward(...inputs) {
      const hidden = run(inputs, null);
      return [hidden, model.logits(hidden), ...(real ? [model.latentParams(hidden)] : [])];
    },
    loss(...inputs) {
      const hidden = run(inputs, dropoutKey);
      const [, targets] = inputs as [Tensor, Tensor];
      const loss = real
        ? mixtureNll(model.latentParams(hidden), targets).mean()
        : crossEntropyLoss(model.logits(hidden), targets);
      return { loss };
    },
  };
}

const AUTOENCODERS: Readonly<Record<string, Partial<VqVaeConfig> & { readonly axes: number }>> = {
  'vq-vae': { axes: 2 },
  'vq-vae of frames': { axes: 1 },
  'vq-vae, codes by their loss': { axes: 2, decay: null, upsampling: 'nearest' },
  dvae: { axes: 2, quantizer: 'gumbel' },
  'dvae of frames': { axes: 1, quantizer: 'gumbel', upsampling: 'nearest' },
};

function autoencoder(
  random: HostRandom,
  { axes, ...config }: Partial<VqVaeConfig> & { readonly axes: number },
): ReplayModel {
  const size = Array.from({ length: axes }, () => 4 + random.int(4));
  const channels = 1 + random.int(2);
  const model = new VqVae(
    {
      ...{ size, channels, codes: 5 + random.int(8), hidden: 4 + 4 * random.int(2), dim: 4 },
      ...{ blocks: 1, levels: 1 + random.int(2), ...config },
    },
    key(random.int(1000)),
  );
  const [noise, revive] = [key(random.int(1000)), key(random.int(1000))];
  const options = { temperature: 0.3 + random.uniform(), klWeight: 0.1 };
  const { quantizer } = model;
  const averages = quantizer instanceof VectorQuantizer && quantizer.options.decay !== null;
  return {
    module: model,
    state: model.namedState().flatMap(([, p]) => (p.trainable ? [] : [p])),
    inputs: (r, b) => [floats(r, [b, channels, ...size], 'f32')],
    forward(x) {
      const { reconstruction, error, perplexity, indices } = model.forward(x!, { key: null });
      return [reconstruction, error, perplexity, indices, model.decode(model.encode(x!))];
    },
    loss(x) {
      const { loss, latent, indices } = model.forward(x!, { key: noise, ...options });
      return { loss, aux: [latent, indices] };
    },
    ...(averages
      ? {
          after([latent, indices]: readonly Tensor[]) {
            (quantizer as VectorQuantizer).update(latent!, indices!, revive);
          },
        }
      : {}),
  };
}

/** Layers that are exported and in no model. */
class Layers extends Module {
  readonly dense: Linear = new Linear(4, 3, { key: key(1) });
  readonly drop: Dropout = new Dropout(0.4);
}

function layers(random: HostRandom): ReplayModel {
  const module = new Layers();
  const drops = key(random.int(1000));
  const run = (x: Tensor, k: Key | null): Tensor => module.drop.forward(module.dense.forward(x), k);
  return {
    module,
    state: [],
    inputs: (r, b) => [floats(r, [b, 4], 'f32')],
    forward: (x) => [run(x!, null), run(x!, drops)],
    loss: (x) => ({ loss: run(x!, drops).square().mean() }),
  };
}

/** The models of nn. */
export const models: readonly ReplayCase[] = [
  ...Object.entries(VARIANTS).map(([name, variant]) => ({
    name,
    make: (random: HostRandom) => decoder(random, variant),
  })),
  ...Object.entries(AUTOENCODERS).map(([name, config]) => ({
    name,
    make: (random: HostRandom) => autoencoder(random, config),
  })),
  { name: 'layers', make: layers },
];

/** Names of the classes that a module is made of, its own and those that these extend among them. */
export function classesOf(value: unknown, into: Set<string> = new Set()): Set<string> {
  if (Array.isArray(value)) for (const each of value) classesOf(each, into);
  if (!(value instanceof Module)) return into;
  let prototype: object = Object.getPrototypeOf(value);
  for (; prototype !== Module.prototype; prototype = Object.getPrototypeOf(prototype))
    into.add(prototype.constructor.name);
  for (const field of Object.values(value)) classesOf(field, into);
  return into;
}
