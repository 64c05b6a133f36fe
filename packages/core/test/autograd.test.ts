/** Tapes: nesting, noGrad, checkpoint, customGrad, vjp. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  type Backend,
  checkpoint,
  customGrad,
  DisposedError,
  DTypeError,
  exp,
  grad,
  key,
  matmul,
  mul,
  noGrad,
  normal,
  relu,
  setBackend,
  ShapeError,
  sin,
  square,
  stopGradient,
  sum,
  tanh,
  tensor,
  type Tensor,
  tidy,
  valueAndGrad,
  vjp,
} from '../src';
import { gradcheck } from '../src/testing';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const f64 = (...xs: number[]): Tensor => tensor(Float64Array.from(xs));
const values = (t: Tensor): number[] => [...t.dataSync()];

describe('valueAndGrad', () => {
  it('sees leaves by closure, as tensors and as holders', () => {
    const w = { value: f64(2, 3) };
    const b = f64(1, 1);
    const { value, grads } = valueAndGrad([w, b], () => sum(add(square(w.value), mul(b, 5))));
    expect(value.itemSync()).toBe(4 + 9 + 10);
    expect(values(grads.get(w))).toEqual([4, 6]);
    expect(values(grads.get(b))).toEqual([5, 5]);
    expect(grads.size).toBe(2);
  });

  it('adds up over all uses, in both operands of one op too', () => {
    const x = f64(3);
    const { grads } = valueAndGrad([x], () => sum(add(mul(x, x), mul(x, x.mul(x)))));
    expect(values(grads.get(x))).toEqual([6 + 27]);
  });

  it('gives zeros for a leaf that the function does not use', () => {
    const [x, unused] = [f64(1, 2), f64(7)];
    const { grads } = valueAndGrad([x, unused], () => sum(x));
    expect(values(grads.get(unused))).toEqual([0]);
    expect(grads.has(unused)).toBe(true);
    expect(grads.has(f64(1))).toBe(false);
    expect(() => grads.get(f64(1))).toThrow(/no gradient was asked/);
  });

  it('refuses losses and leaves without a gradient', () => {
    const x = f64(1, 2);
    expect(() => valueAndGrad([x], () => square(x))).toThrow(ShapeError);
    expect(() => valueAndGrad([x], () => sum(x.cast('i32')))).toThrow(DTypeError);
    expect(() => valueAndGrad([tensor(Int32Array.of(1))], () => sum(x))).toThrow(DTypeError);
  });

  it('is over when it returns: later uses are not recorded', () => {
    const x = f64(1);
    valueAndGrad([x], () => sum(x));
    const before = backend.memory().buffers;
    square(x).dispose();
    expect(backend.memory().buffers).toBe(before);
  });

  it('maps gradients to new ones', () => {
    const x = f64(1, 2);
    const { grads } = valueAndGrad([x], () => sum(square(x)));
    const halved = grads.mapValues((g) => mul(g, 0.5));
    expect(values(halved.get(x))).toEqual([1, 2]);
    expect(values(grads.get(x))).toEqual([2, 4]);
  });
});

describe('nested gradients', () => {
  it('give the derivatives of sin to fourth order', () => {
    const d = (f: (x: Tensor) => Tensor) => grad((x) => sum(f(x)));
    let f: (x: Tensor) => Tensor = sin;
    const x = f64(0.3, -1);
    for (const want of [
      Math.cos,
      (t: number) => -Math.sin(t),
      (t: number) => -Math.cos(t),
      Math.sin,
    ]) {
      f = d(f);
      const got = values(f(x));
      [0.3, -1].forEach((t, i) => {
        expect(got[i]).toBeCloseTo(want(t), 12);
      });
    }
  });

  it('give the Hessian of a quadratic form, row by row', () => {
    const A = tensor(Float64Array.of(2, 1, 1, 3), { shape: [2, 2] });
    const form = (x: Tensor): Tensor => sum(mul(x, matmul(A, x)));
    const row = (i: number): number[] =>
      values(grad((x) => grad(form)(x).select(0, i))(f64(0.5, -2)));
    expect([row(0), row(1)]).toEqual([
      [4, 2],
      [2, 6],
    ]);
  });

  it('tell the leaves of two levels apart (no perturbation confusion)', () => {
    // d/dx (x · d/dy (x + y)) = 1
    const g = grad((x) => sum(mul(x, grad((y) => sum(add(x, y)))(f64(1)))));
    expect(values(g(f64(5)))).toEqual([1]);
  });

  it('go through valueAndGrad of the same leaf', () => {
    const x = f64(2);
    const { grads } = valueAndGrad([x], () => {
      const inner = valueAndGrad([x], () => sum(mul(x, square(x))));
      return sum(inner.grads.get(x)); // 3 x²
    });
    expect(values(grads.get(x))).toEqual([12]);
  });
});

describe('noGrad and stopGradient', () => {
  it('hold values constant', () => {
    const x = f64(3);
    expect(values(grad((t) => sum(mul(t, stopGradient(t))))(x))).toEqual([3]);
    expect(
      values(
        grad((t) =>
          sum(
            mul(
              t,
              noGrad(() => square(t)),
            ),
          ),
        )(x),
      ),
    ).toEqual([9]);
  });

  it('give back what the function gives', () => {
    expect(noGrad(() => 7)).toBe(7);
    expect(() => noGrad(async () => 1)).toThrow(TypeError);
  });
});

describe('vjp', () => {
  it('pulls a cotangent back to all inputs, once', () => {
    const [a, b] = [f64(1, 2), f64(3, 4)];
    const { value, pullback } = vjp((x, y) => mul(x!, y!), a, b);
    expect(values(value)).toEqual([3, 8]);
    expect(pullback(f64(10, 100)).map(values)).toEqual([
      [30, 400],
      [10, 200],
    ]);
    expect(() => pullback(f64(1, 1))).toThrow(DisposedError);
  });

  it('wants a cotangent of the value’s shape', () => {
    const { pullback, dispose } = vjp((x) => square(x!), f64(1, 2));
    expect(() => pullback(f64(1))).toThrow(ShapeError);
    dispose();
  });

  it('frees what it keeps when it is not wanted', () => {
    const x = f64(1, 2);
    const before = backend.memory().buffers;
    const { value, dispose } = vjp((t) => exp(square(t!)), x);
    value.dispose();
    dispose();
    expect(backend.memory().buffers).toBe(before);
  });
});

describe('checkpoint', () => {
  const layers = 12;
  const weights = (): Tensor[] =>
    key(1)
      .split(layers)
      .map((k) => normal(k, [16, 16], { std: 0.3, dtype: 'f64' }));
  const layer = (x: Tensor, w: Tensor): Tensor => tanh(relu(tanh(matmul(x, w))).add(x));

  it('gives the plain gradient', () => {
    const ws = weights();
    const x = normal(key(2), [4, 16], { dtype: 'f64' });
    const run = (wrap: boolean): number[][] => {
      const { value, grads } = valueAndGrad([x, ...ws], () => {
        const y = ws.reduce((h, w) => (wrap ? checkpoint((t) => layer(t!, w), h) : layer(h, w)), x);
        return sum(square(y));
      });
      return [values(value), values(grads.get(x)), ...ws.map((w) => values(grads.get(w)))];
    };
    expect(run(true)).toEqual(run(false));
  });

  it('needs less memory', () => {
    const peak = (wrap: boolean): number => {
      const fresh = referenceBackend();
      setBackend(fresh);
      tidy(() => {
        const ws = weights();
        const x = normal(key(2), [256, 16], { dtype: 'f64' });
        const { grads } = valueAndGrad(ws, () =>
          sum(
            ws.reduce(
              (h, w) => (wrap ? checkpoint((t, u) => layer(t!, u!), h, w) : layer(h, w)),
              x,
            ),
          ),
        );
        grads.dispose();
      });
      expect(fresh.memory().buffers).toBe(0);
      return fresh.memory().peakBytes;
    };
    expect(peak(true)).toBeLessThan(0.5 * peak(false));
  });

  it('has a second derivative', async () => {
    await gradcheck((x) => checkpoint((t) => mul(t!, sin(t!)), x!), [f64(0.4, -0.7)], { order: 2 });
  });

  it('nests, and is the function itself where nothing is recorded', () => {
    const x = f64(0.5);
    const twice = (t: Tensor): Tensor =>
      checkpoint((u) => checkpoint((v) => sin(v!), square(u!)), t);
    expect(values(noGrad(() => twice(x)))[0]).toBeCloseTo(Math.sin(0.25), 15);
    expect(values(grad((t) => sum(twice(t)))(x))[0]).toBeCloseTo(Math.cos(0.25), 14);
  });
});

describe('customGrad', () => {
  it('uses its own rule, and saves what that needs', () => {
    const clipped = customGrad((x) => ({
      value: mul(x!, 2),
      save: [x!],
      vjp: (ct, [saved]) => [mul(ct, saved!)],
    }));
    const x = f64(3, 4);
    expect(values(clipped(x))).toEqual([6, 8]);
    expect(values(grad((t) => sum(clipped(t)))(x))).toEqual([3, 4]);
  });

  it('may give null for an input, and leaves nothing behind', () => {
    const first = customGrad((a, b) => ({ value: add(a!, b!), vjp: (ct) => [ct, null] }));
    const [a, b] = [f64(1), f64(2)];
    const before = backend.memory().buffers;
    const { value, grads } = valueAndGrad([a, b], () => sum(first(a, b)));
    expect([values(grads.get(a)), values(grads.get(b))]).toEqual([[1], [0]]);
    value.dispose();
    grads.dispose();
    expect(backend.memory().buffers).toBe(before);
  });

  it('is refused when a cotangent has the wrong shape', () => {
    const wrong = customGrad((x) => ({ value: square(x!), vjp: () => [f64(1, 2, 3)] }));
    expect(() => grad((t) => sum(wrong(t)))(f64(1, 2))).toThrow(/customGrad.*f64\[3\].*f64\[2\]/);
  });
});
