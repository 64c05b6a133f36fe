/** Discrete autoencoders: VQ-VAE (van den Oord et al. 2017) and the dVAE of DALL-E (Ramesh et al. 2021). */
import {
  construct,
  type FloatDType,
  type Key,
  permute,
  ShapeError,
  sameShape,
  type Tensor,
  tidy,
} from '@loretta-ts/core';
import { mseLoss } from '../losses';
import { Module } from '../module';
import { resolveVqVaeConfig, type ResolvedVqVaeConfig, type VqVaeConfig } from './config';
import { GumbelQuantizer } from './gumbelQuantizer';
import { VqDecoder, VqEncoder } from './layers';
import { VectorQuantizer } from './vectorQuantizer';

/** Options of a forward pass in training. */
export interface VqForwardOptions {
  /** Of the Gumbel noise; null is evaluation. `vq` draws nothing. */
  readonly key: Key | null;
  /** τ of the relaxation; default 1. */
  readonly temperature?: number;
  /** Weight of KL(q ‖ uniform); default 0. */
  readonly klWeight?: number;
}

/** What a forward pass gives. */
export interface VqForward {
  /** `[b, channels, ...size]`. */
  readonly reconstruction: Tensor;
  /** Mean squared error of the reconstruction. */
  readonly error: Tensor;
  /** What training minimises: the error with the quantizer's own loss. */
  readonly loss: Tensor;
  /** exp of the entropy of the codes in use, from 1 to K. */
  readonly perplexity: Tensor;
  /** `i32[b, ...grid]`. */
  readonly indices: Tensor;
  /** `[b, ...grid, dim]`, what the encoder made: `VectorQuantizer.update` needs it. Logits for `gumbel`. */
  readonly latent: Tensor;
}

/** An autoencoder with a codebook in its middle: `size` of the input becomes a grid of codes, and back. */
export class VqVae extends Module {
  /** The configuration with all defaults; plain JSON. */
  readonly config: ResolvedVqVaeConfig;
  /** Sizes of the grid of codes: each axis halved, rounded up, once a level. */
  readonly grid: readonly number[];
  /** Convolutions down to the grid. */
  readonly encoder: VqEncoder;
  /** The codebook. */
  readonly quantizer: VectorQuantizer | GumbelQuantizer;
  /** Convolutions up from the grid. */
  readonly decoder: VqDecoder;

  /** @param key null makes zeros, to be loaded @throws ValueError for a configuration out of range */
  constructor(config: VqVaeConfig, key: Key | null) {
    super();
    this.config = resolveVqVaeConfig(config);
    const c = this.config;
    const sizes = [c.size];
    for (let i = 0; i < c.levels; i++) sizes.push(sizes[i]!.map((n) => Math.ceil(n / 2)));
    this.grid = sizes.at(-1)!;
    const stack = { sizes, hidden: c.hidden, blocks: c.blocks, dtype: c.dtype };
    const part = (stream: number): Key | null => (key === null ? null : key.fold(stream));
    const { codes, dim, dtype, commitment, decay, revive } = c;
    const relaxed = c.quantizer === 'gumbel';
    const parts = construct(() => ({
      encoder: new VqEncoder(c.channels, relaxed ? codes : dim, stack, part(0)),
      quantizer: relaxed
        ? new GumbelQuantizer({ codes, dim, dtype, key: part(1) })
        : new VectorQuantizer({ codes, dim, dtype, commitment, decay, revive, key: part(1) }),
      decoder: new VqDecoder(dim, c.channels, c.upsampling, stack, part(2)),
    }));
    this.encoder = parts.encoder;
    this.quantizer = parts.quantizer;
    this.decoder = parts.decoder;
  }

  /** Number of codes of one input. */
  get tokens(): number {
    return this.grid.reduce((n, d) => n * d, 1);
  }

  /** `[b, channels, ...size]`: reconstruction and losses. @throws ShapeError for another shape */
  forward(x: Tensor, options: VqForwardOptions): VqForward {
    const { key, temperature = 1, klWeight = 0 } = options;
    const latent = this.encodeLatent(x); // [b, ...grid, d]
    const { quantizer } = this;
    if (quantizer instanceof GumbelQuantizer) {
      const q = quantizer.forward(latent, temperature, key);
      const reconstruction = this.decodeLatent(q.quantized);
      const error = mseLoss(reconstruction, x);
      const loss = klWeight === 0 ? error : error.add(q.kl.mul(klWeight));
      const { indices, perplexity } = q;
      return { reconstruction, error, loss, perplexity, indices, latent };
    }
    const q = quantizer.forward(latent);
    const reconstruction = this.decodeLatent(q.quantized);
    const error = mseLoss(reconstruction, x);
    const { indices, perplexity } = q;
    return { reconstruction, error, loss: error.add(q.loss), perplexity, indices, latent };
  }

  /** `[b, channels, ...size] -> i32[b, tokens]`, the grid in row-major order. @throws ShapeError */
  encode(x: Tensor): Tensor {
    return tidy(() => this.quantizer.indices(this.encodeLatent(x)).reshape(-1, this.tokens));
  }

  /** `i32[b, tokens] -> [b, channels, ...size]`. @throws ShapeError; ValueError for an index outside [0, codes) */
  decode(indices: Tensor): Tensor {
    if (indices.rank !== 2 || indices.shape[1] !== this.tokens) {
      throw new ShapeError(
        'VqVae.decode',
        `indices [${indices.shape.join(',')}] are not [b, ${this.tokens}]`,
        [indices.shape],
      );
    }
    return tidy(() => this.decodeLatent(this.quantizer.lookup(indices.reshape(-1, ...this.grid))));
  }

  /** `[b, channels, ...size] -> [b, ...grid, dim]`; logits over the codes for `gumbel`. @throws ShapeError */
  encodeLatent(x: Tensor): Tensor {
    const { channels, size } = this.config;
    const want = [channels, ...size];
    if (x.rank !== want.length + 1 || !sameShape(x.shape.slice(1), want) || x.size === 0) {
      throw new ShapeError('VqVae', `x [${x.shape.join(',')}] is not [b, ${want.join(', ')}]`, [
        x.shape,
      ]);
    }
    const y = this.encoder.forward(x); // [b, d, ...grid]
    return permute(y, [0, ...size.map((_, i) => i + 2), 1]);
  }

  private decodeLatent(z: Tensor): Tensor {
    const last = z.rank - 1;
    return this.decoder.forward(permute(z, [0, last, ...this.grid.map((_, i) => i + 1)]));
  }

  /** Element type of inputs and parameters. */
  get dtype(): FloatDType {
    return this.config.dtype;
  }
}
