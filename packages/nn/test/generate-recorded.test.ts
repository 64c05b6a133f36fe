/** Decoding with the recorded step: the same as without it, under every option. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import {
  type Backend,
  key,
  setBackend,
  type Tensor,
  tensor,
  tidy,
  valueAndGrad,
} from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Decoder,
  DecodeSession,
  type GenerateOptions,
  generate,
  generateFixed,
  generateStream,
  SGD,
} from '../src/index';
import { expectClose } from './shared';

/** With so few tokens nothing is recorded in a first generation, with more the steps, and the prompt in a second. */
const few = 6;
const many = 13;

const ids = (n: number, seed: number, shape: number[]): Tensor =>
  tensor(
    Int32Array.from({ length: n }, (_, i) => (seed * 31 + i * 17) % 12),
    { shape },
  );

interface Setting {
  readonly positions: 'rope' | 'learned' | 'within-block';
  readonly window: number;
  readonly kvHeads: number;
  readonly b: number;
  readonly t: number;
  readonly seed: number;
}

const settings: fc.Arbitrary<Setting> = fc.record({
  positions: fc.constantFrom('rope' as const, 'learned' as const, 'within-block' as const),
  window: fc.constantFrom(0, 5),
  kvHeads: fc.constantFrom(1, 2),
  b: fc.integer({ min: 1, max: 3 }),
  t: fc.integer({ min: 1, max: 5 }),
  seed: fc.nat(999),
});

const options: fc.Arbitrary<Partial<GenerateOptions>> = fc.oneof(
  fc.constant({ temperature: 0 }),
  fc.constant({ temperature: 0.8, topK: 4 }),
  fc.constant({ topP: 0.8, minP: 0.05 }),
  fc.constant({ allowed: [[3, 9]] as const }),
  fc.constant({
    allowed: [
      [1, 3],
      [6, 9],
    ] as const,
  }),
  fc.constant({
    allowed: (step: number) => (step % 2 === 0 ? ([[0, 5]] as const) : ([[5, 12]] as const)),
  }),
  fc.constant({ repetitionPenalty: 1.7 }),
);

function makeModel({ positions, window, kvHeads, seed }: Setting, dtype: 'f32' | 'f64'): Decoder {
  return new Decoder(
    {
      ...{ vocab: 12, dim: 16, layers: 2, heads: 4, kvHeads, maxLength: 32, window, positions },
      ...{ withinLength: positions === 'within-block' ? 32 : 0, initStd: 0.4, dtype },
    },
    key(seed),
  );
}

function withinOf({ positions, b, t }: Setting): Partial<GenerateOptions> {
  if (positions !== 'within-block') return {};
  const places = Int32Array.from({ length: b * t }, (_, i) => i % t);
  return { within: { prompt: tensor(places, { shape: [b, t] }), next: (s) => t + s } };
}

describe.each([
  ['f64', (): Backend => referenceBackend()],
  ['f32', (): Backend => cpu({ simd: 'simd' })],
] as const)('recorded steps, %s', (dtype, backend) => {
  it('choose what unrecorded steps choose, and leave nothing behind', () => {
    const b = backend();
    setBackend(b);
    fc.assert(
      fc.property(
        settings,
        options,
        fc.constantFrom('plain', 'guided', 'padded'),
        (s, chosen, kind) => {
          const empty = b.memory().buffers;
          const model = makeModel(s, dtype);
          tidy(() => {
            const prompt = ids(s.b * s.t, s.seed, [s.b, s.t]);
            const seen = Uint8Array.from({ length: s.b * s.t }, (_, i) =>
              Number(i % s.t >= Math.min(Math.floor(i / s.t), s.t - 1)),
            );
            const common = {
              key: key(s.seed),
              ...withinOf(s),
              ...chosen,
              ...(kind === 'padded'
                ? { attentionMask: tensor(seen, { shape: [s.b, s.t], dtype: 'bool' }) }
                : {}),
              ...(kind === 'guided'
                ? {
                    guidance: {
                      prompt: ids(1, 5, [1, 1]),
                      scale: 1.5,
                      ...(s.positions === 'within-block' ? { within: ids(1, 0, [1, 1]) } : {}),
                    },
                  }
                : {}),
            };
            const short = generateFixed(model, prompt, { ...common, maxNewTokens: few }).dataSync();
            const again = { ...common, maxNewTokens: many };
            const long = generateFixed(model, prompt, again).dataSync();
            // the first of its shapes and options records steps, the second replays them and records the prompt
            for (let more = 0; more < 2; more++) {
              expect(generateFixed(model, prompt, again).dataSync()).toEqual(long);
            }
            const live = b.memory().buffers;
            const fourth = generateFixed(model, prompt, again);
            fourth.dispose();
            expect(b.memory().buffers).toBe(live);
            const start = Array.from({ length: s.b }, (_, i) => [
              ...long.slice(i * many, i * many + few),
            ]);
            expect(start.flat()).toEqual([...short]);
          });
          model.dispose();
          expect(b.memory().buffers).toBe(empty);
        },
      ),
      { seed: 3, numRuns: 60 },
    );
  });

  it('have the logits of the full forward pass', async () => {
    setBackend(backend());
    await fc.assert(
      fc.asyncProperty(settings, async (s) => {
        const model = makeModel(s, dtype);
        const prompt = ids(s.b * s.t, s.seed, [s.b, s.t]).keep();
        const given = { key: key(s.seed), maxNewTokens: many, logits: true, ...withinOf(s) };
        const made = await generate(model, prompt, given);
        const length = s.t + many - 1;
        const whole = tidy(() => {
          const input = made.ids.narrow(1, 0, length);
          const places = Int32Array.from({ length: s.b * length }, (_, i) => i % length);
          const hidden = model.forward(input, {
            ...(s.positions === 'within-block'
              ? { within: tensor(places, { shape: [s.b, length] }) }
              : {}),
          });
          return model
            .logits(hidden)
            .narrow(1, s.t - 1, many)
            .dataSync();
        });
        const bound = dtype === 'f64' ? 1e-9 : 1e-4;
        expectClose(made.logits!.dataSync(), whole, [bound, bound], 'logits');
        model.dispose();
      }),
      { seed: 4, numRuns: 15 },
    );
  });

  it('follow parameters that training replaces, and run under a tape', () => {
    setBackend(backend());
    const s: Setting = { positions: 'rope', window: 0, kvHeads: 2, b: 2, t: 3, seed: 7 };
    const model = makeModel(s, dtype);
    const optimizer = new SGD(model.namedParameters(), { lr: 0.5 });
    const prompt = ids(6, 1, [2, 3]).keep();
    const greedy = { maxNewTokens: many, temperature: 0 };
    const stepByStep = (): number[] => {
      let all = prompt;
      for (let n = 0; n < many; n++) {
        const next = generateFixed(model, all, { ...greedy, maxNewTokens: 1 });
        const [old, got] = [all.dataSync(), next.dataSync()];
        const width = 4 + n;
        const joined = Int32Array.from({ length: 2 * width }, (_, i) => {
          const [row, at] = [Math.floor(i / width), i % width];
          return at === width - 1 ? got[row]! : old[row * (width - 1) + at]!;
        });
        all = tensor(joined, { shape: [2, width] });
      }
      const final = all.dataSync();
      return [...final.slice(3, 3 + many), ...final.slice(6 + many)];
    };
    const seen = new Set<string>();
    for (let round = 0; round < 3; round++) {
      const { grads } = valueAndGrad(model.parameters(), () => {
        const made = generateFixed(model, prompt, greedy);
        expect([...made.dataSync()]).toEqual(stepByStep());
        seen.add(made.dataSync().join());
        return model.logits(model.forward(prompt)).square().sum();
      });
      optimizer.step(grads);
      grads.dispose();
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  it('serve generations of one model that run at the same time', async () => {
    setBackend(backend());
    const s: Setting = { positions: 'learned', window: 0, kvHeads: 2, b: 2, t: 3, seed: 5 };
    const model = makeModel(s, dtype);
    const options = { maxNewTokens: many, temperature: 0, repetitionPenalty: 1.3 };
    const prompts = [1, 2, 3].map((seed) => ids(6, seed, [2, 3]).keep());
    const alone: number[][][] = [];
    for (const prompt of prompts) {
      const steps: number[][] = [];
      for await (const tokens of generateStream(model, prompt, options)) steps.push([...tokens]);
      alone.push(steps);
    }
    const together: number[][][] = prompts.map(() => []);
    const streams = prompts.map((prompt) => generateStream(model, prompt, options));
    for (let n = 0; n < many; n++) {
      for (const [i, stream] of streams.entries()) {
        const { value } = await stream.next();
        together[i]!.push([...value!]);
      }
    }
    expect(together).toEqual(alone);
    expect(new Set(alone.map(String)).size).toBe(3);
  });

  it('are recorded anew where the model has other parameters', () => {
    setBackend(backend());
    const s: Setting = { positions: 'rope', window: 0, kvHeads: 2, b: 1, t: 2, seed: 2 };
    const [model, other] = [makeModel(s, dtype), makeModel({ ...s, seed: 9 }, dtype)];
    const prompt = ids(2, 1, [1, 2]).keep();
    const greedy = { maxNewTokens: many, temperature: 0 };
    const run = (m: Decoder): number[] => [...generateFixed(m, prompt, greedy).dataSync()];
    const before = [run(model), run(model)];
    expect(before[1]).toEqual(before[0]);
    const expected = run(other);
    expect(expected).not.toEqual(before[0]);
    Object.assign(model, { model: other.model, lm_head: other.lm_head });
    expect(run(model)).toEqual(expected);
    expect(run(model)).toEqual(expected);
  });

  it('leave nothing behind where a model is disposed in the middle', async () => {
    const b = backend();
    setBackend(b);
    const empty = b.memory().buffers;
    const s: Setting = { positions: 'rope', window: 0, kvHeads: 1, b: 1, t: 2, seed: 4 };
    const prompt = ids(2, 1, [1, 2]).keep();
    const model = makeModel(s, dtype);
    const stream = generateStream(model, prompt, { maxNewTokens: many, key: key(1) });
    for (let n = 0; n < 4; n++) await stream.next();
    model.dispose();
    await expect(stream.next()).rejects.toThrow('disposed');
    prompt.dispose();
    expect(b.memory().buffers).toBe(empty);
  });

  it('give way to the oldest when there are too many', () => {
    const b = backend();
    setBackend(b);
    const s: Setting = { positions: 'rope', window: 0, kvHeads: 1, b: 1, t: 1, seed: 4 };
    const model = makeModel(s, dtype);
    const prompt = ids(1, 1, [1, 1]).keep();
    for (let n = 1; n <= 20; n++) {
      for (let twice = 0; twice < 2; twice++) {
        generateFixed(model, prompt, { maxNewTokens: n, temperature: 0 }).dispose();
      }
    }
    expect(model.decodings.size).toBe(16);
  });

  it('refuse a token beyond the cache or the learned table', () => {
    setBackend(backend());
    const s: Setting = { positions: 'learned', window: 0, kvHeads: 1, b: 1, t: 30, seed: 4 };
    const model = makeModel(s, dtype); // 32 positions
    const prompt = ids(30, 1, [1, 30]).keep();
    for (let twice = 0; twice < 2; twice++) {
      expect(() => generateFixed(model, prompt, { maxNewTokens: 9, temperature: 0 })).toThrow(
        '33 tokens, but the learned table has 32 positions',
      );
      using session = new DecodeSession(model, prompt, { maxNewTokens: 2, temperature: 0 });
      session.feed(session.sample());
      const tokens = session.sample();
      expect(() => session.feed(tokens)).toThrow('do not fit 31');
    }
  });
});
