/** Generation with every kind of cache: what the full forward pass chooses, recorded or not, padded, guided, in batches. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { type Backend, key, setBackend, type Tensor, tensor, tidy } from '@loretta-ts/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Decoder,
  type DecoderConfig,
  type GenerateOptions,
  generate,
  generateFixed,
  generateStream,
} from '../src/index';
import { expectClose } from './shared';

const vocab = 12;
/** With so few tokens nothing is recorded in a first generation; with more the steps, in a second the prompt too. */
const few = 6;
const many = 9;

const kinds: Readonly<Record<string, Partial<DecoderConfig>>> = {
  'a full cache': { window: 0 },
  'a rolling cache': { window: 4 },
  mamba: { mixer: 'mamba', stateDim: 4, positions: [] },
  'mamba with positions': { mixer: 'mamba', stateDim: 3, positions: 'learned' },
  hyena: { mixer: 'hyena', filterDim: 8, positions: [] },
};

const rows = (values: readonly (readonly number[])[]): Tensor =>
  tensor(values.flat(), { shape: [values.length, values[0]!.length], dtype: 'i32' });

const prompts = fc
  .record({ b: fc.integer({ min: 1, max: 3 }), t: fc.integer({ min: 1, max: 9 }) })
  .chain(({ b, t }) =>
    fc.array(fc.array(fc.nat(vocab - 1), { minLength: t, maxLength: t }), {
      minLength: b,
      maxLength: b,
    }),
  );

/** The same choice by running everything again for every token. */
function slowGreedy(
  model: Decoder,
  prompt: readonly number[],
  n: number,
  free: readonly number[] | null,
  scale: number,
): number[] {
  const made: number[] = [];
  const last = (context: readonly number[]): number[] =>
    Array.from(
      tidy(() => {
        const all = [...context, ...made];
        return model.logits(model.forward(rows([all]))).select(1, all.length - 1);
      }).dataSync(),
      Number,
    );
  for (let s = 0; s < n; s++) {
    const c = last(prompt);
    const u = free === null ? c : last(free);
    const scores = c.map((x, i) => u[i]! + scale * (x - u[i]!));
    made.push(scores.indexOf(Math.max(...scores)));
  }
  return made;
}

describe.each(Object.entries(kinds))('%s', (_, kind) => {
  const makeModel = (dtype: 'f32' | 'f64', seed: number): Decoder =>
    new Decoder(
      {
        ...{ vocab, dim: 12, layers: 2, heads: 2, kvHeads: 1, maxLength: 32, initStd: 0.4 },
        ...{ dtype, ...kind },
      },
      key(seed),
    );

  it.each([
    ['f64', (): Backend => referenceBackend(), 1e-9],
    ['f32', (): Backend => cpu({ simd: 'simd' }), 1e-4],
  ] as const)(
    'has the logits of the full forward pass, recorded too, %s',
    async (dtype, make, bound) => {
      const backend = make();
      setBackend(backend);
      await fc.assert(
        fc.asyncProperty(prompts, fc.nat(99), async (values, seed) => {
          const empty = backend.memory().buffers;
          const model = makeModel(dtype, seed);
          const prompt = rows(values).keep();
          const [b, t] = prompt.shape as [number, number];
          const options = { key: key(seed), maxNewTokens: many, logits: true };
          const drawn: string[] = [];
          // records the steps, then the prompt, then replays both
          for (let round = 0; round < 3; round++) {
            const made = await generate(model, prompt, options);
            drawn.push(made.tokens.dataSync().join());
            const whole = tidy(() => {
              const hidden = model.forward(made.ids.narrow(1, 0, t + many - 1));
              return model.logits(hidden.narrow(1, t - 1, many));
            });
            expect(whole.shape).toEqual([b, many, vocab]);
            expectClose(made.logits!.dataSync(), whole.dataSync(), [bound, bound], 'logits');
            for (const x of [made.ids, made.tokens, made.logits!, whole]) x.dispose();
          }
          const short = generateFixed(model, prompt, {
            ...options,
            logits: false,
            maxNewTokens: few,
          });
          const first = drawn[0]!.split(',');
          expect([...short.dataSync()].join()).toBe(first.filter((__, i) => i % many < few).join());
          expect(new Set(drawn).size).toBe(1);
          for (const x of [short, prompt]) x.dispose();
          model.dispose();
          expect(backend.memory().buffers).toBe(empty);
        }),
        { seed: 11, numRuns: 4 },
      );
    },
  );

  it('chooses for padded rows, and under guidance, what each row alone would get', () => {
    setBackend(referenceBackend());
    fc.assert(
      fc.property(prompts, fc.nat(99), fc.constantFrom(null, 0, 2.5), (values, seed, scale) => {
        const model = makeModel('f64', seed);
        const t = values[0]!.length;
        const pads = values.map((__, i) => Math.min(i, t - 1));
        const free = [3];
        const options: GenerateOptions = {
          ...{ maxNewTokens: many, temperature: 0 },
          attentionMask: tensor(
            pads.flatMap((n) => values[0]!.map((__, i) => Number(i >= n))),
            { shape: [values.length, t], dtype: 'bool' },
          ),
          ...(scale === null ? {} : { guidance: { prompt: rows([free]), scale } }),
        };
        const alone = values.flatMap((row, i) =>
          slowGreedy(model, row.slice(pads[i]), many, scale === null ? null : free, scale ?? 1),
        );
        for (let round = 0; round < 3; round++) {
          const made = tidy(() => generateFixed(model, rows(values), options)).dataSync();
          expect([...made]).toEqual(alone);
        }
        model.dispose();
      }),
      { seed: 12, numRuns: 4 },
    );
  });

  it('streams what it generates at once', async () => {
    setBackend(cpu({ simd: 'simd' }));
    const model = makeModel('f32', 5);
    const prompt = rows([
      [1, 2, 3, 4, 5, 6],
      [6, 5, 4, 3, 2, 1],
    ]).keep();
    const options = { key: key(1), maxNewTokens: many };
    const at = generateFixed(model, prompt, options).dataSync();
    const steps: number[][] = [];
    for await (const step of generateStream(model, prompt, options)) steps.push([...step]);
    expect([0, 1].flatMap((row) => steps.map((step) => step[row]))).toEqual([...at]);
    const stopped = await generate(model, prompt, { ...options, stopIds: [at[2]!] });
    const first = at.indexOf(at[2]!);
    expect([...stopped.tokens.dataSync()].slice(0, first + 2)).toEqual([
      ...at.slice(0, first + 1),
      0,
    ]);
    model.dispose();
  });
});

it('takes no memory for a longer generation with a window or with Mamba', async () => {
  const backend = cpu({ simd: 'simd' });
  setBackend(backend);
  const held = async (more: Partial<DecoderConfig>, n: number): Promise<number> => {
    const config = { vocab, dim: 16, layers: 1, heads: 2, maxLength: 4096, ...more };
    const model = new Decoder(config, key(1));
    const prompt = rows([[1, 2, 3]]).keep();
    const before = backend.memory().bytes;
    const most: number[] = [];
    for await (const _ of generateStream(model, prompt, { maxNewTokens: n, temperature: 0 })) {
      most.push(backend.memory().bytes - before);
    }
    model.dispose();
    prompt.dispose();
    return Math.max(...most);
  };
  for (const more of [{ window: 8 }, { mixer: 'mamba' }] as const) {
    expect(await held(more, 200)).toBe(await held(more, 20));
  }
  expect(await held({}, 200)).toBeGreaterThan(2 * (await held({}, 20)));
});

it('refuses more tokens than Hyena has filter values for, before it allocates', () => {
  const backend = referenceBackend();
  setBackend(backend);
  const model = new Decoder({ vocab, dim: 4, layers: 1, maxLength: 6, mixer: 'hyena' }, key(1));
  const prompt = rows([[1, 2, 3]]).keep();
  const before = backend.memory().buffers;
  const run = (maxNewTokens: number): Tensor =>
    generateFixed(model, prompt, { maxNewTokens, temperature: 0 });
  expect(() => run(5)).toThrow('7 tokens, but Hyena');
  expect(backend.memory().buffers).toBe(before);
  expect(run(4).shape).toEqual([1, 4]);
});
