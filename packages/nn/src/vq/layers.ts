/** The convolutional encoder and decoder of a VQ-VAE, over a line or a plane. */
import { type FloatDType, type Key, relu, repeatInterleave, type Tensor } from '@loretta-ts/core';
import { Conv1d, Conv2d } from '../layers/conv';
import { ConvTranspose1d, ConvTranspose2d } from '../layers/convTranspose';
import { Module } from '../module';

/** How a decoder doubles the resolution: a transposed convolution, or each element twice and a convolution. */
export type Upsampling = 'transposed' | 'nearest';

/** What all layers of an encoder or decoder share. */
export interface StackOptions {
  /** Sizes of the input at each level, finest first; as many axes as there are in space. */
  readonly sizes: readonly (readonly number[])[];
  /** Channels inside. */
  readonly hidden: number;
  /** Residual blocks at the coarsest level. */
  readonly blocks: number;
  /** Of the parameters. */
  readonly dtype: FloatDType;
}

type Conv = Conv1d | Conv2d;

interface Layer {
  readonly rank: number;
  readonly key: Key | null;
  readonly dtype: FloatDType;
}

function conv(
  { rank, key, dtype }: Layer,
  inChannels: number,
  outChannels: number,
  kernel: number,
  stride = 1,
): Conv {
  const options = { key, stride, padding: (kernel - 1) / 2, dtype };
  return rank === 1
    ? new Conv1d(inChannels, outChannels, kernel, options)
    : new Conv2d(inChannels, outChannels, kernel, options);
}

/** x + conv1(relu(conv3(relu(x)))) (van den Oord et al. 2017, section 4.1). */
class ResidualBlock extends Module {
  readonly conv1: Conv;
  readonly conv2: Conv;

  constructor(channels: number, layer: Layer) {
    super();
    this.conv1 = conv(streamOf(layer, 0), channels, channels, 3);
    this.conv2 = conv(streamOf(layer, 1), channels, channels, 1);
  }

  /** `[b, c, ...space] -> [b, c, ...space]`. */
  forward(x: Tensor): Tensor {
    return x.add(this.conv2.forward(relu(this.conv1.forward(relu(x)))));
  }
}

/** Twice the size along every axis of space, cut to the size that the encoder had there. */
class Upsample extends Module {
  readonly conv: Conv | ConvTranspose1d | ConvTranspose2d;
  private readonly size: readonly number[];
  private readonly kind: Upsampling;

  constructor(
    inChannels: number,
    outChannels: number,
    kind: Upsampling,
    size: readonly number[],
    layer: Layer,
  ) {
    super();
    const { rank, key, dtype } = layer;
    const options = { key, stride: 2, padding: 1, dtype };
    this.kind = kind;
    this.size = size;
    if (kind === 'nearest') this.conv = conv(layer, inChannels, outChannels, 3);
    else if (rank === 1) this.conv = new ConvTranspose1d(inChannels, outChannels, 4, options);
    else this.conv = new ConvTranspose2d(inChannels, outChannels, 4, options);
  }

  /** `[b, in, ...coarse] -> [b, out, ...size]`. */
  forward(x: Tensor): Tensor {
    const axes = this.size.map((_, i) => i + 2);
    const cut = (t: Tensor): Tensor =>
      axes.reduce((y, axis, i) => y.narrow(axis, 0, this.size[i]!), t);
    if (this.kind === 'transposed') return cut(this.conv.forward(x));
    return this.conv.forward(cut(axes.reduce((y, axis) => repeatInterleave(y, 2, axis), x)));
  }
}

/** A convolution of stride 2 for each level, residual blocks, and the latent's width. */
export class VqEncoder extends Module {
  /** One of stride 2 for each level, finest first. */
  readonly down: Conv[];
  /** At the coarsest level. */
  readonly blocks: ResidualBlock[];
  /** To the width of the latent. */
  readonly out: Conv;

  /** @param channels of the input @param dim of the latent */
  constructor(channels: number, dim: number, options: StackOptions, key: Key | null) {
    super();
    const { hidden } = options;
    const layer = layersOf(options, key);
    const levels = options.sizes.length - 1;
    // without levels one convolution of stride 1 brings the input to the hidden width
    this.down = Array.from({ length: Math.max(1, levels) }, (_, i) =>
      conv(layer(), i === 0 ? channels : hidden, hidden, 3, levels === 0 ? 1 : 2),
    );
    this.blocks = Array.from({ length: options.blocks }, () => new ResidualBlock(hidden, layer()));
    this.out = conv(layer(), hidden, dim, 1);
  }

  /** `[b, channels, ...size] -> [b, dim, ...grid]`. */
  forward(x: Tensor): Tensor {
    let y = this.down.reduce((h, c, i) => c.forward(i === 0 ? h : relu(h)), x);
    for (const block of this.blocks) y = block.forward(y);
    return this.out.forward(relu(y));
  }
}

/** The mirror of the encoder. */
export class VqDecoder extends Module {
  /** From the width of the latent. */
  readonly in: Conv;
  /** At the coarsest level. */
  readonly blocks: ResidualBlock[];
  /** One for each level, coarsest first. */
  readonly up: (Upsample | Conv)[];

  /** @param dim of the latent @param channels of the output */
  constructor(
    dim: number,
    channels: number,
    kind: Upsampling,
    options: StackOptions,
    key: Key | null,
  ) {
    super();
    const { hidden, sizes } = options;
    const layer = layersOf(options, key);
    this.in = conv(layer(), dim, hidden, 3);
    this.blocks = Array.from({ length: options.blocks }, () => new ResidualBlock(hidden, layer()));
    const levels = sizes.length - 1;
    this.up =
      levels === 0
        ? [conv(layer(), hidden, channels, 3)]
        : Array.from({ length: levels }, (_, i) => {
            const last = i === levels - 1;
            const size = sizes[levels - 1 - i]!;
            return new Upsample(hidden, last ? channels : hidden, kind, size, layer());
          });
  }

  /** `[b, dim, ...grid] -> [b, channels, ...size]`. */
  forward(z: Tensor): Tensor {
    let y = this.in.forward(z);
    for (const block of this.blocks) y = block.forward(y);
    return this.up.reduce((h, layer) => layer.forward(relu(h)), y);
  }
}

/** Layers one after the other, each with a key of its own. */
function layersOf({ sizes, dtype }: StackOptions, key: Key | null): () => Layer {
  const base = { rank: sizes[0]!.length, key, dtype };
  let stream = 0;
  return () => streamOf(base, stream++);
}

function streamOf(layer: Layer, stream: number): Layer {
  return { ...layer, key: layer.key === null ? null : layer.key.fold(stream) };
}
