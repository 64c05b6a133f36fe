/** Activations, norms and AdamW give what plain JavaScript gives. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  adamw,
  gelu,
  grad,
  layerNorm,
  mul,
  rmsNorm,
  setBackend,
  silu,
  sum,
  swiglu,
  vjp,
} from '../src';
import { f64, near, range, total, wave } from './plain';

beforeEach(() => {
  setBackend(referenceBackend());
});

const { exp, sqrt, tanh, PI } = Math;
const sigmoid = (x: number): number => 1 / (1 + exp(-x));
const xs = [-3, -1, -0.25, 0, 0.5, 2];
const ups = [2, -1, 0.5, 3, -0.25, 1];
const cts = [1, -2, 0.5, 3, -1, 0.25];

/** The slope of f by a difference of fourth order. */
function slope(f: (x: number) => number, x: number): number {
  const h = 1e-3;
  return (8 * (f(x + h) - f(x - h)) - (f(x + 2 * h) - f(x - 2 * h))) / (12 * h);
}

/** Φ by Simpson's rule. */
function phi(x: number): number {
  const n = 2000;
  const density = (t: number): number => exp((-t * t) / 2) / sqrt(2 * PI);
  const inside = range(n - 1).map((i) => (i % 2 === 0 ? 4 : 2) * density(((i + 1) * x) / n));
  return 0.5 + ((density(0) + total(inside) + density(x)) * x) / n / 3;
}

const byTanh = (x: number): number => 0.5 * x * (1 + tanh(sqrt(2 / PI) * (x + 0.044715 * x ** 3)));
const exact = (x: number): number => x * phi(x);

describe('activations', () => {
  const n = xs.length;
  const x = () => f64([n], xs);

  it('gelu is the tanh approximation unless told otherwise', () => {
    near(gelu(x()), [n], xs.map(byTanh));
    near(gelu(x(), {}), [n], xs.map(byTanh));
    near(gelu(x(), { approximate: true }), [n], xs.map(byTanh));
  });

  it('the exact gelu is x times the normal distribution', () => {
    near(gelu(x(), { approximate: false }), [n], xs.map(exact), 1e-10);
  });

  it.each([
    ['gelu', (t) => gelu(t!), byTanh],
    ['the exact gelu', (t) => gelu(t!, { approximate: false }), exact],
    ['silu', (t) => silu(t!), (v) => v * sigmoid(v)],
  ] satisfies [string, Parameters<typeof vjp>[0], (v: number) => number][])(
    '%s pulls back its slope times the cotangent',
    (_, fn, plain) => {
      const [dx] = vjp(fn, x()).pullback(f64([n], cts));
      near(
        dx!,
        [n],
        xs.map((v, i) => slope(plain, v) * cts[i]!),
        1e-9,
      );
    },
  );

  it('silu is x times its sigmoid', () => {
    near(
      silu(x()),
      [n],
      xs.map((v) => v * sigmoid(v)),
    );
  });

  it('swiglu gates by its first argument, and pulls back to both', () => {
    const { value, pullback } = vjp((g, u) => swiglu(g!, u!), x(), f64([n], ups));
    near(
      value,
      [n],
      xs.map((v, i) => v * sigmoid(v) * ups[i]!),
    );
    const [dgate, dup] = pullback(f64([n], cts));
    const gate = (v: number): number => v * sigmoid(v);
    near(
      dgate!,
      [n],
      xs.map((v, i) => slope(gate, v) * ups[i]! * cts[i]!),
      1e-9,
    );
    near(
      dup!,
      [n],
      xs.map((v, i) => gate(v) * cts[i]!),
    );
  });
});

describe('norms', () => {
  const data = wave(8, 3);
  const [weight, bias] = [
    [1, -2, 0.5, 3],
    [0.25, 1, -1, 0],
  ] as const;
  const ones = [1, 1, 1, 1];
  const zeros = [0, 0, 0, 0];
  const plain = (centre: boolean, w: readonly number[], b: readonly number[], eps: number) =>
    range(2).flatMap((i) => {
      const row = data.slice(4 * i, 4 * i + 4);
      const mu = centre ? total(row) / 4 : 0;
      const square = total(row.map((v) => (v - mu) ** 2)) / 4;
      return row.map((v, j) => ((v - mu) / sqrt(square + eps)) * w[j]! + b[j]!);
    });
  const x = () => f64([2, 4], data);
  const [w, b] = [() => f64([4], weight), () => f64([4], bias)];

  it('layerNorm takes weight and bias or neither, and adds eps to the variance', () => {
    near(layerNorm(x(), w(), b()), [2, 4], plain(true, weight, bias, 1e-5));
    near(layerNorm(x(), w()), [2, 4], plain(true, weight, zeros, 1e-5));
    near(layerNorm(x(), null, b()), [2, 4], plain(true, ones, bias, 1e-5));
    near(layerNorm(x()), [2, 4], plain(true, ones, zeros, 1e-5));
    near(layerNorm(x(), w(), b(), { eps: 0.5 }), [2, 4], plain(true, weight, bias, 0.5));
  });

  it('rmsNorm takes a weight or none, and adds eps to the mean square', () => {
    near(rmsNorm(x(), w()), [2, 4], plain(false, weight, zeros, 1e-5));
    near(rmsNorm(x()), [2, 4], plain(false, ones, zeros, 1e-5));
    near(rmsNorm(x(), null, {}), [2, 4], plain(false, ones, zeros, 1e-5));
    near(rmsNorm(x(), w(), { eps: 0.5 }), [2, 4], plain(false, weight, zeros, 0.5));
  });

  it('work on rank 1 and above alike', () => {
    near(layerNorm(x().reshape(2, 1, 4), w()), [2, 1, 4], plain(true, weight, zeros, 1e-5));
    near(rmsNorm(f64([4], data.slice(0, 4))), [4], plain(false, ones, zeros, 1e-5).slice(0, 4));
  });

  it('no gradient flows along what they take away: the mean, and the length without eps', () => {
    const of = (fn: typeof layerNorm) =>
      grad((t) => sum(mul(fn(t, null, null, { eps: 0 }), f64([4], weight))));
    const row = data.slice(0, 4);
    const along = (g: ReturnType<typeof f64>, v: readonly number[]): number =>
      total([...g.dataSync()].map((d, i) => d * v[i]!));
    const layer = of(layerNorm)(f64([4], row));
    expect(along(layer, ones)).toBeCloseTo(0, 12);
    expect(along(layer, row)).toBeCloseTo(0, 12);
    const rms = grad((t) => sum(mul(rmsNorm(t, null, { eps: 0 }), f64([4], weight))));
    expect(along(rms(f64([4], row)), row)).toBeCloseTo(0, 12);
  });
});

describe('adamw', () => {
  const [p, g, m, v] = [
    [1, -2],
    [0.5, -1],
    [0.1, 0.2],
    [0.3, 0.4],
  ] as const;
  const step = (hyper: readonly number[], beta1: number, beta2: number, eps: number) => {
    const [lr, c1, c2, factor, decay] = hyper as [number, number, number, number, number];
    const m2 = m.map((x, i) => beta1 * x + (1 - beta1) * g[i]! * factor);
    const v2 = v.map((x, i) => beta2 * x + (1 - beta2) * (g[i]! * factor) ** 2);
    const p2 = p.map(
      (x, i) => x * (1 - lr * decay) - (lr * m2[i]!) / c1 / (sqrt(v2[i]! / c2) + eps),
    );
    return [p2, m2, v2];
  };

  it.each([
    ['plain', [0.1, 1, 1, 1, 0], 0.9, 0.95, 1e-8],
    ['with decay', [0.1, 1, 1, 1, 0.3], 0.9, 0.95, 1e-8],
    ['with corrections', [0.1, 0.1, 0.05, 1, 0], 0.9, 0.95, 1e-8],
    ['with a factor on the gradient', [0.1, 1, 1, 0.25, 0], 0.9, 0.95, 1e-8],
    ['with other betas and eps', [0.2, 0.5, 0.25, 2, 0.1], 0.5, 0.75, 0.125],
  ] as const)('steps as its formula: %s', (_, hyper, beta1, beta2, eps) => {
    const want = step(hyper, beta1, beta2, eps);
    for (const donate of [undefined, false, true]) {
      const ins = [p, g, m, v].map((x) => f64([2], x)) as [never, never, never, never];
      const options = { beta1, beta2, eps, ...(donate === undefined ? {} : { donate }) };
      const got = adamw(...ins, f64([5], hyper), options);
      got.forEach((t, i) => {
        near(t, [2], want[i]!);
      });
      const gone = (ins as readonly { readonly disposed: boolean }[]).map((t) => t.disposed);
      expect(gone).toEqual([donate ?? false, false, donate ?? false, donate ?? false]);
    }
  });
});
