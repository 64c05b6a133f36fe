/** Discrete autoencoders: shapes, training that learns, and resuming in its middle. */
import { cpu } from '@loretta-ts/backend-cpu';
import {
  getBackend,
  key,
  NonFiniteError,
  normal,
  ShapeError,
  setBackend,
  type Tensor,
  tensor,
  tidy,
  ValueError,
  valueAndGrad,
} from '@loretta-ts/core';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  annealing,
  CheckpointError,
  checkpointBytes,
  parseSafetensors,
  restoreCheckpoint,
  trainVqVae,
  VqTrainer,
  VqVae,
  type VqVaeConfig,
} from '../src/index';

beforeAll(() => setBackend(cpu({ threads: 1 })));

const numbers = async (t: Tensor): Promise<number[]> => Array.from(await t.data());

const IMAGES: VqVaeConfig = { size: [7, 10], channels: 2, codes: 8, hidden: 8, blocks: 1, dim: 4 };
const FRAMES: VqVaeConfig = { ...IMAGES, size: [9], channels: 3 };
const CONFIGS: readonly (readonly [string, VqVaeConfig])[] = [
  ['vq over a plane', IMAGES],
  ['vq over a line', FRAMES],
  ['vq by the codebook loss', { ...IMAGES, decay: null }],
  ['vq with nearest upsampling', { ...IMAGES, upsampling: 'nearest' }],
  ['gumbel over a plane', { ...IMAGES, quantizer: 'gumbel' }],
  ['gumbel over a line', { ...FRAMES, quantizer: 'gumbel', upsampling: 'nearest' }],
];

const inputOf = (c: VqVaeConfig, n: number): Tensor => normal(key(5), [n, c.channels, ...c.size]);

/** Blobs in one of four places, with noise: 24 examples. */
function examples({ size, channels }: VqVaeConfig): Float32Array {
  const cells = size.reduce((a, b) => a * b, 1);
  const noise = normal(key(6), [24, channels, cells]).dataSync();
  return Float32Array.from(noise, (x, i) => {
    const [example, cell] = [Math.floor(i / (channels * cells)), i % cells];
    return 0.1 * x + (Math.floor((4 * cell) / cells) === example % 4 ? 2 : -0.5);
  });
}

describe.each(CONFIGS)('%s', (_, config) => {
  it('keeps the shape, counts its codes and decodes what it encodes', async () => {
    const model = new VqVae(config, key(1));
    const x = inputOf(config, 3);
    const { reconstruction, indices } = model.forward(x, { key: null });
    expect(reconstruction.shape).toEqual(x.shape);
    expect(model.grid).toEqual(config.size.map((n) => Math.ceil(n / 4)));
    expect(indices.shape).toEqual([3, ...model.grid]);
    const ids = model.encode(x);
    expect(ids.shape).toEqual([3, model.tokens]);
    expect(await numbers(ids)).toEqual(await numbers(indices));
    expect((await numbers(ids)).every((i) => i >= 0 && i < config.codes)).toBe(true);
    const [once, twice] = [await numbers(model.decode(ids)), await numbers(model.decode(ids))];
    expect(once).toEqual(twice);
    const whole = await numbers(reconstruction);
    once.forEach((v, i) => {
      expect(v).toBeCloseTo(whole[i]!, 4);
    });
    model.dispose();
  });

  it('N + M steps are N, a file, then M: the same bits', async () => {
    const data = examples(config);
    const options = { steps: 8, batch: 6, seed: 4, klWeight: () => 0.01 };
    const straight = new VqTrainer(new VqVae(config, key(2)), data, options);
    const losses: number[] = [];
    while (straight.steps < 8) losses.push((await straight.step()).loss);
    const first = new VqTrainer(new VqVae(config, key(2)), data, options);
    for (let i = 0; i < 3; i++) await first.step();
    const second = new VqTrainer(new VqVae(config, null), data, options);
    second.restore(await first.save());
    expect(second.steps).toBe(3);
    const rest: number[] = [];
    while (second.steps < 8) rest.push((await second.step()).loss);
    expect(rest).toEqual(losses.slice(3));
    const [a, b] = [await straight.save(), await second.save()];
    expect(Buffer.compare(Buffer.from(a), Buffer.from(b))).toBe(0);
    for (const t of [straight, first, second]) {
      t.dispose();
      t.model.dispose();
    }
  });
});

describe('training', () => {
  it.each([
    ['vq', 0.35],
    ['gumbel', 0.35],
  ] as const)('%s learns where the blobs are', async (quantizer, bar) => {
    const model = new VqVae({ ...FRAMES, quantizer, codes: 4, levels: 1 }, key(3));
    const data = examples(FRAMES);
    const errors: number[] = [];
    for await (const r of trainVqVae(model, data, { steps: 120, batch: 12, lr: 1e-2, seed: 1 })) {
      errors.push(r.error);
      expect(r.perplexity).toBeGreaterThanOrEqual(0.999);
      expect(r.perplexity).toBeLessThanOrEqual(4.001);
    }
    expect(errors).toHaveLength(120);
    expect(errors[0]!).toBeGreaterThan(0.8);
    expect(errors.at(-1)!).toBeLessThan(bar);
  });

  it('leaves no tensor behind', async () => {
    const { buffers } = getBackend().memory();
    for (const [, config] of CONFIGS) {
      const model = new VqVae(config, key(3));
      for await (const _ of trainVqVae(model, examples(config), { steps: 3, batch: 4 }));
      tidy(() => model.decode(model.encode(inputOf(config, 2)))).dispose();
      model.dispose();
    }
    // the noise that examples() drew
    expect(getBackend().memory().buffers - buffers).toBe(CONFIGS.length);
  });

  it('stops before the next step when the signal says so, and keeps what it has learned', async () => {
    const stop = new AbortController();
    const model = new VqVae(FRAMES, key(3));
    const seen: number[] = [];
    const run = async (): Promise<void> => {
      const options = { steps: 50, batch: 4, signal: stop.signal };
      for await (const { step } of trainVqVae(model, examples(FRAMES), options)) {
        seen.push(step);
        if (step === 2) stop.abort(new Error('enough'));
      }
    };
    await expect(run()).rejects.toThrow('enough');
    expect(seen).toEqual([0, 1, 2]);
    expect((await numbers(model.encode(inputOf(FRAMES, 1)))).length).toBe(model.tokens);
  });

  it('refuses data that are no examples, or not finite, before it starts', () => {
    const make = (data: Float32Array): VqTrainer =>
      new VqTrainer(new VqVae(FRAMES, key(1)), data, { steps: 5 });
    expect(() => make(new Float32Array(0))).toThrow(ValueError);
    expect(() => make(new Float32Array(28))).toThrow(/examples of 27/);
    expect(() => make(new Float32Array(27).fill(Number.NaN))).toThrow(/not finite/);
    const options = (o: object) => () =>
      new VqTrainer(new VqVae(FRAMES, key(1)), new Float32Array(27), { steps: 5, ...o });
    for (const o of [{ batch: 0 }, { clip: 0 }, { lr: -1 }, { steps: 0, lrWarmup: 1 }])
      expect(options(o)).toThrow(ValueError);
  });

  it('a loss that is not finite changes no weight', async () => {
    const trainer = new VqTrainer(new VqVae(FRAMES, key(1)), new Float32Array(27).fill(3e38), {
      steps: 5,
      batch: 2,
    });
    const before = trainer.model.parameters().map((p) => p.value);
    await expect(trainer.step()).rejects.toThrow(NonFiniteError);
    expect(trainer.steps).toBe(0);
    trainer.model.parameters().forEach((p, i) => {
      expect(p.value === before[i]).toBe(true);
    });
  });

  it('the temperature falls from one end to the other', () => {
    const tau = annealing(1, 1 / 16, 100);
    expect(tau(0)).toBe(1);
    expect(tau(100)).toBe(1 / 16);
    expect(tau(500)).toBe(1 / 16);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 99 }), (i) => {
        expect(tau(i + 1)).toBeLessThan(tau(i));
      }),
    );
    expect(() => annealing(1, Number.NaN, 10)).toThrow(ValueError);
  });
});

describe('files', () => {
  it('hold the averages and the configuration, and refuse another one', async () => {
    const model = new VqVae(IMAGES, key(1));
    const bytes = await checkpointBytes({ model });
    const { tensors, metadata } = parseSafetensors(bytes);
    expect(tensors.has('quantizer.cluster_size')).toBe(true);
    expect(tensors.has('quantizer.ema_w')).toBe(true);
    expect(JSON.parse(metadata.get('config')!)).toEqual(model.config);
    const again = new VqVae(JSON.parse(metadata.get('config')!) as VqVaeConfig, null);
    restoreCheckpoint(bytes, { model: again });
    const x = inputOf(IMAGES, 4);
    expect(await numbers(again.encode(x))).toEqual(await numbers(model.encode(x)));
    const other = new VqVae({ ...IMAGES, hidden: 6 }, null);
    expect(() => restoreCheckpoint(bytes, { model: other })).toThrow(CheckpointError);
    const trainer = new VqTrainer(again, examples(IMAGES), { steps: 3 });
    expect(() => trainer.restore(bytes)).toThrow(CheckpointError);
  });
});

describe('wrong use', () => {
  it('other shapes', () => {
    const model = new VqVae(IMAGES, key(1));
    expect(() => model.encode(normal(key(1), [2, 2, 7, 9]))).toThrow(ShapeError);
    expect(() => model.encode(normal(key(1), [2, 7, 10]))).toThrow(ShapeError);
    expect(() => model.decode(tensor([[0, 1, 2]], { dtype: 'i32' }))).toThrow(ShapeError);
    expect(() => model.decode(tensor([[0, 1, 2, 3, 4, 8]], { dtype: 'i32' }))).toThrow(ValueError);
  });

  it.each([
    [{ size: [] }],
    [{ size: [4, 4, 4] }],
    [{ size: [0, 4] }],
    [{ size: [4.5, 5] }],
    [{ channels: 0 }],
    [{ codes: 0 }],
    [{ levels: -1 }],
    [{ blocks: 0.5 }],
    [{ hidden: 0 }],
    [{ dim: Number.NaN }],
    [{ commitment: -1 }],
  ])('configuration %j', (wrong) => {
    expect(() => new VqVae({ ...IMAGES, ...wrong }, null)).toThrow(ValueError);
  });

  it.each([
    ['quantizer', 'fsq'],
    ['upsampling', 'resize'],
    ['dtype', 'i32'],
    ['depth', 3],
  ])('a configuration with the %s %s', (field, value) => {
    const wrong = { ...IMAGES, [field]: value };
    expect(() => new VqVae(wrong, null)).toThrow(new RegExp(`^VqVae: ${field} is`));
  });

  it('every parameter gets a gradient', async () => {
    for (const [, config] of CONFIGS) {
      const model = new VqVae(config, key(1));
      const x = inputOf(config, 2);
      const { grads } = valueAndGrad(
        model.parameters(),
        () => model.forward(x, { key: key(2), klWeight: 0.1 }).loss,
      );
      for (const [name, p] of model.namedParameters()) {
        const some = (await numbers(grads.get(p))).some((g) => g !== 0);
        expect(some, name).toBe(true);
      }
    }
  });
});
