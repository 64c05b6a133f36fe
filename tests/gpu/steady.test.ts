/** A thousand steps in one mode: nothing grows, and nothing crosses that does not have to. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gpu } from '@loretta-ts/backend-gpu';
import {
  attention,
  capture,
  key,
  normal,
  ones,
  rmsNorm,
  rope,
  setBackend,
  square,
  sub,
  sum,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
  zeros,
} from '@loretta-ts/core';
import { AdamW, Linear } from '@loretta-ts/nn';
import { afterAll, describe, expect, it } from 'vitest';
import { mode } from '../../packages/backend-gpu/test/modes/mode';
import { arithmetic, COLUMNS, guideRow, tableRow } from './arithmetic';

const backend = await gpu({ mode, require: true });
setBackend(backend);
afterAll(() => backend.dispose());

/** Arrays on the device in the modes that have one. */
const onDevice = mode !== 'cpu' && mode !== 'webasm';

/** Least squares by a linear layer: a step, captured or op by op, and its end. */
function regression(captured: boolean): { step(): Tensor; dispose(): void } {
  const layer = new Linear(4, 3, { key: key(1) });
  const optimizer = new AdamW(layer.namedParameters(), { lr: 0.01 });
  const [x, y] = tidy(() => [normal(key(2), [5, 4]).keep(), normal(key(3), [5, 3]).keep()]);
  const body = (input: Tensor, target: Tensor, decayed: Tensor, plain: Tensor): Tensor => {
    const { value, grads } = valueAndGrad(layer.parameters(), () =>
      sum(square(sub(layer.forward(input), target))),
    );
    optimizer.apply(grads, [decayed, plain]);
    return value;
  };
  const program = capture(body, { state: optimizer.leaves() });
  return {
    step() {
      const hypers = optimizer.hypers();
      const loss = captured ? program.call(x!, y!, ...hypers) : tidy(() => body(x!, y!, ...hypers));
      for (const h of hypers) h.dispose();
      return loss;
    },
    dispose() {
      for (const owner of [program, optimizer, layer, x!, y!]) owner.dispose();
    },
  };
}

describe(`a thousand steps, gpu:${mode}`, () => {
  it.each([true, false])('live arrays and buffers are constant; captured: %s', async (captured) => {
    const { step, dispose } = regression(captured);
    const losses: number[] = [];
    const seen: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const loss = step();
      if (i % 100 === 99) {
        losses.push(await loss.item());
        const { arrays, kernels, pooled, allocations } = backend.counts();
        const { buffers, bytes } = backend.memory();
        seen.push(JSON.stringify({ arrays, kernels, pooled, allocations, buffers, bytes }));
      }
      loss.dispose();
    }
    expect(new Set(seen).size, seen.join(' ')).toBe(1);
    expect(backend.counts().pooled > 0).toBe(onDevice);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    dispose();
  });

  it('a captured step uploads the rates of the optimiser and reads nothing but the loss', async () => {
    const { step, dispose } = regression(true);
    const once = async (): Promise<void> => {
      const loss = step();
      await loss.item();
      loss.dispose();
    };
    for (let i = 0; i < 3; i++) await once();
    const before = backend.counts();
    await once();
    const after = backend.counts();
    expect(after.uploads - before.uploads).toBe(onDevice ? 2 : 0);
    expect(after.reads - before.reads).toBe(onDevice ? 1 : 0);
    dispose();
  });
});

it('a replay survives tables that were dropped in between', async () => {
  const x = normal(key(4), [1, 2, 1, 4]).keep();
  const positions = tensor(Int32Array.of(1, 2), { shape: [2], dtype: 'i32' });
  const turned = (theta: number): Tensor => rope(x, positions, { theta });
  const program = capture((t: Tensor) => rope(t, positions, { theta: 10 }));
  const first = program.call(x);
  const want = [...(await first.data())];
  first.dispose();
  // more tables than are kept
  for (let i = 0; i < 100; i++) turned(100 + i).dispose();
  const again = program.call(x);
  expect([...(await again.data())]).toEqual(want);
  again.dispose();
  program.dispose();
  for (const t of [x, positions]) t.dispose();
});

it('attention over no keys and a norm of no rows fill with their own numbers', async () => {
  const none = zeros([1, 0, 1, 4]);
  const o = attention(ones([1, 2, 1, 4]), none, none);
  expect([...(await o.data())]).toEqual(new Array(8).fill(0));
  const weight = ones([3]);
  const { grads } = valueAndGrad([weight], () => sum(rmsNorm(zeros([0, 3]), weight)));
  expect([...(await grads.get(weight).data())]).toEqual([0, 0, 0]);
});

it('the arithmetic is what the guide says', async () => {
  const row = await arithmetic(backend);
  console.log(tableRow(mode, row));
  const guide = readFileSync(
    fileURLToPath(new URL('../../docs/guides/gpu.md', import.meta.url)),
    'utf8',
  );
  const told = guideRow(guide, mode);
  expect(told).toEqual(COLUMNS.slice(0, -1).map((c) => row[c]));
});
