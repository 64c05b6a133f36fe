/** Stopping: when a signal is looked at, and that the event loop has its turn before. */
import { expect, it } from 'vitest';
import { throwIfAborted } from '../src';

const reason = new Error('enough');

it('throws what the signal was aborted with, whatever that is', async () => {
  await expect(throwIfAborted(AbortSignal.abort(reason))).rejects.toBe(reason);
  await expect(throwIfAborted(AbortSignal.abort('a text'))).rejects.toBe('a text');
  await expect(throwIfAborted(AbortSignal.abort())).rejects.toThrow(DOMException);
});

it('hears what happens while it waits', async () => {
  const controller = new AbortController();
  setImmediate(() => controller.abort(reason));
  const work = async (): Promise<never> => {
    // nothing else in here lets a task run
    while (true) await throwIfAborted(controller.signal);
  };
  await expect(work()).rejects.toBe(reason);
});

it('does nothing without a signal, or with one that is not aborted', async () => {
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  for (let i = 0; i < 100; i++) await throwIfAborted(undefined);
  expect(turned).toBe(false);
  await throwIfAborted(new AbortController().signal);
});
