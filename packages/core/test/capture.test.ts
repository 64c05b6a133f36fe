/** Captured functions: what they print, plan, update and refuse. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import * as fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  type Backend,
  capture,
  CaptureError,
  exp,
  matmul,
  mul,
  relu,
  setBackend,
  ShapeError,
  sin,
  softmax,
  sub,
  sum,
  tanh,
  tensor,
  type Tensor,
  tidy,
  valueAndGrad,
} from '../src';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});
const values = (t: Tensor): number[] => [...t.dataSync()];

describe('a program', () => {
  it('prints', () => {
    const w = tensor([1, 2, 3, 4, 5, 6], { shape: [2, 3] });
    using f = capture((x) => {
      mul(x!, 7); // nobody reads it
      return relu(matmul(x!, w)).reshape(3, -1).sum(0);
    });
    f.call(tensor([[1, 2]]));
    expect(f.program.toString()).toMatchInlineSnapshot(`
      "inputs %0:f32[1,2]
      constants %1:f32[2,3]
      %2:f32[1,3] = matmul %0 %1 {transA: false, transB: false}
      %3:f32[1,3] = relu %2
      %4:f32[3,1] = reshape %3 {shape: [3,1]}
      %5:f32[1] = sum %4 {axes: [0], keepDims: false}
      outputs %5"
    `);
  });

  it('prints a gradient step as more instructions', () => {
    const w = { value: tensor([1, 2]) };
    using step = capture(
      (x) => {
        const { value, grads } = valueAndGrad([w], () => sum(mul(mul(w.value, x!), w.value)));
        w.value = sub(w.value, mul(grads.get(w), 0.1));
        return value;
      },
      { state: [w] },
    );
    step.call(tensor([1, 3]));
    expect(step.program.toString()).toMatchInlineSnapshot(`
      "inputs %0:f32[2], %1:f32[2]
      %2:f32[2] = mul %0 %1
      %3:f32[2] = mul %2 %0
      %4:f32[] = sum %3 {axes: [0], keepDims: false}
      %5:f32[] = fill {shape: [], dtype: f32, value: 1}
      %6:f32[1] = reshape %5 {shape: [1]}
      %7:f32[2] = broadcastTo %6 {shape: [2]}
      %8:f32[2] = mul %7 %0
      %9:f32[2] = mul %7 %2
      %10:f32[2] = mul %8 %1
      %11:f32[2] = add %9 %10
      %12:f32[] = fill {shape: [], dtype: f32, value: 0.1}
      %13:f32[2] = mul %11 %12
      %14:f32[2] = sub %0 %13
      outputs %14, %4"
    `);
  });

  it('is not there before the first call', () => {
    expect(() => capture((x) => x!).program).toThrow(CaptureError);
  });
});

describe('a captured function', () => {
  it('runs the function once for each combination of shapes', () => {
    let runs = 0;
    using f = capture((x, y) => {
      runs++;
      return add(x!, y!);
    });
    const [a, b] = [tensor([1, 2]), tensor([10, 20])];
    expect(values(f.call(a, b))).toEqual([11, 22]);
    expect(values(f.call(b, b))).toEqual([20, 40]);
    expect(runs).toBe(1);
    expect(values(f.call(tensor([[1], [2]]), b))).toEqual([11, 21, 12, 22]);
    expect(runs).toBe(2);
    expect(values(f.call(a, a))).toEqual([2, 4]);
    expect(runs).toBe(2);
  });

  it('gives back trees of tensors and plain values', () => {
    using f = capture((x) => ({ list: [exp(x!), x!], name: 'a', same: x! }));
    const out = f.call(tensor([0, 1]));
    expect(out.name).toBe('a');
    expect(values(out.list[1]!)).toEqual([0, 1]);
    expect(values(out.same)).toEqual([0, 1]);
  });

  it('frees intermediate values, results by their handles, the rest when it is disposed of', () => {
    const x = tensor([1, 2, 3]);
    const before = backend.memory().buffers;
    const f = capture((t) => sum(exp(sin(mul(t!, 2)))));
    tidy(() => {
      for (let i = 0; i < 3; i++) f.call(x);
      return null;
    });
    f.dispose();
    expect(backend.memory().buffers).toBe(before);
  });

  it('shares buffers between values whose lives do not overlap', () => {
    const chain = (x: Tensor): Tensor => {
      let y = x;
      for (let i = 0; i < 20; i++) y = tanh(add(y, 1));
      return y;
    };
    using f = capture((x) => chain(x!));
    const x = tensor(Float32Array.from({ length: 100 }, (_, i) => i / 100));
    const [got, want] = [f.call(x), chain(x)];
    expect(values(got)).toEqual(values(want));
    const { planned, unshared } = f.buffers;
    expect(unshared).toBeGreaterThan(20 * 2 * 100);
    expect(planned).toBeLessThan(6 * 100);
  });

  it('reads values from outside as constants', () => {
    let k = tensor([2]);
    using f = capture((x) => mul(x!, k));
    expect(values(f.call(tensor([3])))).toEqual([6]);
    k.dispose();
    k = tensor([5]);
    expect(values(f.call(tensor([3])))).toEqual([6]);
  });

  it('inside a capture is part of it', () => {
    using inner = capture((x) => exp(x!));
    using outer = capture((x) => add(inner.call(x!), 1));
    expect(values(outer.call(tensor([0])))).toEqual([2]);
    expect(outer.program.toString()).toContain('= exp');
  });

  it('equals the eager function on random programs', () => {
    const unary = [exp, sin, tanh, relu, (x: Tensor) => softmax(x), (x: Tensor) => x.transpose()];
    const step = fc.record({
      op: fc.integer({ min: 0, max: unary.length + 2 }),
      a: fc.nat(50),
      b: fc.nat(50),
    });
    const run = (steps: readonly { op: number; a: number; b: number }[], x: Tensor): Tensor[] => {
      const made = [x, x.mul(0.5)];
      for (const { op, a, b } of steps) {
        const [s, t] = [made[a % made.length]!, made[b % made.length]!];
        const f = unary[op];
        made.push(f !== undefined ? f(s) : op === unary.length ? add(s, t) : matmul(s, t).mul(0.1));
      }
      return [made.at(-1)!, made[Math.floor(made.length / 2)]!, made.at(-1)!];
    };
    const on = cpu();
    setBackend(on);
    const x = tensor([0.1, -0.2, 0.3, 0.4, 0.5, -0.6, 0.7, 0.8, -0.9], { shape: [3, 3] });
    const before = on.memory().buffers;
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 15 }), (steps) => {
        tidy(() => {
          using f = capture((t) => run(steps, t!));
          const want = run(steps, x).map(values);
          for (let i = 0; i < 2; i++) expect(f.call(x).map(values)).toEqual(want);
          return null;
        });
        expect(on.memory().buffers).toBe(before);
      }),
      { seed: 3, numRuns: 60 },
    );
  });
});

describe('state', () => {
  it('is replaced by what the function assigns, in place', () => {
    const [p, m] = [{ value: tensor([1, 2]) }, { value: tensor([0, 0]) }];
    using step = capture(
      (g) => {
        m.value = add(mul(m.value, 0.5), g!);
        p.value = sub(p.value, m.value);
      },
      { state: [p, m] },
    );
    const g = tensor([1, 10]);
    const scopeless = backend.memory().buffers;
    const first = p.value;
    step.call(g);
    expect(first.disposed).toBe(true);
    const planned = backend.memory().buffers;
    for (let i = 0; i < 3; i++) step.call(g);
    expect(backend.memory().buffers).toBe(planned);
    expect(planned).toBeGreaterThanOrEqual(scopeless);
    const want = { p: [1, 2], m: [0, 0] };
    for (let i = 0; i < 4; i++) {
      want.m = want.m.map((x, j) => x * 0.5 + [1, 10][j]!);
      want.p = want.p.map((x, j) => x - want.m[j]!);
    }
    expect(values(p.value)).toEqual(want.p);
    expect(values(m.value)).toEqual(want.m);
  });

  it('may swap places, and keep its value', () => {
    const [a, b, c] = [{ value: tensor([1]) }, { value: tensor([2]) }, { value: tensor([3]) }];
    using swap = capture(
      () => {
        [a.value, b.value] = [b.value, a.value];
        return add(c.value, a.value);
      },
      { state: [a, b, c] },
    );
    expect(values(swap.call())).toEqual([5]);
    expect([a, b, c].map((s) => values(s.value)[0])).toEqual([2, 1, 3]);
    expect(values(swap.call())).toEqual([4]);
    expect([a, b, c].map((s) => values(s.value)[0])).toEqual([1, 2, 3]);
  });

  it('that somebody else still sees is not overwritten', () => {
    const p = { value: tensor([1, 2]) };
    using step = capture(
      () => {
        p.value = mul(p.value, 2);
      },
      { state: [p] },
    );
    const view = p.value.reshape(2, 1);
    step.call();
    step.call();
    expect(values(view)).toEqual([1, 2]);
    expect(values(p.value)).toEqual([4, 8]);
  });

  it('is restored when recording fails', () => {
    const p = { value: tensor([1, 2]) };
    const before = p.value;
    using step = capture(
      (x) => {
        p.value = mul(p.value, 2);
        return add(x!, tensor([1, 2, 3]));
      },
      { state: [p] },
    );
    expect(() => step.call(tensor([1, 2]))).toThrow(ShapeError);
    expect(p.value).toBe(before);
    expect(values(p.value)).toEqual([1, 2]);
  });
});

describe('what a captured function may not do', () => {
  it('read a value', async () => {
    using f = capture((x) => add(x!, x!.itemSync()));
    expect(() => f.call(tensor([1]))).toThrow(CaptureError);
    let pending: Promise<unknown> = Promise.resolve();
    using g = capture((x) => {
      pending = x!.data().catch((e: unknown) => e);
      return x!;
    });
    g.call(tensor([1]));
    expect(await pending).toBeInstanceOf(CaptureError);
  });

  it('leak a tensor that has no value', () => {
    let escaped: Tensor | null = null;
    using f = capture((x) => {
      escaped = exp(x!).keep();
      return x!;
    });
    f.call(tensor([1]));
    expect(() => escaped!.dataSync()).toThrow(CaptureError);
    expect(() => exp(escaped!)).toThrow(CaptureError);
  });

  it('be differentiated from outside', () => {
    using f = capture((x) => sum(exp(x!)));
    const x = tensor([1]);
    expect(() => valueAndGrad([x], () => f.call(x))).toThrow(CaptureError);
  });

  it('be asynchronous', () => {
    using f = capture(async (x) => x!);
    expect(() => f.call(tensor([1]))).toThrow(TypeError);
  });
});
