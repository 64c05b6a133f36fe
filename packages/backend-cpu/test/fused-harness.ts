/** Compares a function of tensors and its gradient on a SIMD backend in f32 with the reference in f64. */
import {
  type Backend,
  type Tensor,
  tensor,
  tidy,
  type TypedArray,
  vjp,
  withBackend,
} from '@loretta-ts/core';
import { expect } from 'vitest';
import { mismatch, reference, values } from './kernel-harness';

export interface Input {
  readonly shape: readonly number[];
  readonly data: TypedArray;
}

export function input(shape: readonly number[], seed: number, factor = 1): Input {
  const size = shape.reduce((a, b) => a * b, 1);
  return { shape, data: values(size, seed).map((x) => x * factor) };
}

/** Float inputs become f32 or f64, Int32Array and Uint8Array stay i32 and bool. */
function place(x: Input, float: 'f32' | 'f64'): Tensor {
  const dtype =
    x.data instanceof Int32Array ? 'i32' : x.data instanceof Uint8Array ? 'bool' : float;
  return tensor(x.data, { shape: x.shape, dtype });
}

type Fn = (floats: readonly Tensor[], fixed: readonly Tensor[]) => Tensor;

function evaluate(
  backend: Backend,
  float: 'f32' | 'f64',
  fn: Fn,
  floats: readonly Input[],
  fixed: readonly Input[],
): TypedArray[] {
  return withBackend(backend, () => {
    const found: TypedArray[] = [];
    tidy(() => {
      const xs = floats.map((x) => place(x, float));
      const rest = fixed.map((x) => place(x, float));
      const { value, pullback } = vjp((...ts) => fn(ts, rest), ...xs);
      const upstream = place({ shape: value.shape, data: values(value.size, 77) }, float);
      for (const t of [value, ...pullback(upstream)]) found.push(t.dataSync());
      return undefined;
    });
    return found;
  });
}

/** The value of `fn` and its gradient for `floats` agree, and no buffer is left. */
export function agree(
  backend: Backend,
  fn: Fn,
  floats: readonly Input[],
  fixed: readonly Input[] = [],
  rtol = 2e-5,
  atol = 4e-6,
): void {
  const before = backend.memory().buffers;
  const got = evaluate(backend, 'f32', fn, floats, fixed);
  const want = evaluate(reference, 'f64', fn, floats, fixed);
  expect(got.length).toBe(floats.length + 1);
  got.forEach((g, i) => {
    expect(
      mismatch(g, want[i]!, rtol, atol),
      i === 0 ? 'value' : `gradient ${i - 1}`,
    ).toBeLessThanOrEqual(1);
  });
  expect(backend.memory().buffers).toBe(before);
}
