/** Host values into device memory. */
import { allocate } from './apply';
import type { Backend } from './backend';
import { type DType, type Shape, type TypedArray, typedArray } from './dtype';
import type { Tensor } from './tensor';

/** A tensor of host values, converted to the dtype. */
export function fromHost(
  backend: Backend,
  data: ArrayLike<number>,
  shape: Shape,
  dtype: DType,
): Tensor {
  const t = allocate(backend, { shape, dtype });
  const typed = typedArray(dtype, 0);
  // bytes become 0 and 1
  const matches = dtype !== 'bool' && data.constructor === typed.constructor;
  let values: TypedArray;
  if (matches) {
    values = data as TypedArray;
  } else {
    values = typedArray(dtype, data.length);
    for (let i = 0; i < data.length; i++)
      values[i] = dtype === 'bool' ? Number(data[i] !== 0) : data[i]!;
  }
  backend.write(t.view().buffer, 0, values);
  return t;
}
