/** softmax, its logarithm and cross-entropy give what plain JavaScript gives. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, it } from 'vitest';
import { crossEntropy, logSoftmax, setBackend, softmax, vjp } from '../src';
import { f64, i32, near, range, total, wave } from './plain';

beforeEach(() => {
  setBackend(referenceBackend());
});

const { exp, log } = Math;

describe('softmax', () => {
  const data = wave(12, 1).map((v) => 3 * v);
  const at = (i: number, j: number, k: number): number => data[i * 6 + j * 2 + k]!;
  const want = (axis: number, logs: boolean): number[] =>
    range(12).map((p) => {
      const [i, j, k] = [Math.floor(p / 6), Math.floor(p / 2) % 3, p % 2];
      const slice = [
        range(2).map((a) => at(a, j, k)),
        range(3).map((a) => at(i, a, k)),
        range(2).map((a) => at(i, j, a)),
      ][axis]!;
      const q = exp(at(i, j, k)) / total(slice.map(exp));
      return logs ? log(q) : q;
    });

  it.each([0, 1, 2, -1, -2, -3])('and its logarithm run along axis %i', (axis) => {
    const x = f64([2, 3, 2], data);
    const a = (axis + 3) % 3;
    near(softmax(x, axis), [2, 3, 2], want(a, false));
    near(logSoftmax(x, axis), [2, 3, 2], want(a, true));
  });

  it('and its logarithm run along the last axis unless told otherwise', () => {
    const x = f64([2, 3, 2], data);
    near(softmax(x), [2, 3, 2], want(2, false));
    near(logSoftmax(x), [2, 3, 2], want(2, true));
  });

  it('is not thrown off by a common offset, however large', () => {
    const [low, high] = [f64([2], [-1000, -1001]), f64([2], [1e6, 1e6 - 1])];
    const p = [1 / (1 + exp(-1)), exp(-1) / (1 + exp(-1))];
    near(softmax(low), [2], p);
    near(softmax(high), [2], p);
    near(logSoftmax(low), [2], p.map(log));
    near(logSoftmax(high), [2], p.map(log));
  });

  it('gives zeros for a row of -inf only, its logarithm NaN, and a part of -inf counts nothing', () => {
    const rows = f64([2, 2], [-Infinity, -Infinity, -Infinity, 3]);
    near(softmax(rows), [2, 2], [0, 0, 0, 1]);
    near(logSoftmax(rows), [2, 2], [NaN, NaN, -Infinity, 0]);
  });

  it('of a row with +inf is NaN, not zeros', () => {
    near(softmax(f64([1, 2], [Infinity, Infinity])), [1, 2], [NaN, NaN]);
  });

  it('of rows without elements has none', () => {
    near(softmax(f64([2, 0], [])), [2, 0], []);
    near(logSoftmax(f64([2, 0], [])), [2, 0], []);
  });

  it('pulls back y (ct - Σ ct y), its logarithm ct - y Σ ct', () => {
    const [x, ct] = [data.slice(0, 4), [1, -2, 0.5, 3]];
    const y = x.map((v) => exp(v) / total(x.map(exp)));
    const mean = total(y.map((v, i) => v * ct[i]!));
    near(
      vjp((t) => softmax(t!), f64([4], x)).pullback(f64([4], ct))[0]!,
      [4],
      y.map((v, i) => v * (ct[i]! - mean)),
    );
    near(
      vjp((t) => logSoftmax(t!), f64([4], x)).pullback(f64([4], ct))[0]!,
      [4],
      y.map((v, i) => ct[i]! - v * total(ct)),
    );
  });
});

describe('crossEntropy', () => {
  const data = wave(12, 2).map((v) => 2 * v);
  const row = (i: number): number[] => data.slice(3 * i, 3 * i + 3);
  const loss = (i: number, target: number): number => log(total(row(i).map(exp))) - row(i)[target]!;

  it('is the negative log-likelihood of each row in nats, in the shape of the targets', () => {
    const targets = i32(2, 0, 1, 1).reshape(2, 2);
    const want = [loss(0, 2), loss(1, 0), loss(2, 1), loss(3, 1)];
    near(crossEntropy(f64([2, 2, 3], data), targets), [2, 2], want);
    near(crossEntropy(f64([2, 2, 3], data), targets, {}), [2, 2], want);
    near(crossEntropy(f64([3], row(0)), i32(2).reshape()), [], [loss(0, 2)]);
  });

  it('is 0 for the target that is ignored: -100 unless told otherwise', () => {
    const x = f64([4, 3], data);
    near(crossEntropy(x, i32(-100, 0, -100, 1)), [4], [0, loss(1, 0), 0, loss(3, 1)]);
    const ignoring = { ignoreIndex: 0 };
    near(crossEntropy(x, i32(2, 0, 1, 0), ignoring), [4], [loss(0, 2), 0, loss(2, 1), 0]);
  });

  it('stays finite for logits that exp cannot take', () => {
    near(
      crossEntropy(f64([2, 2], [1000, 0, -1000, -1001]), i32(1, 1)),
      [2],
      [1000, 1 + log(1 + exp(-1))],
    );
  });

  it('pulls back (softmax - onehot) ct, zeros to ignored rows', () => {
    const ct = [2, -1, 3, 0.5];
    const targets = i32(2, 7, 1, 7);
    const { pullback } = vjp(
      (t) => crossEntropy(t!, targets, { ignoreIndex: 7 }),
      f64([4, 3], data),
    );
    const want = range(12).map((p) => {
      const [i, j] = [Math.floor(p / 3), p % 3];
      if (i % 2 === 1) return 0;
      const q = exp(data[p]!) / total(row(i).map(exp));
      return (q - Number(j === [2, 0, 1, 0][i])) * ct[i]!;
    });
    near(pullback(f64([4], ct))[0]!, [4, 3], want);
  });
});
