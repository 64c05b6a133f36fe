/** Stopped generation and training leave nothing behind, and what follows is as if nothing had been. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { type Backend, key, setBackend, type Tensor, tensor } from '@loretta-ts/core';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  checkpointBytes,
  Decoder,
  type DecoderConfig,
  type GenerateOptions,
  generate,
  generateFixed,
  generateLatents,
  generateLatentsStream,
  generateStream,
  trainVqVae,
  VqTrainer,
  VqVae,
} from '../src/index';

let backend: Backend;
const live = (): number => backend.memory().buffers;
beforeEach(() => {
  backend = referenceBackend();
  setBackend(backend);
});

const reason = new Error('enough');
const config: DecoderConfig = { vocab: 12, dim: 8, layers: 1, heads: 2, maxLength: 32 };
const prompt = (): Tensor =>
  tensor(
    [
      [1, 2, 3],
      [4, 5, 6],
    ],
    { dtype: 'i32' },
  ).keep();
const N = 5;

/** Options that abort when step `at` is asked about. */
function stopping(at: number): GenerateOptions {
  const controller = new AbortController();
  return {
    maxNewTokens: N,
    key: key(1),
    signal: controller.signal,
    allowed(step) {
      if (step === at) controller.abort(reason);
      return [[0, 12]];
    },
  };
}

async function drain(stream: AsyncIterable<ArrayLike<number>>): Promise<number[][]> {
  const all: number[][] = [];
  for await (const step of stream) all.push(Array.from(step));
  return all;
}

describe('generate', () => {
  const ways: readonly (readonly [string, Partial<GenerateOptions>])[] = [
    ['without stop ids', {}],
    ['with logits', { logits: true }],
    ['with stop ids', { stopIds: [11] }],
  ];
  it.each(ways)('%s stops before the next token, and frees everything', async (_, rest) => {
    const model = new Decoder(config, key(0));
    const ids = prompt();
    const { allowed } = stopping(-1);
    const options: GenerateOptions = { maxNewTokens: N, key: key(1), allowed: allowed!, ...rest };
    const run = async (more: Partial<GenerateOptions> = {}): Promise<number[]> => {
      const made = await generate(model, ids, { ...options, ...more });
      const found = Array.from(await made.tokens.data());
      for (const t of [made.ids, made.tokens, made.logits]) t?.dispose();
      return found;
    };
    await run(); // what is decoded again is recorded, with its constants
    const whole = await run();
    const before = live();
    for (let at = 0; at < N - 1; at++) {
      await expect(run(stopping(at))).rejects.toBe(reason);
      expect(live()).toBe(before);
    }
    await expect(run({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(live()).toBe(before);
    // a signal that stays silent changes nothing
    expect(await run({ signal: new AbortController().signal })).toEqual(whole);
    expect(await run()).toEqual(whole);
    expect(live()).toBe(before);
  });

  it('hears a task that comes while it runs', async () => {
    const model = new Decoder(config, key(0));
    const controller = new AbortController();
    setImmediate(() => controller.abort(reason));
    const { signal } = controller;
    await expect(generate(model, prompt(), { maxNewTokens: 29, key: key(1), signal })).rejects.toBe(
      reason,
    );
  });

  it('streams until then', async () => {
    const model = new Decoder(config, key(0));
    const ids = prompt();
    const all = (): AsyncIterable<Int32Array> => generateStream(model, ids, stopping(-1));
    await drain(all());
    const whole = await drain(all());
    const before = live();
    for (let at = 1; at < N - 1; at++) {
      const seen: number[][] = [];
      const work = (async () => {
        for await (const step of generateStream(model, ids, stopping(at))) seen.push([...step]);
      })();
      await expect(work).rejects.toBe(reason);
      expect(seen).toEqual(whole.slice(0, seen.length));
      expect(seen.length).toBeGreaterThanOrEqual(at - 1);
      expect(live()).toBe(before);
    }
    for await (const _ of all()) break;
    expect(live()).toBe(before);
  });

  it('at once looks before it begins', () => {
    const model = new Decoder(config, key(0));
    const signal = AbortSignal.abort(reason);
    expect(() => generateFixed(model, prompt(), { ...stopping(-1), signal })).toThrow(reason);
  });
});

describe('generateLatentsStream', () => {
  const latent = { ...config, latent: { dim: 3, components: 2 } };
  it('gives what generateLatents gives, step by step', async () => {
    const model = new Decoder(latent, key(0));
    const ids = prompt();
    const options = { maxNewTokens: N, tokenId: 7, key: key(2) };
    const before = live();
    const made = generateLatents(model, ids, options); // [b, n, z]
    const steps = await drain(generateLatentsStream(model, ids, options));
    expect(steps).toHaveLength(N);
    const all = made.toArraySync() as number[][][];
    steps.forEach((step, s) => {
      expect(step).toEqual(all.flatMap((row) => row[s]!));
    });
    made.dispose();
    expect(live()).toBe(before);
  });

  it('frees everything when it is left or stopped', async () => {
    const model = new Decoder(latent, key(0));
    const ids = prompt();
    const controller = new AbortController();
    const { signal } = controller;
    const options = { maxNewTokens: N, tokenId: 7, key: key(2), signal };
    const before = live();
    for await (const _ of generateLatentsStream(model, ids, options)) break;
    expect(live()).toBe(before);
    let seen = 0;
    const work = (async () => {
      for await (const _ of generateLatentsStream(model, ids, options)) {
        if (++seen === 2) controller.abort(reason);
      }
    })();
    await expect(work).rejects.toBe(reason);
    expect(seen).toBe(2);
    expect(live()).toBe(before);
    expect(() => generateLatents(model, ids, options)).toThrow(reason);
  });
});

describe('trainVqVae', () => {
  it('stops between steps, and frees the optimiser', async () => {
    const shape = { size: [6], channels: 2, codes: 4, hidden: 4, blocks: 1, levels: 1, dim: 2 };
    const data = Float32Array.from({ length: 8 * 12 }, (_, i) => Math.sin(i));
    const options = { steps: 6, batch: 4 };
    const models = [new VqVae(shape, key(3)), new VqVae(shape, key(3))] as const;
    const before = live();
    const controller = new AbortController();
    const { signal } = controller;
    const stopped = (async () => {
      for await (const { step } of trainVqVae(models[0], data, { ...options, signal }))
        if (step === 2) controller.abort(reason);
    })();
    await expect(stopped).rejects.toBe(reason);
    expect(live()).toBe(before);
    // the model has what three whole steps have taught it
    using trainer = new VqTrainer(models[1], data, options);
    while (trainer.steps < 3) await trainer.step();
    const [got, want] = [await bytes(models[0]), await bytes(models[1])];
    expect(Buffer.compare(got, want)).toBe(0);
  });
});

const bytes = (model: VqVae): Promise<Uint8Array> => checkpointBytes({ model });
