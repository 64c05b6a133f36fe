/** The relaxed codebook of DALL-E's dVAE: a Gumbel-softmax over codes (Ramesh et al. 2021; Jang et al. 2017). */
import {
  add,
  argmax,
  div,
  embedding,
  exp,
  type FloatDType,
  gumbel,
  type Key,
  logSoftmax,
  matmul,
  mean,
  mul,
  normal,
  ShapeError,
  softmax,
  sum,
  type Tensor,
  ValueError,
  zeros,
} from '@loretta-ts/core';
import { Module, Param } from '../module';
import { perplexity } from './perplexity';

/** Options of `GumbelQuantizer`. */
export interface GumbelQuantizerOptions {
  /** Number of codes, K. */
  readonly codes: number;
  /** Width of a code. */
  readonly dim: number;
  /** Null makes zeros, to be loaded. */
  readonly key: Key | null;
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** What relaxed codes give. */
export interface Relaxed {
  /** `i32[...]`: the most probable code. */
  readonly indices: Tensor;
  /** `[..., dim]`: the mixture of codes; without a key the most probable code. */
  readonly quantized: Tensor;
  /** KL(q ‖ uniform) in nats, the mean over positions; from 0 to ln K. */
  readonly kl: Tensor;
  /** exp of the entropy of the most probable codes, from 1 to K. */
  readonly perplexity: Tensor;
}

/** A codebook that logits over its codes mix. */
export class GumbelQuantizer extends Module {
  /** `[codes, dim]`. */
  readonly codebook: Param;

  /** @throws ValueError for sizes out of range */
  constructor({ codes, dim, key, dtype = 'f32' }: GumbelQuantizerOptions) {
    super();
    for (const [name, x] of Object.entries({ codes, dim })) {
      if (!Number.isInteger(x) || x < 1)
        throw new ValueError('GumbelQuantizer', `${name} is ${x}, not an integer from 1`);
    }
    const shape = [codes, dim];
    const start = key === null ? zeros(shape, { dtype }) : normal(key, shape, { dtype });
    this.codebook = new Param(start, false);
  }

  /**
   * softmax((logits + g) / τ) · codebook with Gumbel noise g of the key.
   * @param logits `[..., codes]`
   * @param temperature τ; towards 0 the mixture becomes a single code
   * @param key null is evaluation: the most probable code, no noise
   * @throws ShapeError unless the last size is `codes`; ValueError unless τ is positive
   */
  forward(logits: Tensor, temperature: number, key: Key | null): Relaxed {
    const codes = this.codebook.shape[0]!;
    if (!(temperature > 0 && Number.isFinite(temperature)))
      throw new ValueError('GumbelQuantizer', `temperature is ${temperature}, not positive`);
    const indices = this.indices(logits);
    const dtype = logits.dtype as FloatDType;
    const logq = logSoftmax(logits); // [..., k]
    const kl = add(mean(sum(mul(exp(logq), logq), -1)), Math.log(codes));
    const quantized =
      key === null
        ? this.lookup(indices)
        : this.mix(softmax(div(add(logits, gumbel(key, logits.shape, { dtype })), temperature)));
    return { indices, quantized, kl, perplexity: perplexity(indices, codes, dtype) };
  }

  /** `[..., codes] -> i32[...]`. @throws ShapeError unless the last size is `codes` */
  indices(logits: Tensor): Tensor {
    const codes = this.codebook.shape[0]!;
    if (logits.rank < 1 || logits.shape[logits.rank - 1] !== codes || logits.size === 0) {
      throw new ShapeError(
        'GumbelQuantizer',
        `logits [${logits.shape.join(',')}] need ${codes} as their last size, and a row`,
        [logits.shape],
      );
    }
    return argmax(logits, -1);
  }

  /** `i32[...] -> [..., dim]`. @throws ValueError for an index outside [0, codes) */
  lookup(indices: Tensor): Tensor {
    return embedding(this.codebook.value, indices);
  }

  /** `[..., codes] -> [..., dim]`. */
  private mix(weights: Tensor): Tensor {
    const [codes, dim] = this.codebook.shape as [number, number];
    const rows = matmul(weights.reshape(-1, codes), this.codebook.value); // [n, dim]
    return rows.reshape(...weights.shape.slice(0, -1), dim);
  }
}
