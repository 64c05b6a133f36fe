/** Methods of tensors: each is the function of its name, with the same defaults. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import * as core from '../src';
import { DisposedError, grad, setBackend, ShapeError, sum, Tensor } from '../src';
import { b, counted, f, i, read } from './rows';

beforeEach(() => setBackend(referenceBackend()));

const x = (): Tensor => f([0.5, -1.5, 2, 0.25], [2, 2]);
const y = (): Tensor => f([2, 0.5, 2, -1], [2, 2]);
const m = (): Tensor => counted(2, 3);
const thin = (): Tensor => counted(1, 2, 1);
const [yes, no] = [(): Tensor => b([1, 1, 0, 0]), (): Tensor => b([1, 0, 1, 0])];
const kept = { keepDims: true };

/** A call of the method, and one of the function with every argument written out. */
const rows: readonly (readonly [string, () => Tensor, () => Tensor])[] = [
  ['add', () => x().add(y()), () => core.add(x(), y())],
  ['add of a number', () => x().add(2), () => core.add(x(), 2)],
  ['sub', () => x().sub(y()), () => core.sub(x(), y())],
  ['mul', () => x().mul(y()), () => core.mul(x(), y())],
  ['div', () => x().div(y()), () => core.div(x(), y())],
  ['maximum', () => x().maximum(y()), () => core.maximum(x(), y())],
  ['minimum', () => x().minimum(y()), () => core.minimum(x(), y())],
  ['pow', () => x().pow(2), () => core.pow(x(), 2)],
  ['neg', () => x().neg(), () => core.neg(x())],
  ['abs', () => x().abs(), () => core.abs(x())],
  ['exp', () => x().exp(), () => core.exp(x())],
  ['log', () => x().log(), () => core.log(x())],
  ['sqrt', () => x().sqrt(), () => core.sqrt(x())],
  ['rsqrt', () => x().rsqrt(), () => core.rsqrt(x())],
  ['reciprocal', () => x().reciprocal(), () => core.reciprocal(x())],
  ['square', () => x().square(), () => core.square(x())],
  ['sin', () => x().sin(), () => core.sin(x())],
  ['cos', () => x().cos(), () => core.cos(x())],
  ['tanh', () => x().tanh(), () => core.tanh(x())],
  ['sigmoid', () => x().sigmoid(), () => core.sigmoid(x())],
  ['relu', () => x().relu(), () => core.relu(x())],
  ['eq', () => x().eq(y()), () => core.eq(x(), y())],
  ['ne', () => x().ne(y()), () => core.ne(x(), y())],
  ['lt', () => x().lt(y()), () => core.lt(x(), y())],
  ['le', () => x().le(y()), () => core.le(x(), y())],
  ['gt', () => x().gt(y()), () => core.gt(x(), y())],
  ['ge', () => x().ge(y()), () => core.ge(x(), y())],
  ['and', () => yes().and(no()), () => core.and(yes(), no())],
  ['or', () => yes().or(no()), () => core.or(yes(), no())],
  ['xor', () => yes().xor(no()), () => core.xor(yes(), no())],
  ['not', () => yes().not(), () => core.not(yes())],
  ['matmul', () => x().matmul(m()), () => core.matmul(x(), m(), { transA: false, transB: false })],
  [
    'matmul, transposed',
    () => m().matmul(x(), { transA: true, transB: true }),
    () => core.matmul(m(), x(), { transA: true, transB: true }),
  ],
  ['sum', () => m().sum(), () => core.sum(m(), null, { keepDims: false })],
  ['sum of an axis', () => m().sum(1, kept), () => core.sum(m(), [1], kept)],
  ['mean', () => m().mean(), () => core.mean(m(), null, { keepDims: false })],
  ['mean of an axis', () => m().mean([0], kept), () => core.mean(m(), 0, kept)],
  ['max', () => m().max(), () => core.max(m(), null, { keepDims: false })],
  ['max of an axis', () => m().max(0, kept), () => core.max(m(), 0, kept)],
  ['min', () => m().min(), () => core.min(m(), null, { keepDims: false })],
  ['min of an axis', () => m().min(1, kept), () => core.min(m(), 1, kept)],
  ['argmax', () => m().argmax(), () => core.argmax(m(), null, { keepDims: false })],
  ['argmax of an axis', () => m().argmax(1, kept), () => core.argmax(m(), 1, kept)],
  ['argmin', () => m().argmin(), () => core.argmin(m(), null, { keepDims: false })],
  ['argmin of an axis', () => m().argmin(-1, kept), () => core.argmin(m(), 1, kept)],
  ['reshape', () => m().reshape(3, -1), () => core.reshape(m(), [3, 2])],
  ['reshape by a list', () => m().reshape([3, 2]), () => core.reshape(m(), [3, 2])],
  ['reshape to a scalar', () => i([4]).reshape(), () => core.reshape(i([4]), [])],
  ['reshape to a scalar by a list', () => i([4]).reshape([]), () => core.reshape(i([4]), [])],
  ['permute', () => m().permute(1, 0), () => core.permute(m(), [1, 0])],
  [
    'transpose',
    () => counted(1, 2, 3).transpose(),
    () => core.permute(counted(1, 2, 3), [0, 2, 1]),
  ],
  ['transpose of axes', () => thin().transpose(0, 1), () => core.permute(thin(), [1, 0, 2])],
  ['slice', () => m().slice([0, 1], [2, 2]), () => core.slice(m(), [0, 1], [2, 2], [1, 1])],
  [
    'slice by steps',
    () => m().slice([1, 2], [2, 2], [-1, -2]),
    () => core.slice(m(), [1, 2], [2, 2], [-1, -2]),
  ],
  ['narrow', () => m().narrow(1, 1, 2), () => core.narrow(m(), 1, 1, 2, 1)],
  ['select', () => m().select(1, -1), () => core.select(m(), 1, 2)],
  ['squeeze', () => thin().squeeze(), () => core.reshape(thin(), [2])],
  ['squeeze of an axis', () => thin().squeeze(0), () => core.reshape(thin(), [2, 1])],
  ['unsqueeze', () => m().unsqueeze(1), () => core.reshape(m(), [2, 1, 3])],
  ['flatten', () => m().flatten(), () => core.reshape(m(), [6])],
  ['flatten of axes', () => thin().flatten(1), () => core.reshape(thin(), [1, 2])],
  ['flatten up to an axis', () => thin().flatten(0, 1), () => core.reshape(thin(), [2, 1])],
  ['broadcastTo', () => thin().broadcastTo([2, 2, 1]), () => core.broadcastTo(thin(), [2, 2, 1])],
  ['cast', () => x().cast('i32'), () => core.cast(x(), 'i32')],
  ['stopGradient', () => x().stopGradient(), () => x()],
];

describe('a method gives what its function gives', () => {
  it.each(rows)('%s', (_, method, call) => expect(read(method())).toEqual(read(call())));

  it('and every method is in the table', () => {
    const own = Object.getOwnPropertyNames(Tensor.prototype);
    const tested = new Set(rows.map(([name]) => name.split(/[ ,]/)[0]!));
    const functions = own.filter((name) => name in core && name !== 'keep');
    expect(functions.filter((name) => !tested.has(name))).toEqual([]);
    expect([...tested].filter((name) => !own.includes(name))).toEqual([]);
  });
});

describe('a tensor as a list', () => {
  it('gives its slices along the first axis', () => {
    expect([...m()].map(read)).toEqual([
      ['f64[3]', [0, 1, 2]],
      ['f64[3]', [3, 4, 5]],
    ]);
    const [first, second] = i([7, 8]);
    expect([first!, second!].map(read)).toEqual([
      ['i32[]', [7]],
      ['i32[]', [8]],
    ]);
    expect([...counted(0, 2)]).toEqual([]);
  });

  it('is refused of a scalar', () => {
    const scalar = i([1], []);
    const call = (): unknown => [...scalar];
    expect(call).toThrow(ShapeError);
    expect(call).toThrow(/^iterate: i32\[\] has no axis: use item\(\)$/);
    expect(call).toThrow(expect.objectContaining({ shapes: [[]] }));
  });

  it('carries gradients', () => {
    const g = grad((t: Tensor) => {
      const [a, c] = t;
      return sum(core.mul(a!, c!));
    })(f([2, 3]));
    expect(read(g)).toEqual(['f64[2]', [3, 2]]);
  });
});

it('stopGradient is a tensor of its own on the same memory, without a gradient', () => {
  const t = x();
  const stopped = t.stopGradient();
  expect(stopped === t).toBe(false);
  expect(stopped.storage === t.storage).toBe(true);
  expect(read(grad((s: Tensor) => sum(s.mul(s.stopGradient())))(f([3, 4])))).toEqual([
    'f64[2]',
    [3, 4],
  ]);
});

it('a method of a tensor that was given back is refused with the name of the op', () => {
  const t = x();
  t.dispose();
  expect(() => t.add(1)).toThrow(DisposedError);
  expect(() => t.transpose()).toThrow(/^permute: /);
});
