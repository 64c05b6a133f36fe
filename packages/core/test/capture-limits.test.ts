/** Captured functions: what they take from outside, which program a call gets, and what is refused. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  add,
  type Backend,
  BackendError,
  capture,
  CaptureError,
  checkpoint,
  exp,
  mul,
  noGrad,
  setBackend,
  sum,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '../src';
import { detectAnomaly } from '../src/debug';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});
const values = (t: Tensor): number[] => [...t.dataSync()];
const live = (): number => backend.memory().buffers;

describe('values from outside', () => {
  it('are one constant for each part of an array, however many handles there are', () => {
    const k = tensor([1, 2, 3, 4]);
    const part = (start: number, size = 2): Tensor => k.narrow(0, start, size);
    const constantsOf = (...ts: Tensor[]): number => {
      using f = capture((x: Tensor) => ts.reduce((sofar, t) => add(sofar, sum(t)), x));
      const want = ts.reduce((n, t) => n + values(t).reduce((a, b) => a + b), 0);
      expect(values(f.call(tensor([0])))).toEqual([want]);
      return f.program.constants.size;
    };
    expect(constantsOf(k, k, k.reshape(4))).toBe(1);
    expect(constantsOf(part(1), part(1), k, part(1), k)).toBe(2);
    expect(constantsOf(part(0), part(1), part(2), part(1))).toBe(3);
    expect(constantsOf(k, part(0, 3), k.reshape(2, 2), part(0, 3), k)).toBe(3);
    expect(constantsOf(tensor([1, 2]), tensor([1, 2]))).toBe(2);
  });

  it('are read where they begin, and so are their parts', () => {
    const k = tensor([1, 2, 3, 4, 5, 6]).narrow(0, 2, 4);
    using f = capture((x: Tensor) => ({
      sum: add(x, k.narrow(0, 1, 2)),
      whole: k,
      part: k.narrow(0, 1, 3),
    }));
    for (let i = 0; i < 2; i++) {
      const got = f.call(tensor([10, 20]));
      expect(values(got.sum)).toEqual([14, 25]);
      expect(values(got.whole)).toEqual([3, 4, 5, 6]);
      expect(values(got.part)).toEqual([4, 5, 6]);
      // which does not end the constant
      got.whole.dispose();
      got.part.dispose();
    }
  });

  it('are free when only dropped instructions read them', () => {
    const [x, k, used] = [tensor([1]), tensor([2]), tensor([3])];
    using f = capture((t: Tensor) => {
      exp(k);
      return add(t, used);
    });
    f.call(x).dispose();
    expect(f.program.constants.size).toBe(1);
    const before = live();
    k.dispose();
    expect(live()).toBe(before - 1);
    used.dispose();
    expect(live()).toBe(before - 1);
  });

  it('are free when recording fails', () => {
    const [x, k] = [tensor([1]), tensor([2])];
    using f = capture((t: Tensor): Tensor => {
      mul(t, k);
      throw new RangeError('no');
    });
    expect(() => f.call(x)).toThrow(RangeError);
    k.dispose();
    expect(live()).toBe(1);
  });

  it('must have a value, and live on one backend', () => {
    let escaped: Tensor | null = null;
    using f = capture((x: Tensor) => {
      escaped = exp(x).keep();
      return x;
    });
    const x = tensor([1]);
    f.call(x);
    using g = capture((t: Tensor) => add(t, escaped!));
    expect(() => g.call(x)).toThrow(CaptureError);
    expect(() => g.call(x)).toThrow('another capture');
    using h = capture((t: Tensor) => mul(t, 2));
    expect(() => h.call(escaped!)).toThrow(CaptureError);
    setBackend(cpu());
    const elsewhere = tensor([1]);
    using far = capture((t: Tensor) => add(t, elsewhere));
    expect(() => far.call(x)).toThrow(BackendError);
    expect(() => far.call(x)).toThrow('f32[1] lives on cpu');
  });
});

describe('a call', () => {
  it('gets the program of its number of inputs, their shapes and dtypes', () => {
    let recorded = 0;
    using f = capture((...xs: Tensor[]) => {
      recorded++;
      return xs.map((x) => add(x, x));
    });
    const of = (shape: readonly number[], dtype: 'f32' | 'i32' = 'f32'): Tensor =>
      tensor(
        Array.from({ length: shape.reduce((n, d) => n * d, 1) }, (_, i) => i),
        { shape, dtype },
      );
    const calls = [
      [of([2])],
      [of([3])],
      [of([2], 'i32')],
      [of([2, 1])],
      [of([1, 2])],
      [of([2, 3])],
      [of([2, 4])],
      [of([3, 3])],
      [of([])],
      [of([2]), of([2])],
      [of([2]), of([3])],
      [],
    ];
    // each after each
    for (const first of calls) {
      for (const second of calls) {
        for (const inputs of [first, second]) {
          const got = f.call(...inputs);
          expect(got.map((t) => t.shape)).toEqual(inputs.map((t) => t.shape));
          expect(got.map((t) => t.dtype)).toEqual(inputs.map((t) => t.dtype));
          expect(got.map(values)).toEqual(inputs.map((t) => values(t).map((x) => 2 * x)));
        }
      }
    }
    expect(recorded).toBe(calls.length);
  });

  it('reads its inputs where they are: another part of the same array, another array', () => {
    using f = capture((x: Tensor) => mul(x, 10));
    const [a, b] = [tensor([1, 2, 3, 4]), tensor([5, 6, 7, 8])];
    const parts = [a.narrow(0, 0, 2), a.narrow(0, 2, 2), b.narrow(0, 2, 2), a.narrow(0, 2, 2)];
    expect(parts.map((t) => values(f.call(t)))).toEqual([
      [10, 20],
      [30, 40],
      [70, 80],
      [30, 40],
    ]);
  });

  it('gives plain values and instances back as they are', () => {
    const made = new Map([['a', 1]]);
    using f = capture((x: Tensor) => ({
      none: null,
      missing: undefined,
      made,
      list: [null, x, 3],
    }));
    const got = f.call(tensor([4]));
    expect(got.none).toBeNull();
    expect(got.missing).toBeUndefined();
    expect(got.made).toBe(made);
    expect(got.list.map((v) => (typeof v === 'object' && v !== null ? values(v) : v))).toEqual([
      null,
      [4],
      3,
    ]);
    using nothing = capture((): null => null);
    expect(nothing.call()).toBeNull();
  });

  it('says what its buffers take', () => {
    using f = capture((x: Tensor) => {
      const y = exp(add(x, x));
      return { y, z: exp(exp(exp(y))) };
    });
    expect(() => f.buffers).toThrow(CaptureError);
    f.call(tensor([1, 2, 3]));
    // two results, and two buffers for three values in between
    expect(f.buffers).toEqual({ planned: 3 * 4, unshared: 3 * 5 });
  });

  it('has variables from 0 on, inputs first', () => {
    using f = capture((x: Tensor, y: Tensor) => add(x, y));
    f.call(tensor([1]), tensor([[2]]));
    const { vars, inputs, outputs } = f.program;
    expect(inputs).toEqual([0, 1]);
    expect(inputs.map((v) => vars[v]!.shape)).toEqual([[1], [1, 1]]);
    expect(outputs).toEqual([vars.length - 1]);
    expect(vars.every(({ dtype }) => dtype === 'f32')).toBe(true);
  });
});

describe('an input that needs a gradient', () => {
  it('is welcome where none is recorded, and nowhere else', () => {
    using f = capture((x: Tensor) => mul(x, 2));
    const x = tensor([3]);
    const { value, grads } = valueAndGrad([x], () => {
      const factor = noGrad(() => f.call(x));
      return sum(mul(factor, x));
    });
    expect([values(value), values(grads.get(x))]).toEqual([[18], [6]]);
    expect(() => valueAndGrad([x], () => sum(f.call(x)))).toThrow(CaptureError);
    // a checkpoint records nothing at first, but it will when it runs again
    for (const given of [(t: Tensor) => t, () => x]) {
      const thrown: unknown[] = [];
      const refused = (t: Tensor): Tensor => {
        try {
          f.call(given(t));
        } catch (error) {
          thrown.push(error);
        }
        return mul(t, 1);
      };
      const { value } = valueAndGrad([x], () => {
        const out = sum(checkpoint(refused, mul(x, 1)));
        expect(thrown).toEqual([expect.any(CaptureError)]);
        return out;
      });
      expect(values(value)).toEqual([3]);
    }
    const other = tensor([5]);
    const right = valueAndGrad([x], () => sum(checkpoint((t) => mul(t, f.call(other)), x)));
    expect(values(right.grads.get(x))).toEqual([10]);
  });
});

it('an anomaly is looked for op by op, but in functions that update state', async () => {
  let [runs, steps] = [0, 0];
  using plain = capture((x: Tensor) => {
    runs++;
    return exp(x);
  });
  const state = { value: tensor([1, 2]) };
  using step = capture(
    (x: Tensor) => {
      steps++;
      state.value = mul(state.value, x);
    },
    { state: [state] },
  );
  const x = tensor([2, 3]);
  for (let i = 0; i < 3; i++) {
    const found = await detectAnomaly([], () =>
      tidy(() => {
        step.call(x);
        return sum(plain.call(x));
      }),
    );
    expect(found).toBeNull();
  }
  expect([runs, steps]).toEqual([3, 1]);
  expect(values(state.value)).toEqual([8, 54]);
});
