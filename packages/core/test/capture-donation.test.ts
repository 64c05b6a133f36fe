/** Captured functions that update their state in place: whose memory is written, and whose never. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  adamw,
  type Backend,
  capture,
  type Captured,
  concat,
  exp,
  mul,
  setBackend,
  sub,
  type Tensor,
  tensor,
  tidy,
  updateSlice,
} from '../src';
import { failing, Refused } from '../src/testing';

let backend: Backend;
beforeEach(() => {
  backend = cpu();
  setBackend(backend);
});
const values = (t: Tensor): number[] => [...t.dataSync()];
const options = { beta1: 0.9, beta2: 0.99, eps: 1e-8, donate: true };
const hyper = (): Tensor => tensor([0.1, 0.1, 0.01, 1, 0]);

interface Moments {
  readonly p: { value: Tensor };
  readonly m: { value: Tensor };
  readonly v: { value: Tensor };
}
const moments = (): Moments => ({
  p: { value: tensor([1, 2, 3]) },
  m: { value: tensor([0, 0, 0]) },
  v: { value: tensor([0, 0, 0]) },
});

/** A step of AdamW on state; gives what else the function is asked for. */
function stepper<T>({ p, m, v }: Moments, also: (x: Tensor) => T): Captured<T> {
  return capture(
    (g: Tensor, h: Tensor) => {
      const before = also(g);
      [p.value, m.value, v.value] = adamw(p.value, g, m.value, v.value, h, options);
      return before;
    },
    { state: [p, m, v] },
  );
}

/** p, m, v after steps along these gradients, one op at a time. */
function eagerly(gradients: readonly (readonly number[])[]): number[][] {
  const { p, m, v } = moments();
  let state: readonly Tensor[] = [p.value, m.value, v.value];
  for (const g of gradients) {
    const [a, b, c] = state;
    state = adamw(a!, tensor([...g]), b!, c!, hyper(), { ...options, donate: false });
  }
  return state.map(values);
}
const held = ({ p, m, v }: Moments): Tensor[] => [p.value, m.value, v.value];
const gradients = [
  [1, -1, 2],
  [0.5, 3, -2],
  [0, 1, 1],
];

describe('state that an op takes over', () => {
  it('stays where it was: no step needs room', () => {
    const state = moments();
    using step = stepper(state, () => null);
    const memory = held(state).map((t) => t.storage.buffer);
    for (const g of gradients) {
      const [x, h] = [tensor(g), hyper()];
      step.call(x, h);
      x.dispose();
      h.dispose();
    }
    expect(held(state).map(values)).toEqual(eagerly(gradients));
    expect(held(state).every((t, i) => t.storage.buffer === memory[i])).toBe(true);
    expect(held(state).map((t) => t.storage.refs)).toEqual([1, 1, 1]);
    expect(step.buffers).toEqual({ planned: 0, unshared: 9 });
  });

  it('is copied first where others still see it, whatever part of an array it is', () => {
    const state = moments();
    const whole = tensor([7, 7, 1, 2, 3, 7]);
    state.p.value = whole.narrow(0, 2, 3);
    const m = state.m.value.reshape(3, 1);
    using step = stepper(state, () => null);
    const before = backend.memory().buffers;
    step.call(tensor(gradients[0]!), hyper());
    expect(values(whole)).toEqual([7, 7, 1, 2, 3, 7]);
    expect(values(m)).toEqual([0, 0, 0]);
    // the gradient and hyper, and the copies of p and m
    expect(backend.memory().buffers).toBe(before + 4);
    for (const g of gradients.slice(1)) step.call(tensor(g), hyper());
    expect(held(state).map(values)).toEqual(eagerly(gradients));
    expect(held(state).map((t) => t.shape)).toEqual([[3], [3], [3]]);
  });

  it.each([cpu, referenceBackend])('is copied as a whole, of any rank: %o', (make) => {
    setBackend(make());
    for (const shape of [[], [4], [2, 2], [1, 2, 2]]) {
      const state = { value: tensor([0, 1, 2, 3, 4, 5]).narrow(0, 1, 4).reshape(2, 2) };
      if (shape.length === 0) state.value = tensor([6, 7]).narrow(0, 1, 1).reshape([]);
      else state.value = state.value.reshape(shape);
      const { value } = state;
      const view = value.reshape(-1);
      using zero = capture(
        (at: Tensor) => {
          const flat = state.value.reshape(-1);
          const written = updateSlice(flat, tensor([9]), at, 0, { donate: true });
          state.value = written.reshape(shape);
        },
        { state: [state] },
      );
      zero.call(tensor(view.size - 1, { dtype: 'i32' }));
      expect(values(view)).toEqual(shape.length === 0 ? [7] : [1, 2, 3, 4]);
      expect(values(state.value)).toEqual(shape.length === 0 ? [9] : [1, 2, 3, 9]);
      expect(state.value.shape).toEqual(shape);
    }
  });

  it('alone is copied: what is only read never is', () => {
    const faults = failing(backend);
    setBackend(faults.backend);
    using f = capture((x: Tensor) => mul(exp(x), x));
    const x = tensor([1, 2]);
    const view = x.reshape(2, 1);
    f.call(x).dispose();
    faults.restart(null);
    f.call(x).dispose();
    // room for the result, and two kernels
    expect(faults.calls).toBe(3);
    view.dispose();
  });

  it('is written where it lies when it is the last view of a longer array', () => {
    const state = moments();
    const whole = tensor([7, 7, 1, 2, 3, 7]);
    state.p.value = whole.narrow(0, 2, 3);
    const { storage } = whole;
    whole.dispose();
    using step = stepper(state, () => null);
    for (const g of gradients) step.call(tensor(g), hyper());
    expect(held(state).map(values)).toEqual(eagerly(gradients));
    expect([state.p.value.storage === storage, state.p.value.offset]).toEqual([true, 2]);
  });

  it('is copied when the same tensor is given as an argument too', () => {
    const p = { value: tensor([1, 2, 3]) };
    using step = capture(
      (x: Tensor) => {
        p.value = updateSlice(p.value, tensor([50]), 1, 0, { donate: true });
        return sub(x, mul(p.value, 0));
      },
      { state: [p] },
    );
    expect(values(step.call(p.value))).toEqual([1, 2, 3]);
    expect(values(p.value)).toEqual([1, 50, 3]);
    // given twice, but not state: nothing to copy
    const before = p.value.storage.buffer;
    using other = capture(
      (x: Tensor, y: Tensor) => {
        p.value = updateSlice(p.value, sub(x, y), 0, 0, { donate: true });
      },
      { state: [p] },
    );
    const same = tensor([1]);
    other.call(same, same);
    expect(values(p.value)).toEqual([0, 50, 3]);
    expect(p.value.storage.buffer).toBe(before);
  });

  it('is not overwritten while a view of it is a result', () => {
    const state = moments();
    using step = stepper(state, () => state.p.value.narrow(0, 1, 2));
    const old = step.call(tensor(gradients[0]!), hyper());
    expect(values(old)).toEqual([2, 3]);
    step.call(tensor(gradients[1]!), hyper());
    expect(values(old)).toEqual([2, 3]);
    expect(held(state).map(values)).toEqual(eagerly(gradients.slice(0, 2)));
  });

  it('that the function leaves alone keeps its handle', () => {
    const [p, q] = [{ value: tensor([1, 2]) }, { value: tensor([3, 4]) }];
    using step = capture(
      () => {
        p.value = mul(p.value, q.value);
      },
      { state: [p, q] },
    );
    const kept = q.value;
    step.call();
    step.call();
    expect(q.value).toBe(kept);
    expect(values(p.value)).toEqual([9, 32]);
    expect(step.program.outputs).toHaveLength(1);
  });

  it('loses nothing and leaks nothing where its copy cannot be made', () => {
    const faults = failing(backend);
    setBackend(faults.backend);
    const state = moments();
    const view = state.p.value.reshape(3, 1);
    using step = stepper(state, () => null);
    const [g, h] = [tensor(gradients[0]!), hyper()];
    step.rest();
    const before = backend.memory().buffers;
    // the room for the copy, and the copying
    for (const at of [0, 1]) {
      faults.restart(at);
      expect(() => step.call(g, h)).toThrow(Refused);
      expect(backend.memory().buffers).toBe(before);
    }
    faults.restart(null);
    expect(held(state).map(values)).toEqual(eagerly([]));
    step.call(g, h);
    expect(held(state).map(values)).toEqual(eagerly(gradients.slice(0, 1)));
    expect(values(view)).toEqual([1, 2, 3]);
  });
});

describe('an intermediate value that an op takes over', () => {
  it('may become a result, and the next call gives another', () => {
    using f = capture((x: Tensor, y: Tensor) => updateSlice(mul(x, 2), y, 1, 0, { donate: true }));
    const first = f.call(tensor([1, 2, 3]), tensor([9]));
    const second = f.call(tensor([4, 5, 6]), tensor([8]));
    expect([first, second].map(values)).toEqual([
      [2, 9, 6],
      [8, 8, 12],
    ]);
  });

  it('is kept while the op reads another part of it', () => {
    const shift = (x: Tensor): Tensor => {
      const doubled = mul(x, 2);
      const head = doubled.narrow(0, 0, 3);
      return exp(mul(updateSlice(doubled, head, 1, 0, { donate: true }), 0.25));
    };
    using f = capture(shift);
    const x = tensor([1, 2, 3, 4]);
    const want = values(tidy(() => shift(x)));
    expect(values(f.call(x))).toEqual(want);
    expect(values(f.call(x))).toEqual(want);
  });

  it('is its own memory afterwards, in a buffer that nobody else needs', () => {
    using f = capture((x: Tensor, y: Tensor) => {
      const written = updateSlice(mul(x, 2), y, 1, 0, { donate: true });
      return concat([written, mul(written, 3)], 0);
    });
    expect(values(f.call(tensor([1, 2]), tensor([7])))).toEqual([2, 7, 6, 21]);
    // the 2, the 3 and the start; twice two elements; four of the result
    expect(f.buffers.planned).toBe(3 + 2 * 2 + 4);
  });
});
