/** What throws in the middle leaves nothing behind. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { expect, it } from 'vitest';
import {
  construct,
  grad,
  setBackend,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  vjp,
} from '../src/index';
import { failing, Refused } from '../src/testing/index';

const square = (x: Tensor): Tensor => x.mul(x).add(x.mul(3)).add(x);

const calls: readonly (readonly [string, (x: Tensor) => void])[] = [
  ['valueAndGrad', (x) => void valueAndGrad([x], () => [sum(square(x)), x.mul(5)])],
  ['grad', (x) => void grad((t) => sum(square(t)))(x)],
  ['vjp', (x) => void vjp(square, x).pullback(x)],
];

it.each(calls)('%s frees everything wherever it is stopped', (_, call) => {
  const inner = referenceBackend();
  const memory = failing(inner);
  const live = (): number => inner.memory().buffers;
  setBackend(memory.backend);
  const x = tensor([1, 2]);
  let thrown = 0;
  for (let at = 0; at < 60; at++) {
    // what is returned belongs to the caller: only what throws is looked at
    const before = live();
    memory.restart(at);
    try {
      call(x);
    } catch (error) {
      expect(String(error)).toMatch('Refused');
      thrown++;
      // the value of a vjp was returned before its pullback threw
      expect(live() - before).toBeLessThanOrEqual(call === calls[2]![1] && at > 7 ? 1 : 0);
    }
    memory.restart(null);
  }
  expect(thrown).toBeGreaterThan(4);
});

it('construct frees what was kept before it threw, and nothing when it ends', () => {
  const inner = referenceBackend();
  const memory = failing(inner);
  const live = (): number => inner.memory().buffers;
  setBackend(memory.backend);
  const make = (): Tensor[] => construct(() => [1, 2, 3].map((x) => tensor([x]).keep()));
  memory.restart(2);
  expect(() => construct(() => [make(), make()])).toThrow(Refused);
  expect(live()).toBe(0);
  memory.restart(4);
  expect(() => construct(() => [make(), make()])).toThrow(Refused);
  expect(live()).toBe(0);
  memory.restart(null);
  expect(make().map((t) => t.itemSync())).toEqual([1, 2, 3]);
  expect(live()).toBe(3);
});
