/** Captured functions: what does not depend on inputs, and programs at rest. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  type Backend,
  capture,
  full,
  iota,
  type Kernels,
  mul,
  setBackend,
  type Tensor,
  tensor,
  tidy,
  updateSlice,
  zeros,
} from '../src';

/** Names of the kernels that ran, in order. */
let ran: string[];
let backend: Backend;
beforeEach(() => {
  ran = [];
  const plain = referenceBackend();
  const kernels = Object.fromEntries(
    Object.entries(plain.kernels).map(([name, kernel]) => [
      name,
      (...args: unknown[]) => {
        ran.push(name);
        (kernel as (...args: unknown[]) => void)(...args);
      },
    ]),
  ) as unknown as Kernels;
  backend = { ...plain, kernels };
  setBackend(backend);
});
const values = (t: Tensor): number[] => [...t.dataSync()];
const by = (x: number): Tensor => tensor([x, x, x]);

describe('what does not depend on inputs', () => {
  it('is computed by the first call alone', () => {
    using f = capture((x: Tensor) => add(x, mul(iota(3).cast('f32'), 2)));
    expect(values(f.call(by(1)))).toEqual([1, 3, 5]);
    ran.length = 0;
    expect(values(f.call(by(2)))).toEqual([2, 4, 6]);
    expect(ran).toEqual(['add']);
  });

  it('is made anew for each result', () => {
    using f = capture((x: Tensor) => {
      const made = full([3], 7);
      return { made, view: made.reshape(3, 1), doubled: mul(made, 2), sum: add(x, made) };
    });
    const first = f.call(by(1));
    const second = f.call(by(2));
    expect(first.made.storage).not.toBe(second.made.storage);
    first.made.dispose();
    first.view.dispose();
    const third = f.call(by(3));
    for (const [i, { made, sum, doubled }] of [second, third].entries()) {
      expect(values(made)).toEqual([7, 7, 7]);
      expect(values(doubled)).toEqual([14, 14, 14]);
      expect(values(sum)).toEqual([9 + i, 9 + i, 9 + i]);
    }
    expect(values(second.view)).toEqual([7, 7, 7]);
  });

  it('is not taken over by an op that writes in place', () => {
    using f = capture((x: Tensor) => {
      const written = updateSlice(zeros([3]), x, 1, 0, { donate: true });
      return mul(written, 1);
    });
    expect(values(f.call(tensor([5])))).toEqual([0, 5, 0]);
    expect(values(f.call(tensor([6])))).toEqual([0, 6, 0]);
    using g = capture((x: Tensor, at: Tensor) => {
      const written = updateSlice(zeros([3]), x, at, 0, { donate: true });
      return mul(written, 1);
    });
    const at = (i: number): Tensor => tensor(i, { dtype: 'i32' });
    expect(values(g.call(tensor([5]), at(0)))).toEqual([5, 0, 0]);
    expect(values(g.call(tensor([6]), at(2)))).toEqual([0, 0, 6]);
  });

  it('shares no buffer with what does, wherever it stands', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('input', 'fixed', 'both'), { minLength: 1, maxLength: 12 }),
        (order) => {
          const compute = (x: Tensor): Tensor => {
            let [moving, fixed] = [mul(x, 2), full([3], 1)];
            for (const kind of order) {
              if (kind === 'input') moving = add(mul(moving, x), 1);
              else if (kind === 'fixed') fixed = add(mul(fixed, 2), 1);
              else moving = add(moving, fixed);
            }
            return add(moving, fixed);
          };
          using f = capture(compute);
          for (const n of [1, 2, 3]) {
            tidy(() => expect(values(f.call(by(n)))).toEqual(values(compute(by(n)))));
          }
        },
      ),
      { seed: 6, numRuns: 60 },
    );
  });
});

describe('a program at rest', () => {
  it('holds no memory of its own, and goes on as before', () => {
    const state = { value: by(1) };
    using f = capture(
      (x: Tensor) => {
        state.value = add(mul(state.value, x), full([3], 0.5));
        return mul(add(state.value, 1), 2);
      },
      { state: [state] },
    );
    const x = by(2);
    const empty = backend.memory();
    f.call(x).dispose();
    const awake = backend.memory();
    expect(awake.buffers).toBeGreaterThan(empty.buffers);
    for (let i = 0; i < 3; i++) {
      f.rest();
      f.rest();
      expect(backend.memory().buffers).toBe(empty.buffers);
      expect(backend.memory().bytes).toBe(empty.bytes);
      f.call(x).dispose();
      expect(backend.memory().buffers).toBe(awake.buffers);
    }
    // 1 · 2 + 0.5, four times
    expect(values(state.value)).toEqual([23.5, 23.5, 23.5]);
  });

  it('frees what it had where its memory does not suffice', () => {
    using f = capture((x: Tensor) => add(mul(mul(x, 3), iota(3).cast('f32')), 1));
    const x = by(2);
    const { alloc } = backend;
    const expected = values(f.call(x));
    f.rest();
    const before = backend.memory().buffers;
    for (let room = 0; room < 3; room++) {
      let left = room;
      Object.assign(backend, {
        alloc: (...args: Parameters<Backend['alloc']>) => {
          if (left-- === 0) throw new RangeError('out of memory');
          return alloc(...args);
        },
      });
      expect(() => f.call(x)).toThrow('out of memory');
      expect(backend.memory().buffers).toBe(before);
    }
    Object.assign(backend, { alloc });
    expect(values(f.call(x))).toEqual(expected);
  });
});
