/** Losses refuse what they cannot take by their own name, before anything is allocated. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { DTypeError, setBackend, ShapeError, tensor, ValueError } from '@loretta-ts/core';
import { expect, it } from 'vitest';
import {
  bceWithLogitsLoss,
  crossEntropyLoss,
  huberLoss,
  klDivLoss,
  l1Loss,
  mseLoss,
  nllLoss,
} from '../src/index';

it.each(
  Object.entries({ bceWithLogitsLoss, crossEntropyLoss, huberLoss, klDivLoss, l1Loss, mseLoss }),
)('%s of integers is refused by name, and leaves nothing', (name, loss) => {
  const backend = referenceBackend();
  setBackend(backend);
  const logits = tensor(Int32Array.of(1, 2));
  const target = name === 'crossEntropyLoss' ? tensor(1, { dtype: 'i32' }) : logits;
  const before = backend.memory().buffers;
  expect(() => loss(logits, target)).toThrow(DTypeError);
  expect(() => loss(logits, target)).toThrow(`${name}: i32 is not floating point`);
  expect(backend.memory().buffers).toBe(before);
});

it('a class that does not exist leaves nothing', () => {
  const backend = referenceBackend();
  setBackend(backend);
  const [logits, target] = [tensor([1, 2], { shape: [1, 2] }), tensor(Int32Array.of(2))];
  const before = backend.memory().buffers;
  expect(() => crossEntropyLoss(logits, target)).toThrow(ValueError);
  expect(backend.memory().buffers).toBe(before);
});

const losses = {
  ...{ bceWithLogitsLoss, crossEntropyLoss, huberLoss, klDivLoss, l1Loss, mseLoss, nllLoss },
};

it.each(Object.entries(losses))('%s refuses a reduction that it does not know', (name, loss) => {
  const backend = referenceBackend();
  setBackend(backend);
  const logits = tensor([[0.5, 0.25]]);
  const target = /crossEntropy|nll/.test(name) ? tensor(Int32Array.of(1)) : logits;
  const before = backend.memory().buffers;
  const options = { reduction: 'median' as 'mean' };
  expect(() => loss(logits, target, options)).toThrow(ValueError);
  expect(() => loss(logits, target, options)).toThrow(
    `${name}: reduction is median: it must be mean, sum or none`,
  );
  expect(backend.memory().buffers).toBe(before);
});

it('nllLoss and klDivLoss leave nothing when they refuse', () => {
  const backend = referenceBackend();
  setBackend(backend);
  const [rows, zero] = [tensor([[-1, -2]]), tensor(0.5)];
  const [far, float] = [tensor(Int32Array.of(2)), tensor([1])];
  const before = backend.memory().buffers;
  expect(() => nllLoss(rows, far)).toThrow(ValueError);
  expect(() => nllLoss(rows, float)).toThrow('nllLoss: targets are f32, not i32');
  expect(() => klDivLoss(zero, zero, { reduction: 'batchmean' })).toThrow(ShapeError);
  expect(backend.memory().buffers).toBe(before);
});
