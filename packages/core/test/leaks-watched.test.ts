/** Which tensors are watched for leaks; that leaks are reported is a test of its own, in a process of its own. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { afterEach, expect, it, vi } from 'vitest';
import { capture, exp, mul, setBackend, type Tensor, tensor } from '../src';
import { reportLeaks } from '../src/debug';

afterEach(() => {
  reportLeaks(null);
  vi.restoreAllMocks();
});

it('memory is watched from its allocation until its last handle is disposed of, and nothing else is', () => {
  setBackend(referenceBackend());
  const watched = new Map<unknown, unknown>();
  vi.spyOn(FinalizationRegistry.prototype, 'register').mockImplementation((_, what, token) => {
    watched.set(token, what);
  });
  vi.spyOn(FinalizationRegistry.prototype, 'unregister').mockImplementation((token) =>
    watched.delete(token),
  );
  const before = tensor([1]);
  reportLeaks(() => undefined);
  const [x, y] = [tensor([1, 2, 3]), tensor([7], { dtype: 'i32' })];
  const view = x.narrow(0, 1, 2);
  const all = (): unknown[] => [...watched.values()];
  expect(all()).toEqual([
    'reference: f32[3] was never disposed',
    'reference: i32[1] was never disposed',
  ]);
  x.dispose();
  expect(all()).toHaveLength(2);
  view.dispose();
  y.dispose();
  before.dispose();
  expect(all()).toEqual([]);
  // what a recording computes on has no memory
  const input = tensor([1, 2]);
  using f = capture((t: Tensor) => exp(mul(t, 2)));
  f.call(input).dispose();
  expect([...watched.keys()]).toEqual([input.storage]);
  input.dispose();
});

it('nothing is watched before that is asked for, nor after it is no more', () => {
  setBackend(referenceBackend());
  const register = vi.spyOn(FinalizationRegistry.prototype, 'register');
  using _before = tensor([1]);
  expect(register).not.toHaveBeenCalled();
  reportLeaks(() => undefined);
  const x = tensor([1, 2]);
  reportLeaks(null);
  using _after = tensor([1, 2, 3]);
  expect(register.mock.calls.map(([, what]) => what)).toEqual([
    'reference: f32[2] was never disposed',
  ]);
  x.dispose();
});
