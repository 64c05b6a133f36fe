/** Dropout by explicit key: the same key drops the same entries. */
import {
  bernoulli,
  type Key,
  mul,
  ShapeError,
  sameShape,
  type Tensor,
  ValueError,
} from '@loretta-ts/core';
import { Module } from '../module';

/** Zeroes entries with probability p and scales the others by 1 / (1 − p) (Srivastava et al. 2014). */
export class Dropout extends Module {
  /** Probability that an entry is dropped. */
  readonly p: number;

  /** @throws ValueError when p is outside [0, 1] */
  constructor(p: number) {
    super();
    checkProbability(p);
    this.p = p;
  }

  /** Same shape. A null key is evaluation: x itself. */
  forward(x: Tensor, key: Key | null): Tensor {
    return key === null ? x : dropout(x, this.p, key);
  }
}

/** Drops entries of x with probability p. @throws ValueError when p is outside [0, 1] */
export function dropout(x: Tensor, p: number, key: Key): Tensor {
  checkProbability(p);
  return p === 0 ? x : dropoutMasked(x, bernoulli(key, 1 - p, x.shape), p);
}

/** `(x, mask: bool of the shape of x) -> x / (1 − p)` where the mask is true, else 0. */
export function dropoutMasked(x: Tensor, mask: Tensor, p: number): Tensor {
  checkProbability(p);
  if (!sameShape(x.shape, mask.shape)) {
    throw new ShapeError(
      'dropout',
      `mask [${mask.shape.join(',')}] is not of the shape of x [${x.shape.join(',')}]`,
      [x.shape, mask.shape],
    );
  }
  const scale = p === 1 ? 0 : 1 / (1 - p);
  return mul(x, mask.cast(x.dtype).mul(scale));
}

function checkProbability(p: number): void {
  if (!(p >= 0 && p <= 1)) throw new ValueError('dropout', `p is ${p}, not in [0, 1]`);
}
