/** What gradients keep and for how long, what they refuse, and where they are recorded. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  type Backend,
  checkpoint,
  customGrad,
  DTypeError,
  grad,
  mul,
  noGrad,
  setBackend,
  ShapeError,
  sin,
  square,
  sum,
  tensor,
  type Tensor,
  valueAndGrad,
  vjp,
  where,
} from '../src';
import { caught } from './refusal';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const f64 = (...xs: number[]): Tensor => tensor(Float64Array.from(xs));
const values = (t: Tensor): number[] => [...t.dataSync()];
const buffers = (): number => backend.memory().buffers;

describe('gradients are recorded', () => {
  const x = (): Tensor => f64(2, 3);

  it('by valueAndGrad, within noGrad too', () => {
    const leaf = x();
    const { grads } = noGrad(() => valueAndGrad([leaf], () => sum(square(leaf))));
    expect(values(grads.get(leaf))).toEqual([4, 6]);
  });

  it('by vjp, within noGrad too', () => {
    const { pullback } = noGrad(() => vjp((t) => square(t!), x()));
    expect(pullback(f64(1, 1)).map(values)).toEqual([[4, 6]]);
  });

  it('by the second run of a checkpoint, within noGrad too', () => {
    const { value, pullback } = vjp((t) => checkpoint((u) => square(u!), t!), x());
    const [g] = noGrad(() => pullback(f64(1, 1)));
    expect([values(value), values(g!)]).toEqual([
      [4, 9],
      [4, 6],
    ]);
  });

  it('for no longer than valueAndGrad runs', () => {
    const leaf = x();
    valueAndGrad([leaf, leaf], () => sum(leaf));
    expect(leaf.ref.tapes).toEqual([]);
  });
});

describe('gradients keep', () => {
  /** Buffers after each of ten steps, the value before a step given back. */
  const along = (step: (y: Tensor) => Tensor): number[] => {
    const leaf = f64(0.1, 0.2);
    const counts: number[] = [];
    valueAndGrad([leaf], () => {
      let y = sin(leaf);
      for (let i = 0; i < 10; i++) {
        const next = step(y);
        y.dispose();
        y = next;
        counts.push(buffers());
      }
      return sum(y);
    });
    return counts;
  };
  const growth = (counts: readonly number[]): number => counts[9]! - counts[4]!;

  it('nothing of an op whose gradient reads nothing', () => {
    const one = f64(1, 1);
    expect(growth(along((y) => add(y, one)))).toBe(0);
  });

  it('its input alone, or its output alone, where that is all it reads', () => {
    expect(growth(along((y) => sin(y)))).toBe(5);
    expect(growth(along((y) => y.tanh()))).toBe(5);
  });

  it('the condition of a choice, and neither side', () => {
    const [odd, one] = [f64(1, -1).gt(0), f64(1, 1)];
    expect(growth(along((y) => where(odd, y, one)))).toBe(0);
  });

  it('no cotangent that backward has passed', () => {
    const leaf = f64(1, 2);
    const counts: number[] = [];
    const probe = customGrad((t) => ({
      value: mul(t!, 1),
      vjp: (ct) => {
        counts.push(buffers());
        return [mul(ct, 1)];
      },
    }));
    valueAndGrad([leaf], () => {
      let y: Tensor = leaf;
      for (let i = 0; i < 10; i++) y = probe(y);
      return sum(y);
    });
    expect(Math.max(...counts.slice(3))).toBeLessThanOrEqual(counts[2]!);
  });
});

describe('gradients free', () => {
  it('everything when a rule throws', () => {
    const bad = customGrad((t) => ({
      value: square(t!),
      vjp: () => {
        throw new Error('the rule');
      },
    }));
    const leaf = f64(1, 2);
    const before = buffers();
    expect(() => valueAndGrad([leaf], () => sum(mul(sin(bad(sin(leaf))), 3)))).toThrow('the rule');
    expect(buffers()).toBe(before);
    expect(leaf.ref.tapes).toEqual([]);
  });

  it('what using holds: gradients and pullbacks', () => {
    const leaf = f64(1, 2);
    const before = buffers();
    {
      using pulled = vjp((t) => square(t!.exp()), leaf);
      pulled.value.dispose();
      const { value, grads } = valueAndGrad([leaf], () => sum(square(leaf)));
      using own = grads;
      value.dispose();
      const listed = [...own.entries()];
      expect(listed.map(([l, g]) => [l === leaf, ...values(g)])).toEqual([[true, 2, 4]]);
    }
    expect(buffers()).toBe(before);
  });

  it('all but the gradient, where grad is called outside of every scope', () => {
    const leaf = f64(1, 2);
    const before = buffers();
    grad((t) => sum(square(t.exp())))(leaf).dispose();
    expect(buffers()).toBe(before);
    expect(() => grad(square)(leaf)).toThrow(ShapeError);
    expect(buffers()).toBe(before);
  });

  it('a pullback that has run, and says so when it runs again', () => {
    const leaf = f64(1, 2);
    const before = buffers();
    const { value, pullback } = vjp((t) => square(t!), leaf);
    const ct = f64(1, 1);
    for (const g of pullback(ct)) g.dispose();
    expect(() => pullback(ct)).toThrow(/^vjp: this pullback has run/);
    for (const t of [value, ct]) t.dispose();
    expect(buffers()).toBe(before);
  });

  it('a pullback that was given back, and says so when it is run', () => {
    const pulled = vjp((t) => square(t!), f64(1, 2));
    pulled.dispose();
    expect(() => pulled.pullback(f64(1, 1))).toThrow(/^vjp: this pullback has run/);
  });
});

describe('gradients refuse', () => {
  it('a loss, a leaf and a cotangent of the wrong kind, by shape and dtype', () => {
    const x = f64(1, 2);
    const ints = tensor(Int32Array.of(1));
    expect(caught(() => valueAndGrad([x], () => sum(ints)))).toMatchObject({
      ...{ name: 'DTypeError', op: 'valueAndGrad', dtypes: ['i32'] },
    });
    expect(caught(() => valueAndGrad([x], () => square(x)))).toMatchObject({
      ...{ name: 'ShapeError', op: 'valueAndGrad', shapes: [[2]] },
    });
    expect(caught(() => valueAndGrad([ints], () => sum(x)))).toMatchObject({
      ...{ name: 'DTypeError', op: 'valueAndGrad', dtypes: ['i32'] },
    });
    const { pullback } = vjp((t) => square(t!), x);
    expect(caught(() => pullback(f64(1)))).toMatchObject({
      ...{ name: 'ShapeError', op: 'vjp', shapes: [[1], [2]] },
    });
    expect(() => pullback(tensor([1, 1]))).toThrow(ShapeError);
    expect([DTypeError, ShapeError].map((e) => e.name)).toEqual(['DTypeError', 'ShapeError']);
  });

  it('a cotangent of another dtype from a rule', () => {
    const wrong = customGrad((x) => ({ value: square(x!), vjp: () => [tensor([1, 1])] }));
    expect(() => grad((t) => sum(wrong(t)))(f64(1, 2))).toThrow(/customGrad.*f32\[2\].*f64\[2\]/);
  });

  it('nothing that a rule gives for an input without a gradient', () => {
    const lax = customGrad((x, scale) => ({
      value: mul(x!, scale!),
      save: [scale!, x!],
      vjp: (ct, [saved, own]) => [mul(ct, saved!), mul(own!, 3)],
    }));
    const scale = f64(2);
    const x = f64(1, 2);
    expect(values(grad((t) => sum(lax(t, scale)))(x))).toEqual([2, 2]);
  });
});

describe('vjp', () => {
  it('gives zeros of shape and dtype for inputs that the value does not need', () => {
    const ids = tensor(Int32Array.of(1, 2, 3));
    const single = tensor([1, 2, 3, 4], { shape: [2, 2] });
    const { pullback } = vjp((t, _, __) => square(t!), f64(3), ids, single);
    const [a, b, c] = pullback(f64(1));
    expect(values(a!)).toEqual([6]);
    expect([b!.dtype, b!.shape, values(b!)]).toEqual(['i32', [3], [0, 0, 0]]);
    expect([c!.dtype, c!.shape, values(c!)]).toEqual(['f32', [2, 2], [0, 0, 0, 0]]);
  });
});

describe('checkpoint', () => {
  it('counts an argument once, whatever else it reads', () => {
    const [a, b, w] = [f64(2), f64(3), f64(5)];
    const { grads } = valueAndGrad([a, b, w], () =>
      sum(checkpoint((...xs) => xs.reduce((y, x) => add(mul(y, w), x)), a, b)),
    );
    // y = a·w + b
    expect([a, b, w].map((t) => values(grads.get(t)))).toEqual([[5], [1], [2]]);
  });

  it('runs its function once where nothing is recorded, and twice where it is', () => {
    let runs = 0;
    const counted = (t: Tensor): Tensor => {
      runs++;
      return square(t);
    };
    const x = f64(3);
    noGrad(() => checkpoint((t) => counted(t!), x));
    expect(runs).toBe(1);
    valueAndGrad([x], () => sum(checkpoint((t) => counted(t!), x)));
    expect(runs).toBe(3);
  });
});
