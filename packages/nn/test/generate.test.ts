/** Generation: cached = uncached, ranges, guidance, padding, stops, streams, and a real pretrained model. */
import { readFileSync } from 'node:fs';
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import {
  key,
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
  Decoder,
  type DecoderConfig,
  DecodeSession,
  type GenerateOptions,
  generate,
  generateFixed,
  generateStream,
  greedy,
  type IdRange,
} from '../src/index';
import { loadLlama2c } from '../src/node';
import { expectClose, hasShared, sharedPath } from './shared';

const base: DecoderConfig = {
  vocab: 12,
  dim: 16,
  layers: 2,
  heads: 4,
  kvHeads: 2,
  maxLength: 32,
  positions: ['rope', 'within-block'],
  withinLength: 12,
  initStd: 0.4,
  dtype: 'f64',
};
const rows = (values: readonly (readonly number[])[]): Tensor =>
  tensor(values.flat(), { shape: [values.length, values[0]!.length], dtype: 'i32' });

/** The same choice by running everything again for every token. */
function slowGreedy(
  model: Decoder,
  prompt: number[],
  within: number[],
  next: (s: number) => number,
  n: number,
): number[] {
  const ids = [...prompt];
  const places = [...within];
  for (let s = 0; s < n; s++) {
    const logits = tidy(() => {
      const hidden = model.forward(rows([ids]), { within: rows([places]) });
      return greedy(model.logits(hidden.select(1, ids.length - 1)));
    });
    ids.push(logits.dataSync()[0]!);
    places.push(next(s));
  }
  return ids.slice(prompt.length);
}

describe('generate', () => {
  beforeAll(() => setBackend(referenceBackend()));
  const model = (): Decoder => new Decoder(base, key(1));

  it('chooses what the full forward pass chooses, in every row', async () => {
    const m = model();
    const prompts = [
      [1, 2, 3],
      [4, 5, 6],
    ];
    const within = [0, 1, 2];
    const next = (s: number): number => 3 + s;
    const out = await generate(m, rows(prompts), {
      maxNewTokens: 8,
      temperature: 0,
      within: { prompt: rows([within, within]), next },
    });
    expect(out.tokens.shape).toEqual([2, 8]);
    expect(out.logits).toBeNull();
    const slow = prompts.map((p) => slowGreedy(m, p, within, next, 8));
    expect([...out.tokens.dataSync()]).toEqual(slow.flat());
    expect([...out.ids.dataSync()]).toEqual(prompts.flatMap((p, i) => [...p, ...slow[i]!]));
  });

  it('samples from the allowed ranges only, whatever the filters', () => {
    const m = model();
    fc.assert(
      fc.property(
        fc.nat(1000),
        fc.record(
          {
            temperature: fc.constantFrom(0, 0.5, 1, 5),
            topK: fc.integer({ min: 1, max: 20 }),
            topP: fc.constantFrom(0.1, 0.9, 1),
            minP: fc.constantFrom(0, 0.3, 1),
            repetitionPenalty: fc.constantFrom(1, 1.5),
          },
          { requiredKeys: [] },
        ),
        fc.array(fc.nat(11), { minLength: 1, maxLength: 3 }),
        (seed, filters, starts) => {
          const allowed = starts.map((from): IdRange => [from, from + 1]);
          const prompt = rows([
            [1, 2],
            [3, 4],
          ]);
          const within = {
            prompt: rows([
              [0, 1],
              [0, 1],
            ]),
            next: () => 2,
          };
          const out = generateFixed(m, prompt, {
            maxNewTokens: 4,
            key: key(seed),
            within,
            allowed,
            ...filters,
          });
          for (const id of out.dataSync()) expect(starts).toContain(id);
        },
      ),
      { seed: 8, numRuns: 40 },
    );
  });

  it('has the frequencies of the softmax', () => {
    const m = new Decoder(
      { ...base, layers: 0, positions: 'rope', withinLength: 0, initStd: 1 },
      key(3),
    );
    const n = 4000;
    const prompt = rows(Array.from({ length: n }, () => [1]));
    const drawn = generateFixed(m, prompt, {
      maxNewTokens: 1,
      key: key(4),
      temperature: 0.7,
    }).dataSync();
    const logits = m.logits(m.forward(rows([[1]]))).dataSync();
    const weights = Array.from(logits, (x) => Math.exp(x / 0.7));
    const total = weights.reduce((a, b) => a + b, 0);
    weights.forEach((w, id) => {
      const p = w / total;
      const share = drawn.filter((x) => x === id).length / n;
      expect(Math.abs(share - p)).toBeLessThan(5 * Math.sqrt((p * (1 - p)) / n) + 1e-3);
    });
  });

  it('is the same for the same key, and for a row whatever is beside it', () => {
    const m = model();
    const run = (seed: number, count: number): number[] => {
      const prompt = rows(Array.from({ length: count }, () => [1, 2]));
      const within = { prompt: rows(Array.from({ length: count }, () => [0, 1])), next: () => 2 };
      return [...generateFixed(m, prompt, { maxNewTokens: 5, key: key(seed), within }).dataSync()];
    };
    expect(run(1, 2)).toEqual(run(1, 2));
    expect(run(1, 2)).not.toEqual(run(2, 2));
    expect(run(1, 3).slice(0, 5)).toEqual(run(1, 1));
  });

  it('guides: logits = u + s (c − u), both from separate passes', async () => {
    const m = model();
    const prompt = [5, 6, 7, 1];
    const free = [1];
    for (const scale of [0, 1, 2.5]) {
      const out = await generate(m, rows([prompt, prompt]), {
        maxNewTokens: 5,
        temperature: 0,
        within: {
          prompt: rows([
            [0, 1, 2, 0],
            [0, 1, 2, 0],
          ]),
          next: (s) => s + 1,
        },
        guidance: { prompt: rows([free]), within: rows([[0]]), scale },
        logits: true,
      });
      const tokens = Array.from(out.tokens.dataSync()).slice(0, 5);
      const pass = (start: number[], places: number[]): ArrayLike<number> => {
        const ids = [...start, ...tokens.slice(0, 4)];
        const within = [...places, 1, 2, 3, 4];
        return tidy(() => {
          const hidden = m.forward(rows([ids]), { within: rows([within]) });
          return m.logits(hidden.narrow(1, start.length - 1, 5));
        }).dataSync();
      };
      const c = pass(prompt, [0, 1, 2, 0]);
      const u = pass(free, [0]);
      const want = Array.from(c, (x, i) => u[i]! + scale * (x - u[i]!));
      expectClose(
        Array.from(out.logits!.dataSync()).slice(0, 60),
        want,
        [1e-9, 1e-11],
        `scale ${scale}`,
      );
    }
  });

  it('guides by several conditions: logits = u + Σ s_i (c_i − u), all from separate passes', async () => {
    const m = model();
    const within = { prompt: rows([[0, 1, 2, 0]]), next: (s: number) => s + 1 };
    const contexts = [
      { ids: [5, 6, 7, 1], places: [0, 1, 2, 0], scale: 1.5 },
      { ids: [8, 9, 1], places: [0, 1, 0], scale: -0.5 },
      { ids: [3, 1], places: [3, 0], scale: 2 },
    ];
    const [main, ...others] = contexts;
    const out = await generate(m, rows([main!.ids]), {
      maxNewTokens: 4,
      temperature: 0,
      within,
      logits: true,
      guidance: {
        prompt: rows([[1]]),
        within: rows([[0]]),
        scale: main!.scale,
        branches: others.map(({ ids, places, scale }, i) => ({
          // the first is padded here, the second by the session
          prompt: rows([i === 0 ? [0, ...ids] : ids]),
          within: rows([i === 0 ? [0, ...places] : places]),
          ...(i === 0 ? { attentionMask: rows([[0, 1, 1, 1]]).cast('bool') } : {}),
          scale,
        })),
      },
    });
    const tokens = Array.from(out.tokens.dataSync());
    const pass = (start: number[], places: number[]): number[] =>
      tidy(() => {
        const hidden = m.forward(rows([[...start, ...tokens.slice(0, 3)]]), {
          within: rows([[...places, 1, 2, 3]]),
        });
        return Array.from(m.logits(hidden.narrow(1, start.length - 1, 4)).dataSync());
      });
    const u = pass([1], [0]);
    const all = contexts.map(({ ids, places }) => pass(ids, places));
    const want = u.map((x, i) =>
      contexts.reduce((sum, { scale }, k) => sum + scale * (all[k]![i]! - x), x),
    );
    expectClose(Array.from(out.logits!.dataSync()), want, [1e-9, 1e-11], 'three branches');
  });

  it('left-padded rows go on as if alone', async () => {
    const m = new Decoder({ ...base, positions: 'rope', withinLength: 0 }, key(2));
    const options: GenerateOptions = { maxNewTokens: 6, temperature: 0 };
    const alone = await generate(m, rows([[3, 4]]), options);
    const padded = await generate(
      m,
      rows([
        [1, 2, 3, 4],
        [0, 0, 3, 4],
      ]),
      {
        ...options,
        attentionMask: tensor([1, 1, 1, 1, 0, 0, 1, 1], { shape: [2, 4], dtype: 'bool' }),
      },
    );
    expect(Array.from(padded.tokens.dataSync()).slice(6)).toEqual([...alone.tokens.dataSync()]);
  });

  it('stops rows at a stop id, pads them, and ends when all have stopped', async () => {
    const m = new Decoder({ ...base, positions: 'rope', withinLength: 0 }, key(2));
    const prompt = rows([
      [3, 4],
      [7, 8],
      [1, 1],
    ]);
    const free = await generate(m, prompt, { maxNewTokens: 10, key: key(0) });
    const full = Array.from({ length: 3 }, (_, i) =>
      Array.from(free.tokens.dataSync()).slice(i * 10, i * 10 + 10),
    );
    const stop = full[0]![2]!;
    const out = await generate(m, prompt, {
      maxNewTokens: 10,
      key: key(0),
      stopIds: [stop],
      padId: 11,
      logits: true,
    });
    const n = out.tokens.shape[1]!;
    expect(out.logits!.shape).toEqual([3, n, 12]);
    const got = Array.from({ length: 3 }, (_, i) =>
      Array.from(out.tokens.dataSync()).slice(i * n, i * n + n),
    );
    got.forEach((row, i) => {
      const end = row.indexOf(stop);
      expect(row.slice(0, end + 1 || n)).toEqual(full[i]!.slice(0, end + 1 || n));
      expect(row.slice(end + 1 || n).every((id) => id === 11)).toBe(true);
    });
    expect(n === 10 || got.every((row) => row.includes(stop))).toBe(true);
  });

  it('streams the same tokens, and frees all when the loop is left', async () => {
    const backend = referenceBackend();
    setBackend(backend);
    const m = new Decoder({ ...base, positions: 'rope', withinLength: 0 }, key(2));
    const prompt = rows([[3, 4]]);
    const options: GenerateOptions = {
      maxNewTokens: 6,
      key: key(9),
      topK: 5,
      repetitionPenalty: 1.2,
    };
    const whole = tidy(() => generateFixed(m, prompt, options).dataSync());
    // the second generation records: its constants stay with the model
    expect(tidy(() => generateFixed(m, prompt, options).dataSync())).toEqual(whole);
    const before = backend.memory().buffers;
    const streamed: number[] = [];
    for await (const [id] of generateStream(m, prompt, options)) streamed.push(id!);
    expect(streamed).toEqual([...whole]);
    for await (const [id] of generateStream(m, prompt, options)) if (id !== undefined) break;
    expect(backend.memory().buffers).toBe(before);
    const out = await generate(m, prompt, { ...options, stopIds: [0] });
    out.ids.dispose();
    out.tokens.dispose();
    expect(backend.memory().buffers).toBe(before);
    setBackend(referenceBackend());
  });

  it('lets no gradient through', () => {
    const m = new Decoder({ ...base, positions: 'rope', withinLength: 0 }, key(2));
    const fixed = generateFixed(m, rows([[3, 4]]), { maxNewTokens: 3, key: key(1) });
    const loss = (ids: Tensor): Tensor => m.logits(m.forward(ids)).square().mean();
    const a = valueAndGrad(m.parameters(), () =>
      loss(generateFixed(m, rows([[3, 4]]), { maxNewTokens: 3, key: key(1) })),
    );
    const b = valueAndGrad(m.parameters(), () => loss(fixed));
    for (const p of m.parameters())
      expect([...a.grads.get(p).dataSync()]).toEqual([...b.grads.get(p).dataSync()]);
  });

  it('names the option that does not fit', () => {
    const m = model();
    const prompt = rows([[1, 2]]);
    const within = { prompt, next: () => 0 };
    const ok: GenerateOptions = { maxNewTokens: 1, temperature: 0, within };
    const fails = (
      options: Partial<GenerateOptions>,
      error: new (...args: never[]) => Error = ValueError,
    ): void => {
      expect(() => generateFixed(m, prompt, { ...ok, ...options })).toThrow(error);
    };
    expect(generateFixed(m, prompt, ok).shape).toEqual([1, 1]);
    fails({ maxNewTokens: 0 });
    fails({ temperature: 1 });
    fails({ temperature: -1 });
    fails({ stopIds: [1] });
    fails({ padId: 12 });
    fails({ allowed: [] });
    fails({ allowed: [[5, 5]] });
    fails({ allowed: [[5, 13]] });
    fails({ temperature: 1, key: key(0), topK: 0 });
    fails({ temperature: 1, key: key(0), topP: 0 });
    fails({ temperature: 1, key: key(0), minP: 2 });
    fails({ guidance: { prompt: rows([[1, 2, 3]]), scale: 2 } }, ShapeError);
    fails({ guidance: { prompt: rows([[1]]), scale: 2 } });
    const free = { prompt: rows([[1]]), scale: 2, within: rows([[0]]) };
    const branch = (more: object): Partial<GenerateOptions> => ({
      guidance: { ...free, branches: [{ ...free, ...more }] },
    });
    expect(generateFixed(m, prompt, { ...ok, ...branch({}) }).shape).toEqual([1, 1]);
    fails(branch({ scale: Number.NaN }));
    fails(branch({ prompt: rows([[1, 2, 3]]) }), ShapeError);
    fails(branch({ attentionMask: rows([[1]]) }), ShapeError);
    expect(() => generateFixed(m, prompt, { maxNewTokens: 1, temperature: 0 })).toThrow(ValueError);
    expect(() => generateFixed(m, prompt.reshape(2), ok)).toThrow(ShapeError);
    expect(() => new DecodeSession(m, prompt, { ...ok, maxNewTokens: 1.5 })).toThrow(ValueError);
  });
});

describe.runIf(hasShared)('stories260K', () => {
  interface Golden {
    readonly cases: readonly {
      readonly prompt: string;
      readonly prompt_ids: number[];
      readonly ids: number[];
    }[];
  }
  const golden = hasShared
    ? (JSON.parse(
        readFileSync(sharedPath('data/models/stories260K/golden.json'), 'utf8'),
      ) as Golden)
    : { cases: [] };

  beforeAll(() => setBackend(cpu()));

  it.each(['bin', 'safetensors'])('repeats the golden ids from the .%s file', async (ending) => {
    const m = await loadLlama2c(sharedPath(`data/models/stories260K/stories260K.${ending}`));
    const chosen = ending === 'bin' ? golden.cases : golden.cases.slice(0, 1);
    for (const c of chosen) {
      const n = c.ids.length - c.prompt_ids.length;
      const out = generateFixed(m, rows([c.prompt_ids]), { maxNewTokens: n, temperature: 0 });
      expect([...c.prompt_ids, ...out.dataSync()]).toEqual(c.ids);
    }
    m.dispose();
  });
});
