/** A thousand steps in one mode: nothing grows, and nothing crosses that does not have to. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gpu } from '@loretta-ts/backend-gpu';
import {
  capture,
  key,
  normal,
  setBackend,
  sum,
  square,
  sub,
  type Tensor,
  tidy,
  valueAndGrad,
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

describe(`a thousand steps, gpu:${mode}`, () => {
  it.each([true, false])('live arrays and buffers are constant; captured: %s', async (captured) => {
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
    const program = captured ? capture(body, { state: optimizer.leaves() }) : null;
    const step = (): Tensor => {
      const hypers = optimizer.hypers();
      const loss = program?.call(x!, y!, ...hypers) ?? tidy(() => body(x!, y!, ...hypers));
      for (const h of hypers) h.dispose();
      return loss;
    };
    const losses: number[] = [];
    const seen: string[] = [];
    for (let i = 0; i < 1000; i++) {
      const loss = step();
      if (i % 100 === 99) {
        losses.push(await loss.item());
        const { arrays, kernels } = backend.counts();
        const { buffers, bytes } = backend.memory();
        seen.push(JSON.stringify({ arrays, kernels, buffers, bytes }));
      }
      loss.dispose();
    }
    expect(new Set(seen).size, seen.join(' ')).toBe(1);
    expect(losses.at(-1)!).toBeLessThan(losses[0]!);
    program?.dispose();
    optimizer.dispose();
    layer.dispose();
    for (const t of [x!, y!]) t.dispose();
  });

  it('a captured step uploads the rates of the optimiser and reads nothing but the loss', async () => {
    const layer = new Linear(4, 3, { key: key(1) });
    const optimizer = new AdamW(layer.namedParameters(), { lr: 0.01 });
    const x = normal(key(2), [5, 4]).keep();
    const program = capture(
      (input: Tensor, decayed: Tensor, plain: Tensor) => {
        const { value, grads } = valueAndGrad(layer.parameters(), () =>
          sum(square(layer.forward(input))),
        );
        optimizer.apply(grads, [decayed, plain]);
        return value;
      },
      { state: optimizer.leaves() },
    );
    const once = async (): Promise<void> => {
      const hypers = optimizer.hypers();
      const loss = program.call(x, ...hypers);
      await loss.item();
      for (const t of [loss, ...hypers]) t.dispose();
    };
    for (let i = 0; i < 3; i++) await once();
    const before = backend.counts();
    await once();
    const after = backend.counts();
    expect(after.uploads - before.uploads).toBe(onDevice ? 2 : 0);
    expect(after.reads - before.reads).toBe(onDevice ? 1 : 0);
    program.dispose();
    optimizer.dispose();
    layer.dispose();
    x.dispose();
  });
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
