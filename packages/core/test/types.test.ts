/** What the compiler accepts and refuses. `tsc` checks the lines; the functions here are never called. */
import { describe, expectTypeOf, it } from 'vitest';
import {
  type Abortable,
  type AdamwOptions,
  attention,
  type Backend,
  type capture,
  cast,
  conv2d,
  type DType,
  full,
  type Grads,
  gelu,
  type Kernels,
  key,
  layerNorm,
  matmul,
  type NestedNumbers,
  normal,
  type OpAttrs,
  type OpName,
  ones,
  type Pullback,
  type Scope,
  type Shape,
  scope,
  softmax,
  type State,
  type Tensor,
  tensor,
  throwIfAborted,
  tidy,
  topK,
  type TypedArray,
  uniform,
  valueAndGrad,
  zeros,
} from '../src';

/** Checked, never run. */
const checked = (_: (x: Tensor) => void): void => undefined;

describe('dtypes', () => {
  it('are literals', () => {
    expectTypeOf<DType>().toEqualTypeOf<'f32' | 'f64' | 'i32' | 'bool'>();
    expectTypeOf(tensor).returns.toEqualTypeOf<Tensor>();
    expectTypeOf<Tensor['dtype']>().toEqualTypeOf<DType>();
    checked((x) => {
      tensor([1], { dtype: 'i32' });
      // @ts-expect-error: 16-bit floats are file formats only
      tensor([1], { dtype: 'f16' });
      // @ts-expect-error
      zeros([2], { dtype: 'float32' });
      // @ts-expect-error
      full([2], 1, { dtype: 'int32' });
      // @ts-expect-error
      cast(x, 'bfloat16');
      // @ts-expect-error
      x.cast('u8');
      // @ts-expect-error: random floats are floats
      normal(key(0), [2], { dtype: 'i32' });
      // @ts-expect-error
      uniform(key(0), [2], { dtype: 'bool' });
    });
  });

  it('of data: numbers, nests of them and four kinds of typed arrays', () => {
    checked(() => {
      tensor([
        [1, 2],
        [3, 4],
      ]);
      tensor([true, false], { dtype: 'bool' });
      tensor(new Int32Array(3));
      // @ts-expect-error
      tensor('1');
      // @ts-expect-error
      tensor([['1']]);
      // @ts-expect-error
      tensor(new BigInt64Array(1));
      // @ts-expect-error
      tensor(null);
    });
  });
});

describe('attributes', () => {
  it('of methods', () => {
    checked((x) => {
      x.sum();
      x.sum(0);
      x.sum([0, -1], { keepDims: true });
      x.sum(null);
      // @ts-expect-error: axes come first
      x.sum({ axis: 0 });
      // @ts-expect-error
      x.sum({ axis: 'a' });
      // @ts-expect-error
      x.sum('a');
      // @ts-expect-error
      x.sum(0, { keepdims: true });
      // @ts-expect-error
      x.mean(0, true);
      // @ts-expect-error: one axis
      x.argmax([0, 1]);
      x.reshape(2, -1);
      x.reshape([2, -1]);
      // @ts-expect-error
      x.reshape('2, -1');
      // @ts-expect-error
      x.permute([0, 1]);
      // @ts-expect-error
      x.and(true);
      // @ts-expect-error
      x.add('1');
      // @ts-expect-error
      x.matmul(x, { transpose: true });
    });
  });

  it('of functions', () => {
    checked((x) => {
      matmul(x, x, { transB: true });
      // @ts-expect-error
      matmul(x, x, { transB: 1 });
      // @ts-expect-error
      softmax(x, { axis: -1 });
      // @ts-expect-error
      gelu(x, { approximate: 'tanh' });
      // @ts-expect-error
      attention(x, x, x, { causal: 'yes' });
      // @ts-expect-error: the bias is an operand
      layerNorm(x, { eps: 1e-5 });
      // @ts-expect-error
      conv2d(x, x, { stride: [1, 2, 3] });
      // @ts-expect-error
      topK(x, '3');
      // @ts-expect-error
      ones(3);
      // @ts-expect-error: seeds are integers
      key('seed');
    });
  });

  it('are those of the table, and a backend has a kernel for each core op', () => {
    expectTypeOf<OpAttrs['matmul']>().toExtend<{ readonly transA: boolean }>();
    expectTypeOf<OpAttrs['sum']>().toEqualTypeOf<{
      readonly axes: readonly number[];
      readonly keepDims: boolean;
    }>();
    expectTypeOf<'matmul' | 'sum' | 'attention'>().toExtend<OpName>();
    expectTypeOf<'multiply'>().not.toExtend<OpName>();
    expectTypeOf<Kernels['matmul']>().toBeFunction();
    expectTypeOf<undefined>().not.toExtend<Kernels['matmul']>();
    expectTypeOf<undefined>().toExtend<Kernels['attention']>();
    expectTypeOf<AdamwOptions>().not.toBeAny();
  });
});

describe('values', () => {
  it('are read as promises, and at once under names that say so', () => {
    expectTypeOf<Tensor['data']>().returns.toEqualTypeOf<Promise<TypedArray>>();
    expectTypeOf<Tensor['dataSync']>().returns.toEqualTypeOf<TypedArray>();
    expectTypeOf<Tensor['item']>().returns.toEqualTypeOf<Promise<number>>();
    expectTypeOf<Tensor['itemSync']>().returns.toEqualTypeOf<number>();
    expectTypeOf<Tensor['toArray']>().returns.toEqualTypeOf<Promise<NestedNumbers>>();
    expectTypeOf<Tensor['toArraySync']>().returns.toEqualTypeOf<NestedNumbers>();
    expectTypeOf<Tensor>().toExtend<Iterable<Tensor>>();
    expectTypeOf<Tensor['shape']>().toEqualTypeOf<Shape>();
    checked((x) => {
      for (const row of x) expectTypeOf(row).toEqualTypeOf<Tensor>();
      // @ts-expect-error: a tensor is immutable
      x.shape = [1];
      // @ts-expect-error
      x.shape[0] = 1;
      // @ts-expect-error
      x.dtype = 'i32';
    });
  });
});

describe('lifetimes', () => {
  it('are disposable', () => {
    expectTypeOf<Tensor>().toExtend<Disposable>();
    expectTypeOf<Scope>().toExtend<Disposable>();
    expectTypeOf<Grads>().toExtend<Disposable>();
    expectTypeOf<Pullback>().toExtend<Disposable>();
    expectTypeOf<ReturnType<typeof capture>>().toExtend<Disposable>();
    expectTypeOf<Backend>().toExtend<AsyncDisposable>();
    expectTypeOf(scope().run(() => 3)).toEqualTypeOf<number>();
    expectTypeOf(tidy(() => ['a'] as const)).toEqualTypeOf<readonly ['a']>();
  });

  it('of gradients: leaves are asked for by themselves', () => {
    checked((x) => {
      const { value, grads, aux } = valueAndGrad([x], () => [x.sum(), { n: 1 }] as const);
      expectTypeOf(value).toEqualTypeOf<Tensor>();
      expectTypeOf(grads.get(x)).toEqualTypeOf<Tensor>();
      expectTypeOf(aux.n).toEqualTypeOf<1>();
      // @ts-expect-error: not a leaf
      grads.get('x');
    });
    expectTypeOf<State>().toExtend<{ value: Tensor }>();
  });
});

it('a signal may be left out, or be undefined', () => {
  expectTypeOf<Abortable['signal']>().toEqualTypeOf<AbortSignal | undefined>();
  expectTypeOf({}).toExtend<Abortable>();
  expectTypeOf(throwIfAborted).returns.toEqualTypeOf<Promise<void>>();
  checked(() => {
    // @ts-expect-error: the signal, not its controller
    void throwIfAborted(new AbortController());
  });
});
