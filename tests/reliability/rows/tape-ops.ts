/** The ops of random programs: each with the framework's call and its plain meaning. */
import {
  add,
  concat,
  cumsum,
  div,
  exp,
  flip,
  type HostRandom,
  indexSelect,
  logSumExp,
  matmul,
  maximum,
  mean,
  mul,
  narrow,
  pad,
  permute,
  reshape,
  sigmoid,
  sin,
  slice,
  softmax,
  square,
  sub,
  sum,
  tanh,
  type Tensor,
  tensor,
  unsqueeze,
  where,
} from '@loretta-ts/core';
import { build, get, getBroadcast, type Plain, sizeOf, together, withAxis } from '../naive';
import { pick } from '../row';

/** One step of a program: both meanings of it, with its attributes fixed. */
export interface Step {
  readonly name: string;
  readonly inputs: readonly number[];
  readonly ours: (...xs: Tensor[]) => Tensor;
  readonly plain: (...xs: Plain[]) => Plain;
}

type Meaning = Omit<Step, 'name' | 'inputs'>;
/** Draws attributes that fit the inputs; null when none do. */
type Draw = (random: HostRandom, x: Plain, y: Plain) => Meaning | null;

const total = (xs: readonly number[]): number => xs.reduce((a, b) => a + b, 0);
const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

const unary =
  (ours: (x: Tensor) => Tensor, f: (x: number) => number): Draw =>
  () => ({ ours, plain: (x) => build(x.shape, (i) => f(get(x, i))) });

const binary =
  (ours: (x: Tensor, y: Tensor) => Tensor, f: (x: number, y: number) => number): Draw =>
  (_, x, y) => {
    const shape = together(x.shape, y.shape);
    if (shape === null) return null;
    return {
      ours,
      plain: (a, b) => build(shape, (i) => f(getBroadcast(a, i), getBroadcast(b, i))),
    };
  };

/** An op along an axis that keeps it. */
const along =
  (
    ours: (x: Tensor, axis: number) => Tensor,
    f: (row: readonly number[], at: number) => number,
  ): Draw =>
  (random, x) => {
    if (x.shape.length === 0) return null;
    const axis = random.int(x.shape.length);
    const given = random.int(2) === 0 ? axis : axis - x.shape.length;
    return {
      ours: (t) => ours(t, given),
      plain: (p) =>
        build(p.shape, (i) =>
          f(
            range(p.shape[axis]!).map((k) => get(p, withAxis(i, axis, k))),
            i[axis]!,
          ),
        ),
    };
  };

/** A reduction of an axis. */
const reduce =
  (
    ours: (x: Tensor, axis: number, options: { keepDims: boolean }) => Tensor,
    f: (row: readonly number[]) => number,
  ): Draw =>
  (random, x) => {
    if (x.shape.length === 0) return null;
    const axis = random.int(x.shape.length);
    const keepDims = random.int(2) === 0;
    const row = (p: Plain, i: readonly number[]): number =>
      f(range(p.shape[axis]!).map((k) => get(p, withAxis(i, axis, k))));
    return {
      ours: (t) => ours(t, axis, { keepDims }),
      plain: (p) => {
        const kept = build(
          p.shape.map((d, a) => (a === axis ? 1 : d)),
          (i) => row(p, i),
        );
        return keepDims ? kept : { ...kept, shape: p.shape.filter((_, a) => a !== axis) };
      },
    };
  };

const softmaxAt = (row: readonly number[], at: number): number =>
  Math.exp(row[at]!) / total(row.map(Math.exp));

/** Smooth ops, and moves of elements: finite differences hold at every point. */
export const draws: Readonly<Record<string, Draw>> = {
  sin: unary(sin, Math.sin),
  tanh: unary(tanh, Math.tanh),
  sigmoid: unary(sigmoid, (x) => 1 / (1 + Math.exp(-x))),
  exp: unary(exp, Math.exp),
  square: unary(square, (x) => x * x),
  add: binary(add, (x, y) => x + y),
  sub: binary(sub, (x, y) => x - y),
  mul: binary(mul, (x, y) => x * y),
  divide: binary(
    (x, y) => div(x, add(square(y), 1)),
    (x, y) => x / (y * y + 1),
  ),
  // apart by a margin that no difference crosses
  maximum: binary(
    (x, y) => maximum(x, add(square(y), add(x, 1))),
    (x, y) => x + y * y + 1,
  ),
  sum: reduce(sum, total),
  mean: reduce(mean, (row) => total(row) / row.length),
  logSumExp: reduce(logSumExp, (row) => Math.log(total(row.map(Math.exp)))),
  softmax: along(softmax, softmaxAt),
  cumsum: along(cumsum, (row, at) => total(row.slice(0, at + 1))),
  flip: along(flip, (row, at) => row[row.length - 1 - at]!),
  reshape(random, x) {
    const n = sizeOf(x.shape);
    const d = pick(
      random,
      range(n + 1).filter((k) => k > 0 && n % k === 0),
    );
    const shape = random.int(2) === 0 ? [d, n / d] : [1, d, n / d];
    return { ours: (t) => reshape(t, shape), plain: (p) => ({ ...p, shape }) };
  },
  permute(random, x) {
    const axes = range(x.shape.length);
    for (let i = axes.length - 1; i > 0; i--) {
      const j = random.int(i + 1);
      [axes[i], axes[j]] = [axes[j]!, axes[i]!];
    }
    return {
      ours: (t) => permute(t, axes),
      plain: (p) =>
        build(
          axes.map((a) => p.shape[a]!),
          (i) =>
            get(
              p,
              range(axes.length).map((a) => i[axes.indexOf(a)]!),
            ),
        ),
    };
  },
  narrow(random, x) {
    if (x.shape.length === 0) return null;
    const axis = random.int(x.shape.length);
    const start = random.int(x.shape[axis]!);
    const n = 1 + random.int(x.shape[axis]! - start);
    return {
      ours: (t) => narrow(t, axis, start, n),
      plain: (p) =>
        build(
          p.shape.map((d, a) => (a === axis ? n : d)),
          (i) => get(p, withAxis(i, axis, start + i[axis]!)),
        ),
    };
  },
  everySecond(_, x) {
    if (x.shape.length === 0) return null;
    const last = x.shape.length - 1;
    return {
      ours: (t) =>
        slice(
          t,
          t.shape.map(() => 0),
          t.shape.map((d, a) => (a === last ? Math.ceil(d / 2) : d)),
          t.shape.map((_d, a) => (a === last ? 2 : 1)),
        ),
      plain: (p) =>
        build(
          p.shape.map((d, a) => (a === last ? Math.ceil(d / 2) : d)),
          (i) => get(p, withAxis(i, last, 2 * i[last]!)),
        ),
    };
  },
  unsqueeze: () => ({
    ours: (t) => unsqueeze(t, 0),
    plain: (p) => ({ ...p, shape: [1, ...p.shape] }),
  }),
  concat(random, x, y) {
    if (x.shape.length === 0 || x.shape.length !== y.shape.length) return null;
    const axis = random.int(x.shape.length);
    if (x.shape.some((d, a) => a !== axis && d !== y.shape[a])) return null;
    const n = x.shape[axis]!;
    return {
      ours: (a, b) => concat([a, b], axis),
      plain: (a, b) =>
        build(
          a.shape.map((d, k) => (k === axis ? d + b.shape[axis]! : d)),
          (i) => (i[axis]! < n ? get(a, i) : get(b, withAxis(i, axis, i[axis]! - n))),
        ),
    };
  },
  pad(_, x) {
    if (x.shape.length === 0) return null;
    const last = x.shape.length - 1;
    return {
      ours: (t) =>
        pad(
          t,
          t.shape.map((_d, a): [number, number] => (a === last ? [1, 2] : [0, 0])),
        ),
      plain: (p) =>
        build(
          p.shape.map((d, a) => (a === last ? d + 3 : d)),
          (i) => {
            const at = i[last]! - 1;
            return at < 0 || at >= p.shape[last]! ? 0 : get(p, withAxis(i, last, at));
          },
        ),
    };
  },
  indexSelect(random, x) {
    if (x.shape.length === 0) return null;
    const axis = random.int(x.shape.length);
    const ids = range(1 + random.int(4)).map(() => random.int(x.shape[axis]!));
    return {
      ours: (t) => indexSelect(t, tensor(Int32Array.from(ids)), axis),
      plain: (p) =>
        build(
          p.shape.map((d, a) => (a === axis ? ids.length : d)),
          (i) => get(p, withAxis(i, axis, ids[i[axis]!]!)),
        ),
    };
  },
  where(random, x, y) {
    if (x.shape.join() !== y.shape.join()) return null;
    const bits = range(sizeOf(x.shape)).map(() => random.int(2));
    return {
      ours: (a, b) => where(tensor(bits, { shape: x.shape, dtype: 'bool' }), a, b),
      plain: (a, b) => ({ ...a, data: a.data.map((v, i) => (bits[i] === 1 ? v : b.data[i]!)) }),
    };
  },
  matmul(_, x, y) {
    if (x.shape.length !== 2 || y.shape.length !== 2 || x.shape[1] !== y.shape[0]) return null;
    const inner = range(x.shape[1]!);
    return {
      ours: (a, b) => matmul(a, b),
      plain: (a, b) =>
        build([a.shape[0]!, b.shape[1]!], ([i, j]) =>
          total(inner.map((k) => get(a, [i!, k]) * get(b, [k, j!]))),
        ),
    };
  },
  gram(_, x) {
    if (x.shape.length !== 2) return null;
    return {
      ours: (t) => matmul(t, t, { transB: true }),
      plain: (p) =>
        build([p.shape[0]!, p.shape[0]!], ([i, j]) =>
          total(range(p.shape[1]!).map((k) => get(p, [i!, k]) * get(p, [j!, k]))),
        ),
    };
  },
};
