/** Errors: class, fields, the way out, and that nothing was allocated. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  adamw,
  add,
  attention,
  type Backend,
  BackendError,
  broadcastTo,
  CaptureError,
  concat,
  conv1d,
  crossEntropy,
  DTypeError,
  einsum,
  embedding,
  embeddingGrad,
  getBackend,
  layerNorm,
  matmul,
  max,
  mul,
  normal,
  key,
  oneHot,
  permute,
  reshape,
  rope,
  scope,
  select,
  setBackend,
  ShapeError,
  slice,
  softmax,
  split,
  stack,
  sum,
  tensor,
  topK,
  type Tensor,
  updateSlice,
  ValueError,
  valueAndGrad,
  where,
  withBackend,
  zeros,
} from '../src';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

type Kind = typeof ShapeError | typeof DTypeError | typeof ValueError;
const of = (...shape: number[]): Tensor => zeros(shape);
const ints = (...xs: number[]): Tensor => tensor(Int32Array.from(xs));

/** Every row: what is called, the error, and what its message says. */
const rows: readonly (readonly [string, () => unknown, Kind, RegExp])[] = [
  [
    'matmul',
    () => matmul(of(8, 64), of(32, 16)),
    ShapeError,
    /^matmul: inner sizes differ: f32\[8,64\] @ f32\[32,16\]; 64 vs 32$/,
  ],
  ['matmul of a scalar', () => matmul(of(), of(3)), ShapeError, /use mul/],
  ['add', () => add(of(3), of(4)), ShapeError, /^add: .*f32\[3\], f32\[4\]/],
  ['mixed dtypes', () => add(of(3), ints(1, 2, 3)), DTypeError, /\.cast\('f32'\)/],
  ['add of bools', () => add(of(2).cast('bool'), of(2).cast('bool')), DTypeError, /bool/],
  ['two numbers', () => mul(1, 2), DTypeError, /one must be a tensor/],
  ['reshape', () => reshape(of(2, 3), [4, -1]), ShapeError, /f32\[2,3\].*\[4,-1\]/],
  ['reshape twice -1', () => reshape(of(6), [-1, -1]), ShapeError, /-1/],
  ['permute', () => permute(of(2, 3), [0, 0]), ShapeError, /\[0,0\]/],
  ['axis', () => sum(of(2, 3), 2), ShapeError, /axis 2 is out of range.*-2 to 1/],
  ['repeated axes', () => sum(of(2, 3), [0, -2]), ShapeError, /repeat/],
  ['empty max', () => max(of(3, 0), 1), ShapeError, /no elements/],
  ['broadcastTo', () => broadcastTo(of(2, 3), [2, 4]), ShapeError, /does not broadcast/],
  ['slice', () => slice(of(4), [0], [2], [0]), ValueError, /step/],
  ['slice beyond', () => slice(of(4), [3], [2]), ShapeError, /leave f32\[4\]/],
  ['select', () => select(of(3), 0, 3), ShapeError, /index 3/],
  ['concat', () => concat([of(2, 3), of(2, 4)]), ShapeError, /off axis 0/],
  ['concat of nothing', () => concat([]), ShapeError, /at least one/],
  ['stack', () => stack([of(2), of(3)]), ShapeError, /differ/],
  ['split', () => split(of(5), [2, 2]), ShapeError, /do not add up/],
  ['split by zero', () => split(of(5), 0), ValueError, /size 0/],
  ['embedding', () => embedding(of(4, 2), ints(0, 4)), ValueError, /4/],
  ['embeddingGrad', () => embeddingGrad(ints(0), of(1, 2), -1), ValueError, /rows -1 is not an/],
  ['embedding of floats', () => embedding(of(4, 2), of(2)), DTypeError, /i32/],
  ['oneHot', () => oneHot(ints(0, 3), 3), ValueError, /index 3/],
  ['where', () => where(of(2), of(2), of(2)), DTypeError, /bool/],
  ['crossEntropy', () => crossEntropy(of(3, 4), ints(0, 4, 1)), ValueError, /4/],
  ['crossEntropy rows', () => crossEntropy(of(3, 4), ints(0, 1)), ShapeError, /targets/],
  ['softmax of ints', () => softmax(ints(1, 2)), DTypeError, /floating point/],
  ['layerNorm', () => layerNorm(of(2, 3), of(4)), ShapeError, /weight/],
  [
    'attention heads',
    () => attention(of(1, 2, 3, 4), of(1, 2, 2, 4), of(1, 2, 2, 4)),
    ShapeError,
    /3 heads.*2/,
  ],
  [
    'attention window',
    () => attention(of(1, 2, 2, 4), of(1, 2, 2, 4), of(1, 2, 2, 4), { window: -1 }),
    ValueError,
    /window/,
  ],
  ['rope', () => rope(of(1, 2, 1, 4), ints(0, 1), { rotaryDim: 3 }), ShapeError, /odd/],
  ['conv1d', () => conv1d(of(1, 3, 5), of(4, 2, 3)), ShapeError, /channels/],
  ['einsum', () => einsum('ij,jk->iz', of(2, 3), of(3, 2)), ShapeError, /'ij,jk->iz'.*z/],
  ['einsum without ellipsis', () => einsum('ij->i', of(2, 3, 4)), ShapeError, /names 2/],
  ['topK', () => topK(of(3), 4), ValueError, /k 4/],
  ['updateSlice', () => updateSlice(of(4), of(2), 3, 0), ValueError, /start 3/],
  [
    'adamw',
    () => adamw(of(2), of(3), of(2), of(2), of(5), { beta1: 0.9, beta2: 0.9, eps: 1e-8 }),
    ShapeError,
    /gradient/,
  ],
  ['zeros', () => zeros([2, -1]), ShapeError, /-1/],
  ['normal of no shape', () => normal(key(0), [-1, -3]), ShapeError, /^normal: \[-1,-3\] is not/],
  ['ragged tensor', () => tensor([[1, 2], [3]]), ShapeError, /ragged/],
  ['tensor of another size', () => tensor([1, 2, 3], { shape: [2, 2] }), ShapeError, /3 values/],
  ['fractions as i32', () => tensor([1.5], { dtype: 'i32' }), ValueError, /1\.5/],
  [
    'a loss that is no scalar',
    () => valueAndGrad([of(2)], () => of(2)),
    ShapeError,
    /sum\(\) or mean\(\)/,
  ],
];

describe('bad input', () => {
  it.each(rows)('%s', (_, call, kind, message) => {
    using s = scope();
    const error = ((): unknown => {
      try {
        return s.run(call);
      } catch (e) {
        return e;
      }
    })();
    expect(error).toBeInstanceOf(kind);
    expect((error as Error).message).toMatch(message);
    expect((error as { op: string }).op).not.toBe('');
    s.dispose();
    expect(backend.memory().buffers).toBe(0);
  });

  it('is found before anything is allocated', () => {
    const [a, b] = [of(2, 3), of(4, 2)];
    const before = backend.memory();
    expect(() => matmul(a, b)).toThrow(ShapeError);
    expect(() => a.add(b)).toThrow(ShapeError);
    expect(backend.memory()).toEqual(before);
  });

  it('carries shapes and dtypes as fields', () => {
    const caught = (call: () => unknown): unknown => {
      try {
        return call();
      } catch (error) {
        return error;
      }
    };
    expect(caught(() => matmul(of(2, 3), of(4, 2)))).toMatchObject({
      name: 'ShapeError',
      op: 'matmul',
      shapes: [
        [2, 3],
        [4, 2],
      ],
    });
    expect(caught(() => add(of(1), ints(1)))).toMatchObject({
      name: 'DTypeError',
      op: 'add',
      dtypes: ['f32', 'i32'],
    });
  });
});

describe('backends', () => {
  it('are named when there is none', async () => {
    const { getBackend: unset } = await import('../src/runtime');
    expect(unset).toBe(getBackend);
    setBackend(null as unknown as Backend);
    expect(() => zeros([1])).toThrow(BackendError);
    expect(() => zeros([1])).toThrow(/setBackend\(cpu\(\)\)/);
  });

  it('do not mix', () => {
    const other = referenceBackend();
    const [a, b] = [of(2), tensor([1, 2], { backend: other })];
    expect(() => add(a, b)).toThrow(BackendError);
    expect(() => add(a, b)).toThrow(/move one/);
  });

  it('are set for one call by withBackend', () => {
    const other = referenceBackend();
    expect(withBackend(other, () => of(2)).backend).toBe(other);
    expect(getBackend()).toBe(backend);
    expect(() => withBackend(other, () => Promise.resolve(1))).toThrow(TypeError);
  });

  it('without synchronous reading say so', async () => {
    const asynchronous: Backend = new Proxy(backend, {
      get: (target, name) => {
        if (name === 'readSync') return undefined;
        const value: unknown = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
    const x = tensor([1, 2], { backend: asynchronous });
    expect(() => x.dataSync()).toThrow(/await data\(\)/);
    expect([...(await x.data())]).toEqual([1, 2]);
    expect(String(x)).toBe('f32[2] (reference reads asynchronously: await toArray())');
  });
});

describe('donation', () => {
  const hyper = (): Tensor => tensor([0.1, 0.1, 0.05, 1, 0.01]);
  const options = { beta1: 0.9, beta2: 0.95, eps: 1e-8 };

  it('gives what the op gives, in the memory of the inputs', () => {
    const make = (): [Tensor, Tensor, Tensor, Tensor] => [
      tensor([1, 2]),
      tensor([0.5, -1]),
      tensor([0.1, 0.2]),
      tensor([0.3, 0.4]),
    ];
    const h = hyper();
    const want = adamw(...make(), h, options).map((t) => [...t.dataSync()]);
    const [p, g, m, v] = make();
    const before = backend.memory();
    const got = adamw(p, g, m, v, h, { ...options, donate: true });
    expect(got.map((t) => [...t.dataSync()])).toEqual(want);
    expect([p, m, v].map((t) => t.disposed)).toEqual([true, true, true]);
    expect(g.disposed).toBe(false);
    expect(backend.memory().buffers).toBe(before.buffers);
  });

  it('copies where somebody else still sees the memory', () => {
    const x = tensor([1, 2, 3, 4]);
    const view = x.reshape(2, 2);
    const y = updateSlice(x, tensor([9]), 1, 0, { donate: true });
    expect([...y.dataSync()]).toEqual([1, 9, 3, 4]);
    expect([...view.dataSync()]).toEqual([1, 2, 3, 4]);
    expect(x.disposed).toBe(true);
  });

  it('is refused where the tensor is needed for a gradient', () => {
    const x = normal(key(1), [4]);
    expect(() =>
      valueAndGrad([x], () => sum(updateSlice(mul(x, 2), tensor([9]), 1, 0, { donate: true }))),
    ).toThrow(CaptureError);
  });
});

it('more elements than indices can count are refused before anything is allocated', () => {
  const before = backend.memory().buffers;
  expect(() => zeros([2 ** 31])).toThrow(ShapeError);
  expect(() => normal(key(1), [2 ** 16, 2 ** 15])).toThrow(
    /: i32\[2,2147483648\] has 4294967296 elements, more than 2147483647/,
  );
  expect(backend.memory().buffers).toBe(before);
});
