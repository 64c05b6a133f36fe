/** What a refused call throws, and that it leaves no memory behind. */
import { expect, it } from 'vitest';
import { type Backend, type DType, getBackend, type Tensor, zeros } from '../src';

/** The error of a call. @throws Error when there is none */
export function caught(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}

/** Zeros for each `f32[2,3]` of a list. */
function zerosOf(list: string): Tensor[] {
  return [...list.matchAll(/(\w+)\[([\d,]*)\]/g)].map(([, dtype, sizes]) =>
    zeros(sizes === '' ? [] : sizes!.split(',').map(Number), { dtype: dtype as DType }),
  );
}

/** What a call throws, as plain fields. @throws Error when it throws nothing, or leaves buffers */
export function refusal(
  backend: Backend,
  inputs: string,
  call: (...xs: Tensor[]) => unknown,
): Record<string, unknown> {
  const xs = zerosOf(inputs);
  const before = backend.memory().buffers;
  const error = caught(() => call(...xs)) as Error;
  const left = backend.memory().buffers - before;
  if (left !== 0) throw new Error(`${left} buffers left`, { cause: error });
  return { ...error, message: error.message };
}

/** A call that is refused, and in what words; the op is what stands before the colon. */
export type Refusal = readonly [
  inputs: string,
  call: (...xs: Tensor[]) => unknown,
  message: string,
];

/** A test for each row, on the backend that is set then. */
export function refused(
  name: 'ShapeError' | 'DTypeError' | 'ValueError',
  rows: readonly Refusal[],
): void {
  it.each(rows)('%s: $2', (inputs, call, message) => {
    const op = message.slice(0, message.indexOf(':'));
    expect(refusal(getBackend(), inputs, call)).toMatchObject({ name, op, message });
  });
}
