/** Tensors from nothing: constants and counters. */
import { apply1 } from '../apply';
import type { DType, Shape } from '../dtype';
import { ValueError } from '../errors';
import type { Op } from '../op';
import { checkShape } from '../shape-rules';
import type { Tensor } from '../tensor';

export const fillOp: Op<'fill'> = {
  name: 'fill',
  infer(_ins, { shape, dtype }) {
    checkShape('fill', shape);
    return [{ shape, dtype }];
  },
  vjp: null,
};

export const iotaOp: Op<'iota'> = {
  name: 'iota',
  infer(_ins, { size, dtype }) {
    checkShape('iota', [size]);
    return [{ shape: [size], dtype }];
  },
  vjp: null,
};

/** Options of tensors that are made from nothing. */
export interface CreateOptions {
  /** Default `f32`. */
  readonly dtype?: DType;
}

/** A tensor of one value everywhere. @throws ShapeError for a size that is not a non-negative integer */
export function full(shape: Shape, value: number, options: CreateOptions = {}): Tensor {
  const dtype = options.dtype ?? 'f32';
  if (dtype === 'i32' && !Number.isInteger(value)) {
    throw new ValueError('full', `${value} is not an integer: use dtype 'f32'`);
  }
  return apply1(fillOp, [], { shape: [...shape], dtype, value });
}

/** A tensor of zeros. @throws ShapeError */
export function zeros(shape: Shape, options: CreateOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** A tensor of ones. @throws ShapeError */
export function ones(shape: Shape, options: CreateOptions = {}): Tensor {
  return full(shape, 1, options);
}

/** `start, start + step, …`, `[size]`; i32 unless a float dtype is named. */
export function iota(
  size: number,
  options: {
    readonly dtype?: Exclude<DType, 'bool'>;
    readonly start?: number;
    readonly step?: number;
  } = {},
): Tensor {
  const { dtype = 'i32', start = 0, step = 1 } = options;
  if (dtype === 'i32' && !(Number.isInteger(start) && Number.isInteger(step))) {
    throw new ValueError(
      'iota',
      `start ${start} and step ${step} are not integers: use dtype 'f32'`,
    );
  }
  return apply1(iotaOp, [], { size, dtype, start, step });
}
