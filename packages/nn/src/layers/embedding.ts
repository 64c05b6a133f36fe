/** A table of rows. */
import { embedding, type FloatDType, type Key, type Tensor } from '@loretta-ts/core';
import { Module, Param } from '../module';
import { randomOrZeros } from './linear';

/** Options of `Embedding`. */
export interface EmbeddingOptions {
  /** Null makes zeros, to be loaded. */
  readonly key: Key | null;
  /** Standard deviation; default 0.02. */
  readonly std?: number;
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** Rows of a table `[rows, dim]` by id. */
export class Embedding extends Module {
  /** `[rows, dim]`. */
  readonly weight: Param;

  constructor(rows: number, dim: number, options: EmbeddingOptions) {
    super();
    const { key, std = 0.02, dtype = 'f32' } = options;
    this.weight = new Param(randomOrZeros(key, [rows, dim], std, dtype));
  }

  /** `i32[...] -> [..., dim]`. @throws ValueError for an id outside the table */
  forward(ids: Tensor): Tensor {
    return embedding(this.weight.value, ids);
  }
}
