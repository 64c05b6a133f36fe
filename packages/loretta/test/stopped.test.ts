/** What trains beside the trainer, stopped at any allocation or kernel, leaves nothing behind. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { setBackend } from '@loretta-ts/core';
import { failing, stopEverywhere } from '@loretta-ts/core/testing';
import { expect, it } from 'vitest';
import { trainContrastive } from '../src/compare/contrastive';
import { fitCox } from '../src/compare/survival';
import { Toy, TOY_TRIPLE } from '../src/data/toy';
import { ToySampler } from '../src/data/toyData';
import { trainJudge } from '../src/evaluate/judge';
import { classify } from '../src/evaluate/logistic';
import { parseConfig } from '../src/experiment/config';
import { Vocabulary } from '../src/vocabulary';

const nothing = (): void => undefined;
const x = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i));

async function contrastive(): Promise<() => void> {
  const toy = new Toy({ seed: 0, modalities: TOY_TRIPLE });
  const names = TOY_TRIPLE.map(({ name, length }) => ({ name, length }));
  const vocab = new Vocabulary(
    names.map((m) => ({ ...m, vocabSize: toy.alphabet, variable: false })),
  );
  const config = parseConfig({
    model: { dim: 8, layers: 1, heads: 1, dropout: 0 },
    train: { steps: 2, lrWarmup: 1 },
    transitive: { earliest: 1, latest: 1 },
  });
  const sources = [new ToySampler(toy, ['A', 'B'], { batch: 2, seed: 10 })];
  const learned = await trainContrastive({ vocab, sources, config });
  return () => learned.dispose();
}

async function judge(): Promise<() => void> {
  const set = { ids: new Int32Array(12).fill(1), length: 4, labels: Int32Array.of(0, 1, 2) };
  const split = { ...set, classes: 3 };
  const shape = { name: 'A', vocabSize: 2, maxLength: 4, fixedLength: true };
  const made = await trainJudge(
    { ...shape, train: split, test: split },
    { steps: 2, hidden: 4, seed: 1 },
  );
  return () => made.dispose();
}

async function probe(): Promise<() => void> {
  const labels = Int32Array.of(0, 1, 2, 0);
  await classify({ x, labels, dim: 3, classes: 3 }, x, { seed: 1, steps: 2 });
  return nothing;
}

async function cox(): Promise<() => void> {
  const cohort = { times: Float64Array.of(3, 1, 4, 2), events: Uint8Array.of(1, 0, 1, 1) };
  await fitCox(x, 3, cohort, { steps: 2 });
  return nothing;
}

it.each([
  ['contrastive training', contrastive, 23],
  ['a judge', judge, 1],
  ['a probe', probe, 1],
  ['a Cox head', cox, 1],
] as const)('%s', async (_, work, every) => {
  const memory = failing(referenceBackend());
  setBackend(memory.backend);
  expect(await stopEverywhere(memory, work, every)).toBeGreaterThan(50);
  expect(memory.backend.memory().buffers).toBe(0);
});
