/** Tables of calls with what they give, written out. */
import { expect } from 'vitest';
import { type DType, getBackend, scope, showAval, type Shape, type Tensor, tensor } from '../src';

/** A call, the dtype and shape of its result as `f32[2,3]`, and its elements in row-major order. */
export type Row = readonly [
  name: string,
  call: () => Tensor,
  aval: string,
  data: readonly number[],
];

/** What a tensor is and holds. */
export function read(t: Tensor): readonly [aval: string, data: readonly number[]] {
  return [showAval(t), [...t.dataSync()]];
}

/** The result is of that dtype and shape, and every element is that number, zeros with their sign. */
export function gives([, call, aval, data]: Row): void {
  expect(read(call())).toEqual([aval, data]);
}

/** A tensor of any dtype; a vector unless a shape is given. */
export function of(dtype: DType, data: readonly number[], shape: Shape = [data.length]): Tensor {
  return tensor(Float64Array.from(data), { shape, dtype });
}

/** f64. */
export const f = (data: readonly number[], shape?: Shape): Tensor => of('f64', data, shape);
/** i32. */
export const i = (data: readonly number[], shape?: Shape): Tensor => of('i32', data, shape);
/** bool. */
export const b = (data: readonly number[], shape?: Shape): Tensor => of('bool', data, shape);

/** 0, 1, 2, … of a shape, f64. */
export function counted(...shape: number[]): Tensor {
  const size = shape.reduce((n, d) => n * d, 1);
  return f(
    Array.from({ length: size }, (_, k) => k),
    shape,
  );
}

/** Calls that are refused, the start of the message, which begins with the op, and the shapes that the error names. */
export type RefusedShapes = readonly (readonly [
  name: string,
  call: () => unknown,
  message: string,
  shapes: readonly Shape[],
])[];

const startsWith = (text: string): RegExp =>
  new RegExp(`^${text.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')}`);

/** The call throws what is described, and leaves nothing behind. */
export function refused(call: () => unknown, message: string, fields: object): void {
  const s = scope();
  let error: unknown = null;
  try {
    s.run(call);
  } catch (e) {
    error = e;
  }
  s.dispose();
  expect((error as Error | null)?.message).toMatch(startsWith(message));
  expect(error).toMatchObject({ op: message.slice(0, message.indexOf(':')), ...fields });
  expect(getBackend().memory().buffers).toBe(0);
}
