/** Vector quantisation: each vector becomes the nearest of K codes (van den Oord et al. 2017). */
import {
  add,
  argmax,
  argsort,
  div,
  embedding,
  embeddingGrad,
  type FloatDType,
  full,
  type Key,
  lt,
  matmul,
  mul,
  normal,
  ones,
  ShapeError,
  square,
  stopGradient,
  sub,
  sum,
  type Tensor,
  tidy,
  tile,
  uniform,
  unsqueeze,
  ValueError,
  where,
  zeros,
} from '@loretta-ts/core';
import { mseLoss } from '../losses';
import { Module, Param } from '../module';
import { perplexity } from './perplexity';

/** Options of `VectorQuantizer`. */
export interface VectorQuantizerOptions {
  /** Number of codes, K. */
  readonly codes: number;
  /** Width of a code. */
  readonly dim: number;
  /** Null makes zeros, to be loaded. */
  readonly key: Key | null;
  /** β, the weight of the commitment loss; default 0.25. */
  readonly commitment?: number;
  /**
   * Share of the past in the codes' moving averages in [0, 1); default 0.99. Null: the codes are trained by the
   * codebook loss instead.
   */
  readonly decay?: number | null;
  /** Of the Laplace smoothing of the counts; default 1e-5. */
  readonly eps?: number;
  /** A code is dead when its average count is below this share of an even one, n / K; default 0: none is. */
  readonly revive?: number;
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** What a quantizer makes of vectors. */
export interface Quantized {
  /** `i32[...]`: the nearest code of each vector, the lowest of a tie. */
  readonly indices: Tensor;
  /** `[..., dim]`: the codes; their gradient is passed to the vectors as it is (straight through). */
  readonly quantized: Tensor;
  /** ‖sg(z) − e‖², the mean over elements. */
  readonly codebookLoss: Tensor;
  /** ‖z − sg(e)‖², the mean over elements. */
  readonly commitmentLoss: Tensor;
  /** β · commitment, and the codebook loss where the codes are trained by it (eq. 3). */
  readonly loss: Tensor;
  /** exp of the entropy of the codes in use, from 1 to K. */
  readonly perplexity: Tensor;
}

/**
 * A codebook. With `decay` its codes are moving averages of the vectors that chose them (van den Oord et al. 2017,
 * appendix A.1), and codes that die out start anew from the batch (Dhariwal et al. 2020, Jukebox): `update` does both.
 */
export class VectorQuantizer extends Module {
  /** `[codes, dim]`. */
  readonly codebook: Param;
  /** `[codes]`: moving average of the counts, N; null without `decay`. */
  readonly cluster_size: Param | null;
  /** `[codes, dim]`: moving average of the sums, m; null without `decay`. */
  readonly ema_w: Param | null;
  /** Options with the defaults filled in. */
  readonly options: Omit<Required<VectorQuantizerOptions>, 'key'>;

  /** @throws ValueError for sizes or shares out of range */
  constructor(options: VectorQuantizerOptions) {
    super();
    const {
      codes,
      dim,
      key,
      commitment = 0.25,
      decay = 0.99,
      eps = 1e-5,
      revive = 0,
      dtype = 'f32',
    } = options;
    this.options = { codes, dim, commitment, decay, eps, revive, dtype };
    check(this.options);
    const shape = [codes, dim];
    const trained = decay === null;
    const start = key === null ? zeros(shape, { dtype }) : normal(key, shape, { dtype });
    this.codebook = new Param(start, false, trained);
    this.cluster_size = trained ? null : new Param(ones([codes], { dtype }), false, false);
    this.ema_w = trained ? null : new Param(add(start, 0), false, false);
  }

  /** `[..., dim]`: each vector's code with its losses. @throws ShapeError unless the last size is `dim` */
  forward(z: Tensor): Quantized {
    const indices = this.indices(z);
    const chosen = this.lookup(indices); // [..., dim]
    const codebookLoss = mseLoss(chosen, stopGradient(z));
    const commitmentLoss = mseLoss(z, stopGradient(chosen));
    const weighted = mul(commitmentLoss, this.options.commitment);
    return {
      indices,
      quantized: add(z, stopGradient(sub(chosen, z))),
      codebookLoss,
      commitmentLoss,
      loss: this.options.decay === null ? add(codebookLoss, weighted) : weighted,
      perplexity: perplexity(indices, this.options.codes, z.dtype as FloatDType),
    };
  }

  /** `[..., dim] -> i32[...]`. @throws ShapeError unless the last size is `dim` */
  indices(z: Tensor): Tensor {
    this.rows('VectorQuantizer', z);
    return nearestCode(z, this.codebook.value);
  }

  /** `i32[...] -> [..., dim]`. @throws ValueError for an index outside [0, codes) */
  lookup(indices: Tensor): Tensor {
    return embedding(this.codebook.value, indices);
  }

  /**
   * Moves the averages on by a batch, N ← γN + (1 − γ)n and m ← γm + (1 − γ)Σz, sets the codes to m / N with N smoothed,
   * and puts vectors of the batch in the place of dead codes, each as if an even share had chosen it.
   * @param z `[..., dim]` @param indices `i32[...]`, what `forward` chose @param key draws the vectors that revive
   * @throws ValueError without `decay`, or with `revive` and no key
   */
  update(z: Tensor, indices: Tensor, key: Key | null): void {
    const { codes, decay, eps, revive, dtype } = this.options;
    const [size, sums] = this.averages('update', decay);
    if (revive > 0 && key === null)
      throw new ValueError('VectorQuantizer.update', 'revive needs a key to draw vectors by');
    tidy(() => {
      const rows = this.rows('VectorQuantizer.update', z); // [n, dim]
      const n = rows.shape[0]!;
      const ids = indices.reshape(n);
      const blend = (old: Param, now: Tensor): Tensor =>
        add(mul(old.value, decay!), mul(now, 1 - decay!));
      let nextSize = blend(size, embeddingGrad(ids, ones([n], { dtype }), codes)); // [k]
      let nextSums = blend(sums, embeddingGrad(ids, rows, codes)); // [k, d]
      const total = sum(nextSize);
      const smoothed = mul(div(add(nextSize, eps), add(total, codes * eps)), total);
      let next = div(nextSums, unsqueeze(smoothed, 1));
      if (revive > 0) {
        const even = n / codes;
        const dead = lt(nextSize, revive * even); // [k]
        const deadRows = unsqueeze(dead, 1);
        const fresh = randomRows(rows, codes, key!);
        next = where(deadRows, fresh, next);
        nextSums = where(deadRows, mul(fresh, even), nextSums);
        nextSize = where(dead, even, nextSize);
      }
      size.assign(nextSize);
      sums.assign(nextSums);
      this.codebook.assign(next);
    });
  }

  /** Takes the codes from random vectors of a batch `[..., dim]`, as the first step of a training does. */
  initialise(z: Tensor, key: Key): void {
    const { codes, decay, dtype } = this.options;
    tidy(() => {
      const rows = this.rows('VectorQuantizer.initialise', z);
      const fresh = randomRows(rows, codes, key);
      const even = rows.shape[0]! / codes;
      if (decay !== null) {
        const [size, sums] = this.averages('initialise', decay);
        size.assign(full([codes], even, { dtype }));
        sums.assign(mul(fresh, even));
      }
      this.codebook.assign(fresh);
    });
  }

  private averages(op: string, decay: number | null): readonly [size: Param, sums: Param] {
    if (decay === null || this.cluster_size === null || this.ema_w === null) {
      throw new ValueError(
        `VectorQuantizer.${op}`,
        'the codes are trained by their loss: give a decay to have moving averages',
      );
    }
    return [this.cluster_size, this.ema_w];
  }

  /** The vectors as `[n, dim]`. */
  private rows(op: string, z: Tensor): Tensor {
    const { dim } = this.options;
    if (z.rank < 1 || z.shape[z.rank - 1] !== dim) {
      throw new ShapeError(op, `z [${z.shape.join(',')}] needs ${dim} as its last size`, [z.shape]);
    }
    if (z.size === 0)
      throw new ShapeError(op, `z [${z.shape.join(',')}] has no vectors`, [z.shape]);
    return z.reshape(-1, dim);
  }
}

/**
 * Index of the nearest row of `codebook [k, d]` for each vector of `z [..., d]`: `i32[...]`, the lowest of a tie. Exact
 * up to the rounding of ‖z − e‖² = ‖z‖² − 2(z·e − ½‖e‖²).
 */
export function nearestCode(z: Tensor, codebook: Tensor): Tensor {
  return tidy(() => {
    const rows = z.reshape(-1, codebook.shape[1]!); // [n, d]
    const half = mul(sum(square(codebook), 1), 0.5); // [k]
    const score = sub(matmul(rows, codebook, { transB: true }), half); // [n, k]
    return argmax(score, 1).reshape(...z.shape.slice(0, -1));
  });
}

/** `count` rows of `[n, d]` in random order, all different where n >= count: `[count, d]`. */
function randomRows(rows: Tensor, count: number, key: Key): Tensor {
  const n = rows.shape[0]!;
  // the order of floats, not of 32-bit words: every backend sorts those
  const order = argsort(uniform(key, [n])); // [n]
  const enough = n >= count ? order : tile(order, [Math.ceil(count / n)]);
  return embedding(rows, enough.narrow(0, 0, count));
}

function check(o: VectorQuantizer['options']): void {
  const op = 'VectorQuantizer';
  const count = (name: string, x: number): void => {
    if (!Number.isInteger(x) || x < 1)
      throw new ValueError(op, `${name} is ${x}, not an integer from 1`);
  };
  count('codes', o.codes);
  count('dim', o.dim);
  const rules: readonly (readonly [boolean, string])[] = [
    [
      o.commitment >= 0 && Number.isFinite(o.commitment),
      `commitment is ${o.commitment}, not 0 or more`,
    ],
    [o.decay === null || (o.decay >= 0 && o.decay < 1), `decay is ${o.decay}, not in [0, 1)`],
    [o.eps > 0 && Number.isFinite(o.eps), `eps is ${o.eps}, not positive`],
    [o.revive >= 0 && o.revive < 1, `revive is ${o.revive}, not in [0, 1)`],
    [o.revive === 0 || o.decay !== null, 'revive needs a decay: counts are moving averages'],
  ];
  for (const [holds, problem] of rules) if (!holds) throw new ValueError(op, problem);
}
