/** Losses refuse what they cannot take by their own name, before anything is allocated. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { DTypeError, setBackend, tensor, ValueError } from '@loretta-ts/core';
import { expect, it } from 'vitest';
import {
  bceWithLogitsLoss,
  crossEntropyLoss,
  huberLoss,
  klDivLoss,
  l1Loss,
  mseLoss,
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
