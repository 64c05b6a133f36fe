/** Functions made of several ops free what they make on their way, also where no scope does it for them. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { beforeEach, expect, it } from 'vitest';
import * as core from '../src';
import { type Backend, key, setBackend, Tensor, tensor } from '../src';

let backend: Backend;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const m = (rows = 2, columns = 3): Tensor => core.normal(key(1), [rows, columns]);
const ids = (): Tensor => tensor(Int32Array.of(0, 1));

/** Inputs, and what is called on them. */
const calls: Readonly<
  Record<string, readonly [make: () => Tensor[], call: (...xs: Tensor[]) => unknown]>
> = {
  'add a number': [() => [m()], (x) => core.add(x!, 1)],
  'number minus': [() => [m()], (x) => core.sub(1, x!)],
  'compare with a number': [() => [m()], (x) => core.gt(x!, 0)],
  'where with a number': [() => [m().cast('bool'), m()], (c, x) => core.where(c!, x!, 0)],
  clamp: [() => [m()], (x) => core.clamp(x!, { min: -1, max: 1 })],
  mean: [() => [m()], (x) => core.mean(x!)],
  variance: [() => [m()], (x) => core.variance(x!, 1)],
  std: [() => [m()], (x) => core.std(x!)],
  logSumExp: [() => [m()], (x) => core.logSumExp(x!, -1)],
  any: [() => [m().cast('bool')], (x) => core.any(x!)],
  all: [() => [m().cast('bool')], (x) => core.all(x!, 0)],
  argmax: [() => [m()], (x) => core.argmax(x!, null, { keepDims: true })],
  sort: [() => [m()], (x) => core.sort(x!)],
  topK: [() => [m()], (x) => core.topK(x!, 2)],
  cumprod: [() => [m()], (x) => core.cumprod(x!, 1)],
  norm: [() => [m()], (x) => core.norm(x!)],
  select: [() => [m()], (x) => core.select(x!, 1, 0)],
  stack: [() => [m(), m()], (...xs) => core.stack(xs, 1)],
  split: [() => [m()], (x) => core.split(x!, 1, 1)],
  roll: [() => [m()], (x) => core.roll(x!, 1, 1)],
  tile: [() => [m()], (x) => core.tile(x!, [2, 2])],
  repeatInterleave: [() => [m()], (x) => core.repeatInterleave(x!, 2, 0)],
  indexSelect: [() => [m(), ids()], (x, i) => core.indexSelect(x!, i!, 1)],
  updateSlice: [() => [m(), m(2, 1)], (x, u) => core.updateSlice(x!, u!, 1, 1)],
  oneHot: [() => [ids()], (i) => core.oneHot(i!, 3)],
  'matmul of vectors': [() => [m().flatten(), m().flatten()], (x, y) => core.matmul(x!, y!)],
  'matmul of a batch': [() => [m().reshape(2, 1, 3), m(3, 2)], (x, y) => core.matmul(x!, y!)],
  linear: [() => [m(), m(4, 3), m(1, 4).flatten()], (x, w, b) => core.linear(x!, w!, b!)],
  einsum: [() => [m(), m(3, 2)], (x, y) => core.einsum('ij,jk->ki', x!, y!)],
  tril: [() => [m(3)], (x) => core.tril(x!)],
  conv1d: [() => [m().reshape(1, 2, 3), m(4, 4).reshape(4, 2, 2)], (x, w) => core.conv1d(x!, w!)],
  convTranspose1d: [
    () => [m().reshape(1, 2, 3), m(4, 4).reshape(2, 4, 2)],
    (x, w) => core.convTranspose1d(x!, w!),
  ],
  maxPool2d: [() => [m(4, 4).reshape(1, 1, 4, 4)], (x) => core.maxPool2d(x!, 2, { padding: 1 })],
  avgPool2d: [() => [m(4, 4).reshape(1, 1, 4, 4)], (x) => core.avgPool2d(x!, 2)],
  upsample: [() => [m(4, 4).reshape(1, 1, 4, 4)], (x) => core.upsampleNearest2d(x!, 2)],
  rfft: [() => [m(2, 6)], (x) => core.rfft(x!)],
  irfft: [() => [m(2, 4), m(2, 4)], (x, y) => core.irfft(x!, y!, 6)],
  'softmax of an inner axis': [() => [m()], (x) => core.softmax(x!, 0)],
  crossEntropy: [() => [m(), ids()], (x, t) => core.crossEntropy(x!, t!)],
  layerNorm: [() => [m()], (x) => core.layerNorm(x!)],
  rmsNorm: [() => [m()], (x) => core.rmsNorm(x!)],
  attention: [
    () => [m(4, 4).reshape(1, 4, 2, 2)],
    (x) => core.attention(x!, x!, x!, { causal: true }),
  ],
  rope: [() => [m(4, 4).reshape(1, 2, 2, 4), ids()], (x, p) => core.rope(x!, p!)],
  elu: [() => [m()], (x) => core.elu(x!)],
  leakyRelu: [() => [m()], (x) => core.leakyRelu(x!)],
  logSigmoid: [() => [m()], (x) => core.logSigmoid(x!)],
  normal: [() => [], () => core.normal(key(1), [4])],
  truncatedNormal: [() => [], () => core.truncatedNormal(key(1), [4])],
  categorical: [() => [m()], (x) => core.categorical(key(1), x!)],
  permutation: [() => [], () => core.permutation(key(1), 5)],
  splitTensor: [() => [key(1).tensor()], (k) => core.splitTensor(k!, 3)],
  grad: [() => [m()], (x) => core.grad((t) => core.sum(core.mean(core.square(t), 0)))(x!)],
  checkpoint: [() => [m()], (x) => core.checkpoint((t) => core.softmax(t!, 0).mean(), x!)],
};

function disposeAll(result: unknown): void {
  if (result instanceof Tensor) result.dispose();
  else if (Array.isArray(result)) for (const part of result) disposeAll(part);
}

it.each(Object.keys(calls))('%s', (name) => {
  const [make, call] = calls[name]!;
  const inputs = core.tidy(make);
  const before = backend.memory().buffers;
  disposeAll(call(...inputs));
  expect(backend.memory().buffers).toBe(before);
});
