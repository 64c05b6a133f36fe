import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  type Backend,
  capture,
  checkpoint,
  customGrad,
  exp,
  full,
  grad,
  log,
  setBackend,
  softmax,
  sqrt,
  sum,
  type Tensor,
  tensor,
  updateSlice,
  where,
} from '../src/index';
import { detectAnomaly } from '../src/debug';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

describe('detectAnomaly', () => {
  it('is null for a step that is finite', async () => {
    const x = tensor([1, 2]);
    expect(await detectAnomaly([x], () => sum(x.mul(x)))).toBeNull();
  });

  it('names the op that made it on the way forward', async () => {
    const x = tensor([1, -2]);
    expect(await detectAnomaly([x], () => sum(log(x).mul(3).add(1)))).toMatchObject({
      ...{ op: 'log', gradientOf: null, origin: 'made', value: 'NaN', leaf: null },
      aval: { shape: [2], dtype: 'f32' },
      message: 'log made NaN in f32[2]',
    });
  });

  it('names the op whose gradient made it, of a loss that is finite', async () => {
    const x = tensor([0, 4]);
    const found = await detectAnomaly([x], () => sum(sqrt(x)));
    expect(found).toMatchObject({ gradientOf: 'sqrt', origin: 'made', value: 'infinity' });
    expect(found!.message).toContain('in the gradient of sqrt made infinity in f32[2]');
    const rule = customGrad((y) => ({ value: y.mul(2), vjp: () => [bad] }));
    const bad = full([2], Number.NaN);
    expect(await detectAnomaly([x], () => sum(rule(x)))).toMatchObject({
      message: 'the gradient of customGrad made NaN in f32[2]',
    });
  });

  it('names what overflowed, not what made NaN of the infinity', async () => {
    const x = tensor([1000, 1]);
    const naive = (): Tensor => sum(exp(x).div(sum(exp(x))));
    expect(await detectAnomaly([x], naive)).toMatchObject({ op: 'exp', value: 'infinity' });
  });

  it('tells what was there before the step: a leaf, or an input', async () => {
    const [w, x] = [tensor([[1], [Number.NaN]]), tensor([[1, 2]])];
    const loss = (): Tensor => sum(x.matmul(w));
    const inLeaf = await detectAnomaly([w], loss);
    expect(inLeaf).toMatchObject({ op: 'matmul', origin: 'read', value: 'NaN' });
    expect(inLeaf!.leaf).toBe(w);
    expect(await detectAnomaly([x], loss)).toMatchObject({
      ...{ origin: 'read', leaf: null },
      message: 'matmul was given NaN in an input, f32[2,1]',
    });
  });

  it('leaves infinities alone that do not reach the loss', async () => {
    const x = tensor([1, 2, 3]);
    const seen = tensor([1, 1, 0]).gt(0);
    const masked = (): Tensor => sum(softmax(where(seen, x, Number.NEGATIVE_INFINITY)).mul(x));
    expect(await detectAnomaly([x], masked)).toBeNull();
    const found = await detectAnomaly([x], () => sum(log(x.sub(2))).add(masked()));
    expect(found).toMatchObject({ op: 'log' });
  });

  it('looks into checkpoints, captured functions and fused ops', async () => {
    const x = tensor([-1, 2]);
    const inner = (t: Tensor): Tensor => log(t).mul(2);
    expect(await detectAnomaly([x], () => sum(checkpoint(inner, x)))).toMatchObject({ op: 'log' });
    using captured = capture(inner);
    expect(await detectAnomaly([], () => sum(captured.call(x)))).toMatchObject({ op: 'log' });
    const far = tensor([Number.POSITIVE_INFINITY, 1]);
    expect(await detectAnomaly([], () => sum(softmax(far)))).toMatchObject({ op: 'softmax' });
  });

  it('leaves nothing behind, whether it finds something or the function throws', async () => {
    const x = tensor([-1, 2]);
    const before = backend.memory().buffers;
    await detectAnomaly([x], () => sum(log(x)));
    await expect(detectAnomaly([x], () => log(x))).rejects.toThrow(/not a scalar/);
    expect(backend.memory().buffers).toBe(before);
  });
});

const big = Number.POSITIVE_INFINITY;

describe('the op that is named', () => {
  it('is one that computed, not one that shows a value in another shape', async () => {
    const w = tensor([-1, 2]);
    expect(await detectAnomaly([w], () => sum(log(w).reshape(2, 1).mul(2)))).toMatchObject({
      ...{ op: 'log', aval: { shape: [2], dtype: 'f32' } },
    });
    const x = tensor([big, 1]);
    const found = await detectAnomaly([x], () => sum(exp(x.reshape(2, 1))));
    expect(found!.leaf).toBe(x);
    expect(found!.message).toBe('exp was given infinity in a leaf, f32[2]');
  });

  it('is the one that made NaN, whatever infinity lies nearer to the loss', async () => {
    const [x, far] = [tensor([-1, 2]), tensor([1000])];
    const loss = (): Tensor => sum(exp(far)).add(sum(log(x).mul(3).add(1)));
    expect(await detectAnomaly([x], loss)).toMatchObject({ op: 'log', value: 'NaN' });
  });

  it('is one that overflowed rather than one that was given an infinity', async () => {
    const [x, given] = [tensor([1000, 1]), tensor([big, 1])];
    const loss = (): Tensor => {
      const early = given.mul(2);
      return sum(early.mul(given.mul(exp(x))));
    };
    expect(await detectAnomaly([x], loss)).toMatchObject({
      message: 'exp made infinity in f32[2]',
    });
  });

  it('is not an infinite constant, which was asked for', async () => {
    const x = tensor([1, 2]);
    const difference = (): Tensor =>
      sum(
        full([2], big)
          .sub(full([2], big))
          .mul(x),
      );
    expect(await detectAnomaly([x], difference)).toMatchObject({ op: 'sub', value: 'NaN' });
  });

  it('is the first in time, in whatever order the leaves are listed', async () => {
    const [a, b] = [tensor([0, 1]), tensor([0, 1, 2])];
    const loss = (): Tensor => sum(sqrt(a)).add(sum(sqrt(b).mul(2)));
    const one = await detectAnomaly([a, b], loss);
    const other = await detectAnomaly([b, a], loss);
    // backward goes from the end: b, which came last, is first
    expect(one).toMatchObject({ gradientOf: 'sqrt', aval: { shape: [3], dtype: 'f32' } });
    expect(other).toEqual(one);
  });

  it('is forward after a gradient inside of the function', async () => {
    const x = tensor([-1, 2]);
    const slope = grad((t) => sum(t.mul(t)));
    expect(await detectAnomaly([x], () => sum(log(slope(x))))).toMatchObject({
      ...{ op: 'log', gradientOf: null, message: 'log made NaN in f32[2]' },
    });
  });

  it('is the rule that gave an infinity, not what went on with it', async () => {
    const x = tensor([1, 2]);
    const bad = full([2], big);
    const rule = customGrad((y) => ({ value: y.mul(2), vjp: () => [bad] }));
    expect(await detectAnomaly([x], () => sum(rule(x.mul(3))))).toMatchObject({
      ...{ op: 'customGrad', gradientOf: 'customGrad', origin: 'made' },
      message: 'the gradient of customGrad made infinity in f32[2]',
    });
  });

  it('wrote it where the memory was donated', async () => {
    const [x, negative] = [tensor([1, 2]), tensor([-1])];
    const written = (): Tensor => updateSlice(full([2], 3), log(negative), 1, 0, { donate: true });
    expect(await detectAnomaly([x], () => sum(x.mul(written())))).toMatchObject({ op: 'log' });
    const kept = (): Tensor =>
      updateSlice(full([1], 3), log(negative.mul(-1)), 0, 0, { donate: true });
    expect(await detectAnomaly([x], () => sum(x.mul(kept())))).toBeNull();
  });
});

describe('what was there before', () => {
  it('is told with the gradient that read it', async () => {
    const [x, bad] = [tensor([1, 2]), tensor([big, 1])];
    const rule = customGrad((y) => ({ value: y.mul(2), vjp: (ct) => [ct.mul(bad)] }));
    expect(await detectAnomaly([x], () => sum(rule(x)))).toMatchObject({
      ...{ op: 'mul', gradientOf: 'customGrad', origin: 'read', leaf: null },
      message: 'mul was given infinity in an input, f32[2]',
    });
  });

  it('may be the result itself', async () => {
    const x = tensor(Number.NaN);
    const found = await detectAnomaly([x], () => x);
    expect(found!.leaf).toBe(x);
    expect(found).toMatchObject({
      ...{ op: 'the result', gradientOf: null, origin: 'read', value: 'NaN' },
      message: 'the result was given NaN in a leaf, f32[]',
    });
  });
});

it('captured functions with state run as they are, and what they give is looked at', async () => {
  const [x, y] = [tensor([1, 2]), tensor([-1, 1])];
  const count = { value: tensor([0, 0]) };
  using captured = capture(
    (t) => {
      count.value = count.value.add(1);
      return t!.mul(count.value);
    },
    { state: [count] },
  );
  expect(await detectAnomaly([x], () => sum(log(captured.call(y)).mul(x)))).toMatchObject({
    message: 'log made NaN in f32[2]',
  });
  expect(count.value.toArraySync()).toEqual([1, 1]);
});
