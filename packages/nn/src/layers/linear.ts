/** y = x Wᵀ + b. */
import {
  embedding,
  type FloatDType,
  type Key,
  matmul,
  normal,
  ShapeError,
  type Tensor,
  zeros,
} from '@loretta-ts/core';
import { Module, Param } from '../module';

/** Options of `Linear`. */
export interface LinearOptions {
  /** Default false. */
  readonly bias?: boolean;
  /** Null makes zeros, to be loaded. */
  readonly key: Key | null;
  /** Standard deviation of the weight; default 0.02. */
  readonly std?: number;
  /** Default `f32`. */
  readonly dtype?: FloatDType;
}

/** A dense layer; the weight is `[out, in]`. */
export class Linear extends Module {
  /** `[out, in]`. */
  readonly weight: Param;
  /** `[out]`, or null. */
  readonly bias: Param | null;

  constructor(inSize: number, outSize: number, options: LinearOptions) {
    super();
    const { bias = false, key, std = 0.02, dtype = 'f32' } = options;
    this.weight = new Param(randomOrZeros(key, [outSize, inSize], std, dtype));
    this.bias = bias ? new Param(zeros([outSize], { dtype })) : null;
  }

  /** `[..., in] -> [..., out]`. @throws ShapeError when the last axis is not `in` */
  forward(x: Tensor): Tensor {
    return linear(x, this.weight.value, this.bias?.value ?? null);
  }
}

/**
 * `(x: [..., in], weight: [out, in], bias: [out]?) -> [..., out]`.
 * @throws ShapeError when the sizes differ
 */
export function linear(x: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  const [outSize, inSize] = weight.shape;
  if (weight.rank !== 2 || x.rank < 1 || x.shape[x.rank - 1] !== inSize) {
    throw new ShapeError(
      'linear',
      `x [${x.shape.join(',')}] needs ${inSize} as its last size for a weight [${weight.shape.join(',')}] ([out, in])`,
      [x.shape, weight.shape],
    );
  }
  if (bias !== null && (bias.rank !== 1 || bias.shape[0] !== outSize)) {
    throw new ShapeError('linear', `bias [${bias.shape.join(',')}] is not [${outSize}]`, [
      bias.shape,
    ]);
  }
  const rows = x.reshape(-1, inSize!); // [n, in]: one product, whatever the leading axes
  const y = matmul(rows, weight, { transB: true }); // [n, out]
  return (bias === null ? y : y.add(bias)).reshape(...x.shape.slice(0, -1), outSize!);
}

/** `(x: [b, t, d], rows: i32[n]) -> [n, d]`: rows of the flattened `[b · t, d]`, row = i · t + j. Differentiable. */
export function selectRows(x: Tensor, rows: Tensor): Tensor {
  return embedding(x.reshape(-1, x.shape[x.rank - 1]!), rows);
}

/** N(0, std²), or zeros without a key. */
export function randomOrZeros(
  key: Key | null,
  shape: readonly number[],
  std: number,
  dtype: FloatDType,
): Tensor {
  return key === null ? zeros(shape, { dtype }) : normal(key, shape, { mean: 0, std, dtype });
}
