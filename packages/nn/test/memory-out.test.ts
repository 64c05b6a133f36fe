/** Models, optimisers and generations that do not fit leave nothing behind. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { key, setBackend, tensor } from '@loretta-ts/core';
import { type Failing, failing, stopEverywhere } from '@loretta-ts/core/testing';
import { expect, it } from 'vitest';
import { AdamW, Decoder, generate, VqTrainer, VqVae } from '../src/index';

const config = { vocab: 9, dim: 8, layers: 1, heads: 2, maxLength: 16 } as const;

/** Sets the reference, stopped at a chosen allocation or kernel. */
function useFailing(): Failing {
  const memory = failing(referenceBackend());
  setBackend(memory.backend);
  return memory;
}

const live = ({ backend }: Failing): number => backend.memory().buffers;

it('a decoder that does not fit frees the layers that did', async () => {
  const memory = useFailing();
  const made = await stopEverywhere(memory, async () => {
    const model = new Decoder(config, key(0));
    return () => model.dispose();
  });
  expect(made).toBeGreaterThan(10);
  expect(live(memory)).toBe(0);
});

it('so do an autoencoder and an optimiser', async () => {
  const memory = useFailing();
  await stopEverywhere(memory, async () => {
    const model = new VqVae({ channels: 1, size: [4, 4], levels: 1, codes: 4, dim: 2 }, key(0));
    return () => model.dispose();
  });
  expect(live(memory)).toBe(0);
  const model = new Decoder(config, key(0));
  const before = live(memory);
  await stopEverywhere(memory, async () => {
    const optimizer = new AdamW(model.namedParameters());
    return () => optimizer.dispose();
  });
  expect(live(memory)).toBe(before);
});

it('a generation that does not fit frees its cache and its inputs, and the next one runs', async () => {
  const memory = useFailing();
  const model = new Decoder(config, key(0));
  const prompt = tensor([[1, 2]], { dtype: 'i32' });
  const options = { maxNewTokens: 3, temperature: 0, allowed: [[0, 5]] as const };
  const run = async (): Promise<() => void> => {
    const { ids, tokens } = await generate(model, prompt, options);
    return () => {
      for (const t of [ids, tokens]) t.dispose();
    };
  };
  for (let i = 0; i < 3; i++) (await run())(); // recorded from here on
  expect(await stopEverywhere(memory, run)).toBeGreaterThan(5);
});

it.each([
  ['vq', 0.9],
  ['gumbel', null],
] as const)(
  'a step of the trainer of autoencoders that is stopped anywhere leaves nothing: %s, decay %s',
  async (quantizer, decay) => {
    const memory = useFailing();
    const size = { channels: 1, size: [4, 4], levels: 1, hidden: 4, codes: 4, dim: 2 } as const;
    const model = new VqVae(
      { ...size, quantizer, ...(quantizer === 'vq' ? { decay } : {}) },
      key(0),
    );
    const data = Float32Array.from({ length: 64 }, (_, i) => Math.sin(i));
    const trainer = new VqTrainer(model, data, { steps: 4, batch: 2 });
    const before = live(memory);
    const free = (): void => undefined;
    const allocations = await stopEverywhere(memory, async () => {
      await trainer.step();
      return free;
    });
    expect(allocations).toBeGreaterThan(100);
    expect(trainer.steps).toBe(1);
    expect(live(memory)).toBe(before);
  },
);
