/** Laws of every mixer: causal, row by row, right gradients, the same with a cache, padding and packing. */
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { key, normal, setBackend, type Tensor, tensor, tidy, ValueError } from '@loretta-ts/core';
import { gradcheck } from '@loretta-ts/core/testing';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  AdamW,
  Decoder,
  type DecoderConfig,
  HyenaMixer,
  KVCache,
  MambaMixer,
  type Mixer,
  type MixerContext,
  makeCache,
  RollingKVCache,
  resolveDecoderConfig,
  ShortConv,
} from '../src/index';
import { expectClose } from './shared';

const TIGHT = [1e-9, 1e-11] as const;
const length = 9;
const vocab = 11;

const base: DecoderConfig = {
  ...{ vocab, dim: 8, layers: 2, heads: 2, kvHeads: 1, maxLength: 24 },
  ...{ dtype: 'f64', initStd: 0.3 },
};
const table = ['learned', 'within-block'] as const;
const positions = (kinds: readonly 'rope'[]): fc.Arbitrary<Partial<DecoderConfig>> =>
  fc.constantFrom(
    { positions: kinds },
    ...table.map((kind) => ({ positions: [kind], withinLength: 24 })),
  );

/** Configurations of each mixer, small and odd. */
const mixers: Readonly<Record<string, fc.Arbitrary<DecoderConfig>>> = {
  'attention in a window': fc
    .tuple(positions(['rope']), fc.integer({ min: 1, max: 6 }))
    .map(([p, window]) => ({ ...base, ...p, window })),
  mamba: fc
    .tuple(
      positions([]),
      fc.record({
        expand: fc.integer({ min: 1, max: 2 }),
        stateDim: fc.integer({ min: 1, max: 5 }),
        dtRank: fc.integer({ min: 1, max: 3 }),
        convKernel: fc.integer({ min: 1, max: 4 }),
        bias: fc.boolean(),
      }),
    )
    .map(([p, sizes]) => ({ ...base, ...p, ...sizes, mixer: 'mamba' })),
  hyena: fc
    .tuple(
      positions([]),
      fc.record({
        convKernel: fc.integer({ min: 1, max: 4 }),
        filterDim: fc.integer({ min: 1, max: 6 }),
        bias: fc.boolean(),
        mlp: fc.constantFrom<'swiglu' | 'gelu'>('swiglu', 'gelu'),
      }),
    )
    .map(([p, sizes]) => ({ ...base, ...p, ...sizes, mixer: 'hyena' })),
};

const tokens = fc.array(fc.nat(vocab - 1), { minLength: length, maxLength: length });
const seed = fc.nat(99);

const ids = (rows: readonly (readonly number[])[]): Tensor =>
  tensor(rows.flat(), { shape: [rows.length, rows[0]!.length], dtype: 'i32' });

/** Rows of the within-block table, where the model has one: from `start` on in every row. */
function within(model: Decoder, rows: number, n: number, start = 0): { within?: Tensor } {
  if (!model.config.positions.includes('within-block')) return {};
  return { within: ids(Array.from({ length: rows }, () => count(n, start))) };
}

const count = (n: number, start: number): number[] =>
  Array.from({ length: n }, (_, i) => start + i);

function logitsOf(model: Decoder, rows: readonly (readonly number[])[]): number[] {
  const options = within(model, rows.length, rows[0]!.length);
  return [...tidy(() => model.logits(model.forward(ids(rows), options))).dataSync()].map(Number);
}

describe.each(Object.entries(mixers))('%s', (_, config) => {
  beforeAll(() => setBackend(referenceBackend()));

  it('is causal: a token changes no logits before it', () => {
    fc.assert(
      fc.property(config, tokens, seed, fc.nat(length - 1), (c, values, s, at) => {
        const model = new Decoder(c, key(s));
        const a = logitsOf(model, [values]);
        const b = logitsOf(model, [values.with(at, (values[at]! + 1) % vocab)]);
        expectClose(b.slice(0, at * vocab), a.slice(0, at * vocab), TIGHT, 'before');
        expect(b.slice(at * vocab, (at + 1) * vocab)).not.toEqual(
          a.slice(at * vocab, (at + 1) * vocab),
        );
        model.dispose();
      }),
      { seed: 1, numRuns: 12 },
    );
  });

  it('gives a row what it gives it alone', () => {
    fc.assert(
      fc.property(config, tokens, tokens, seed, (c, first, second, s) => {
        const model = new Decoder(c, key(s));
        const together = logitsOf(model, [first, second, first]);
        const alone = [first, second, first].flatMap((row) => logitsOf(model, [row]));
        expectClose(together, alone, TIGHT, 'rows');
        model.dispose();
      }),
      { seed: 2, numRuns: 8 },
    );
  });

  it('decodes the same with a cache, however the tokens are cut into calls', () => {
    fc.assert(
      fc.property(config, tokens, tokens, seed, fc.subarray(count(length - 1, 1)), (...given) => {
        const [c, first, second, s, cuts] = given;
        const model = new Decoder(c, key(s));
        using cache = makeCache(model.config, 2, length);
        const ends = [...cuts, length];
        const parts = ends.map((end, i) => {
          const start = ends[i - 1] ?? 0;
          const part = [first, second].map((row) => row.slice(start, end));
          return tidy(() => {
            const hidden = model.forward(ids(part), {
              ...{ cache },
              ...within(model, 2, end - start, start),
            });
            return model.logits(hidden);
          }).dataSync();
        });
        const whole = logitsOf(model, [first, second]);
        const width = length * vocab;
        for (const row of [0, 1]) {
          const got = parts.flatMap((p) => [
            ...p.slice((row * p.length) / 2, ((row + 1) * p.length) / 2),
          ]);
          expectClose(
            got.map(Number),
            whole.slice(row * width, (row + 1) * width),
            TIGHT,
            'cached',
          );
        }
        expect(cache.length).toBe(length);
        model.dispose();
      }),
      { seed: 3, numRuns: 25 },
    );
  });

  it('does not see padding on the left, with a cache and without', () => {
    const padding = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(
        config,
        tokens,
        seed,
        padding,
        fc.integer({ min: 1, max: length }),
        (...given) => {
          const [c, values, s, pads, cut] = given;
          const model = new Decoder(c, key(s));
          const alone = logitsOf(model, [values]);
          const n = length + pads;
          const padded = [...new Array<number>(pads).fill(7), ...values];
          const attentionMask = tensor(
            padded.map((__, i) => Number(i >= pads)),
            { shape: [1, n], dtype: 'bool' },
          );
          const places = padded.map((__, i) => Math.max(0, i - pads));
          const run = (start: number, end: number, more: object): number[] => {
            const hidden = model.forward(ids([padded.slice(start, end)]), {
              ...{ attentionMask, ...more },
              ...(model.config.positions.includes('within-block')
                ? { within: ids([places.slice(start, end)]) }
                : {}),
            });
            return [...model.logits(hidden).dataSync()].map(Number);
          };
          expectClose(run(0, n, {}).slice(pads * vocab), alone, TIGHT, 'at once');
          using cache = makeCache(model.config, 1, n);
          const cached = [...run(0, cut, { cache }), ...run(cut, n, { cache })];
          expectClose(cached.slice(pads * vocab), alone, TIGHT, 'cached');
          model.dispose();
        },
      ),
      { seed: 4, numRuns: 20 },
    );
  });
});

describe('gradients', () => {
  beforeAll(() => setBackend(referenceBackend()));
  const none: MixerContext = {
    ...{ positions: null, real: null, allReal: null, mask: null, segments: null, cache: null },
  };
  const real = (): Tensor => tensor([0, 1, 1, 1, 1, 1, 1, 1], { shape: [2, 4], dtype: 'bool' });
  const segments = (): Tensor => tensor([0, 0, 1, 1, 3, 3, 3, 5], { shape: [2, 4], dtype: 'i32' });
  const small = (mixer: 'mamba' | 'hyena') =>
    resolveDecoderConfig({ ...base, dim: 3, mixer, stateDim: 2, filterDim: 3, bias: true });

  it.each([
    ['mamba', () => new MambaMixer(small('mamba'), key(1)), none],
    ['mamba, padded', () => new MambaMixer(small('mamba'), key(2)), { ...none, real }],
    ['mamba, packed', () => new MambaMixer(small('mamba'), key(3)), { ...none, segments }],
    ['hyena', () => new HyenaMixer(small('hyena'), key(1)), none],
    ['hyena, padded', () => new HyenaMixer(small('hyena'), key(2)), { ...none, real }],
  ] as const)('of %s are the slopes', async (_, make, given) => {
    const mixer: Mixer = make();
    const context = Object.fromEntries(
      Object.entries(given).map(([name, v]) => [name, typeof v === 'function' ? v() : v]),
    ) as unknown as MixerContext;
    const params = mixer.parameters();
    const values = params.map((p) => p.value);
    await gradcheck(
      (x, ...weights) => {
        params.forEach((p, i) => {
          p.value = weights[i]!;
        });
        const y = mixer.forward(x, 0, context);
        params.forEach((p, i) => {
          p.value = values[i]!;
        });
        return y;
      },
      [normal(key(9), [2, 4, 3], { dtype: 'f64' }), ...values],
      { rtol: 1e-5 },
    );
  });
});

describe('caches', () => {
  beforeAll(() => setBackend(referenceBackend()));
  const elements = (config: DecoderConfig, maxLength: number): number => {
    using cache = makeCache(resolveDecoderConfig(config), 2, maxLength);
    return cache.states().reduce((n, { value }) => n + value.size, 0);
  };

  it('are of one size with a window and with Mamba, however long the generation', () => {
    const windowed = { ...base, window: 4 };
    const perRow = 2 * base.layers * windowed.window * 1 * 4; // keys and values, one head of 4
    expect(elements(windowed, 10)).toBe(2 * perRow);
    expect(elements(windowed, 10_000)).toBe(2 * perRow);
    const mamba: DecoderConfig = { ...base, mixer: 'mamba', stateDim: 5 };
    expect(elements(mamba, 10)).toBe(2 * base.layers * (3 * 16 + 16 * 5));
    expect(elements(mamba, 10_000)).toBe(elements(mamba, 10));
    const config = resolveDecoderConfig(windowed);
    expect(makeCache(config, 1, 4)).toBeInstanceOf(KVCache);
    expect(makeCache(config, 1, 5)).toBeInstanceOf(RollingKVCache);
  });

  it('go back only to what they still have, and begin anew', () => {
    const configs: readonly DecoderConfig[] = [
      base,
      { ...base, window: 4 },
      { ...base, mixer: 'mamba' },
      { ...base, mixer: 'hyena' },
    ];
    const backTo = configs.map((c) => {
      const model = new Decoder(c, key(1));
      using cache = makeCache(model.config, 1, 12);
      const row = count(6, 0);
      const run = (): number[] => [...model.forward(ids([row]), { cache }).dataSync()].map(Number);
      const first = run();
      let back = 6;
      for (const to of [6, 3]) {
        try {
          cache.truncate(to);
          back = to;
        } catch (error) {
          expect(error).toBeInstanceOf(ValueError);
          expect((error as Error).message).toContain('reset');
        }
      }
      if (back === 3) {
        const rest = model.forward(ids([row.slice(3)]), { cache }).dataSync();
        expectClose(Array.from(rest, Number), first.slice(3 * 8), TIGHT, 'again');
      }
      cache.reset();
      expect(run()).toEqual(first);
      model.dispose();
      return back;
    });
    expect(backTo).toEqual([3, 6, 6, 6]);
  });
});

describe('Mamba', () => {
  beforeAll(() => setBackend(referenceBackend()));
  const config: DecoderConfig = { ...base, mixer: 'mamba', layers: 1 };

  it('forgets at the borders of packed rows', () => {
    fc.assert(
      fc.property(mixers['mamba']!, tokens, seed, fc.subarray(count(length - 1, 1)), (...given) => {
        const [c, values, s, cuts] = given;
        const model = new Decoder({ ...c, positions: [] }, key(s));
        const ends = [...cuts, length];
        const parts = ends.map((end, i) => values.slice(ends[i - 1] ?? 0, end));
        const segments = ids([parts.flatMap((part, i) => part.map(() => 5 - i))]);
        const packed = model.logits(model.forward(ids([values]), { segments })).dataSync();
        const alone = parts.flatMap((part) => logitsOf(model, [part]));
        expectClose(Array.from(packed, Number), alone, TIGHT, 'packed');
        model.dispose();
      }),
      { seed: 5, numRuns: 15 },
    );
  });

  it('has the names of Hugging Face, and decays neither A nor D', () => {
    const model = new Decoder({ ...config, initStd: 1 }, key(0));
    const inside = model
      .namedParameters()
      .map(([name, p]) => `${name} ${p.shape.join('x')}${p.decay ? '' : ' no decay'}`)
      .filter((line) => line.startsWith('model.layers.0.'))
      .map((line) => line.slice('model.layers.0.'.length));
    expect(inside).toEqual([
      'norm.weight 8 no decay',
      'mixer.in_proj.weight 32x8',
      'mixer.conv1d.weight 16x1x4',
      'mixer.conv1d.bias 16 no decay',
      'mixer.x_proj.weight 33x16',
      'mixer.dt_proj.weight 16x1',
      'mixer.dt_proj.bias 16 no decay',
      'mixer.A_log 16x16 no decay',
      'mixer.D 16 no decay',
      'mixer.out_proj.weight 8x16',
    ]);
    const optimizer = new AdamW(model.namedParameters(), { lr: 0.5, weightDecay: 0.5 });
    const before = new Map(
      model.namedParameters().map(([name, p]) => [name, [...p.value.dataSync()]]),
    );
    optimizer.step({ get: (p) => tidy(() => p.value.mul(0).keep()) });
    for (const [name, p] of model.namedParameters()) {
      const moved = p.value.dataSync().some((x, i) => x !== before.get(name)![i]);
      expect(moved, name).toBe(p.decay);
    }
  });

  it('begins with A = −1 … −N and step sizes between 0.001 and 0.1', () => {
    const mixer = new MambaMixer(resolveDecoderConfig({ ...config, dim: 64 }), key(3));
    const { A_log, dt_proj } = mixer;
    const A = [...A_log.value.select(0, 7).dataSync()].map((x) => Math.exp(Number(x)));
    expectClose(A, count(16, 1), TIGHT, 'A');
    const steps = Array.from(dt_proj.bias!.value.dataSync(), (x) =>
      Math.log1p(Math.exp(Number(x))),
    );
    expect(Math.min(...steps)).toBeGreaterThanOrEqual(1e-3);
    expect(Math.max(...steps)).toBeLessThanOrEqual(0.1);
    // log-uniform: the mean of the logarithms is the middle
    const mean = steps.reduce((n, x) => n + Math.log10(x), 0) / steps.length;
    expect(mean).toBeGreaterThan(-2.2);
    expect(mean).toBeLessThan(-1.8);
  });
});

it('the short convolution is a causal cross-correlation', () => {
  setBackend(referenceBackend());
  const conv = new ShortConv(2, 3, { key: key(1), dtype: 'f64' });
  const x = normal(key(2), [1, 5, 2], { dtype: 'f64' });
  const [w, bias, values] = [conv.weight.value, conv.bias.value, x].map((t) =>
    [...t.dataSync()].map(Number),
  );
  const want = Array.from({ length: 10 }, (_, i) => {
    const [t, c] = [Math.floor(i / 2), i % 2];
    let sum = bias![c]!;
    for (let j = 0; j < 3; j++)
      if (t - 2 + j >= 0) sum += w![3 * c + j]! * values![2 * (t - 2 + j) + c]!;
    return sum;
  });
  expectClose(Array.from(conv.forward(x).dataSync(), Number), want, TIGHT, 'convolution');
});
