/** Models, optimisers and generations that do not fit leave nothing behind. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { key, setBackend, tensor } from '@loretta-ts/core';
import { type Failing, failing } from '@loretta-ts/core/testing';
import { expect, it } from 'vitest';
import { AdamW, Decoder, generate, VqVae } from '../src/index';

const config = { vocab: 9, dim: 8, layers: 1, heads: 2, maxLength: 16 } as const;

interface Memory {
  readonly live: () => number;
  readonly refuse: Failing['restart'];
}

/** Sets the reference, stopped at a chosen allocation or kernel. */
function useFailing(): Memory {
  const inner = referenceBackend();
  const memory = failing(inner);
  setBackend(memory.backend);
  return { live: () => inner.memory().buffers, refuse: (at) => memory.restart(at) };
}

/** Refuses each allocation in turn, until the work is done; `work` gives what frees what it made. */
async function everywhere(
  { live, refuse }: Memory,
  work: () => Promise<() => void>,
): Promise<number> {
  for (let at = 0; ; at++) {
    const before = live();
    refuse(at);
    try {
      const free = await work();
      refuse(null);
      free();
      return at;
    } catch (error) {
      expect(String(error)).toMatch('Refused');
      expect(live(), `allocation ${at}`).toBe(before);
    }
  }
}

it('a decoder that does not fit frees the layers that did', async () => {
  const memory = useFailing();
  const made = await everywhere(memory, async () => {
    const model = new Decoder(config, key(0));
    return () => model.dispose();
  });
  expect(made).toBeGreaterThan(10);
  expect(memory.live()).toBe(0);
});

it('so do an autoencoder and an optimiser', async () => {
  const memory = useFailing();
  await everywhere(memory, async () => {
    const model = new VqVae({ channels: 1, size: [4, 4], levels: 1, codes: 4, dim: 2 }, key(0));
    return () => model.dispose();
  });
  expect(memory.live()).toBe(0);
  const model = new Decoder(config, key(0));
  const before = memory.live();
  await everywhere(memory, async () => {
    const optimizer = new AdamW(model.namedParameters());
    return () => optimizer.dispose();
  });
  expect(memory.live()).toBe(before);
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
  expect(await everywhere(memory, run)).toBeGreaterThan(5);
});
