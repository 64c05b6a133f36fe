/** A decoder of ids and real vectors: what goes in, what comes out, generation with every cache, wrong use. */
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { key, setBackend, type Tensor, tensor, tidy } from '@loretta-ts/core';
import { beforeEach, describe, expect, it } from 'vitest';
import {
  Decoder,
  type DecoderConfig,
  decoderConfigToHf,
  type GenerateOptions,
  generate,
  generateFixed,
  generateLatents,
  resolveDecoderConfig,
  sampleMixture,
} from '../src/index';
import { expectClose } from './shared';

const fast = cpu();
const reference = referenceBackend();
beforeEach(() => setBackend(fast));

const vocab = 7;
/** Placeholder of vectors. */
const LATENT = 5;
const dim = 3;

const kinds: Readonly<Record<string, Partial<DecoderConfig>>> = {
  'a full cache': {},
  'a rolling cache': { window: 4 },
  mamba: { mixer: 'mamba', stateDim: 4, positions: [] },
  hyena: { mixer: 'hyena', filterDim: 8, positions: [] },
};

const makeModel = (kind: Partial<DecoderConfig> = {}): Decoder =>
  new Decoder(
    {
      ...{ vocab, dim: 16, layers: 2, heads: 2, maxLength: 24, initStd: 0.3 },
      latent: { dim, components: 2 },
      ...kind,
    },
    key(3),
  );

const rows = (values: readonly (readonly number[])[]): Tensor =>
  tensor(values.flat(), { shape: [values.length, values[0]!.length], dtype: 'i32' });
const prompt = [
  [0, LATENT, LATENT, 1, 2],
  [3, 1, LATENT, 2, 4],
];
/** Vectors at the placeholders, zeros elsewhere. */
const vectors = (ids: readonly (readonly number[])[]): Float32Array =>
  Float32Array.from(
    ids.flatMap((row, i) =>
      row.flatMap((id, j) =>
        Array.from({ length: dim }, (_, c) => (id === LATENT ? Math.sin(7 * i + 3 * j + c) : 0)),
      ),
    ),
  );
const latentsOf = (ids: readonly (readonly number[])[]): Tensor =>
  tensor(vectors(ids), { shape: [ids.length, ids[0]!.length, dim] });
const read = (make: () => Tensor): number[] => {
  using t = tidy(make);
  return Array.from(t.dataSync(), Number);
};
const near = [1e-4, 1e-5] as const;

/** The same by running everything again for every vector. */
function slowly(model: Decoder, n: number, temperature: number): number[] {
  const [b, t] = [prompt.length, prompt[0]!.length];
  const made: number[][] = [];
  for (let step = 0; step < n; step++) {
    const next = read(() => {
      const ids = rows(prompt.map((row) => [...row, ...made.map(() => LATENT)]));
      const given = vectors(prompt);
      const all = Float32Array.from(
        prompt.flatMap((_, i) => [
          ...given.subarray(i * t * dim, (i + 1) * t * dim),
          ...made.flatMap((row) => row.slice(i * dim, (i + 1) * dim)),
        ]),
      );
      const latents = tensor(all, { shape: [b, t + step, dim] });
      const last = model.forward(ids, { latents }).select(1, t + step - 1);
      return sampleMixture(model.latentParams(last), dim, key(9).fold(step), { temperature });
    });
    made.push(next);
  }
  return Array.from({ length: b }, (_, i) =>
    made.flatMap((row) => row.slice(i * dim, (i + 1) * dim)),
  ).flat();
}

describe.each(Object.entries(kinds))('%s', (_, kind) => {
  it.each([0, 1])('generates what the whole sequence says, at temperature %s', (temperature) => {
    const model = makeModel(kind);
    const made = read(() =>
      generateLatents(model, rows(prompt), {
        latents: latentsOf(prompt),
        ...{ maxNewTokens: 6, tokenId: LATENT, temperature, key: key(9) },
      }),
    );
    expect(made).toHaveLength(2 * 6 * dim);
    expectClose(made, slowly(model, 6, temperature), near, 'vectors');
    model.dispose();
  });

  it('generates the same vectors and ids behind padding on the left', () => {
    const model = makeModel(kind);
    const padded = prompt.map((row) => [0, 0, ...row]);
    const seen = tensor(
      Uint8Array.from(padded.flatMap((row) => row.map((_, j) => Number(j > 1)))),
      { shape: [2, 7], dtype: 'bool' },
    );
    const noise = new Array<number>(2 * dim).fill(0.7); // never seen
    const given = vectors(prompt);
    const behindNoise = Float32Array.from(
      [0, 1].flatMap((i) => [...noise, ...given.subarray(i * 5 * dim, (i + 1) * 5 * dim)]),
    );
    const runs = [
      { ids: prompt, latents: given, mask: {} },
      { ids: padded, latents: behindNoise, mask: { attentionMask: seen } },
    ];
    const [plain, behind] = runs.map(({ ids, latents, mask }) => {
      const options = (): GenerateOptions => ({
        latents: tensor(latents, { shape: [2, ids[0]!.length, dim] }),
        ...{ maxNewTokens: 8, temperature: 0, ...mask },
      });
      return [
        read(() => generateLatents(model, rows(ids), { ...options(), tokenId: LATENT })),
        read(() => generateFixed(model, rows(ids), options())),
      ];
    });
    expectClose(behind![0]!, plain![0]!, near, 'vectors');
    expect(behind![1]).toEqual(plain![1]);
    seen.dispose();
    model.dispose();
  });

  it('generates ids behind vectors as the whole sequence says, again and again', () => {
    const model = makeModel(kind);
    const made = prompt.map((): number[] => []);
    for (let step = 0; step < 8; step++) {
      const scores = read(() => {
        const ids = prompt.map((row, i) => [...row, ...made[i]!]);
        // a placeholder that is chosen has no vector
        const latents = latentsOf(prompt.map((row, i) => [...row, ...made[i]!.map(() => 0)]));
        return model.logits(model.forward(rows(ids), { latents }).select(1, 4 + step));
      });
      made.forEach((row, i) => {
        const own = scores.slice(i * vocab, (i + 1) * vocab);
        row.push(own.indexOf(Math.max(...own)));
      });
    }
    for (let again = 0; again < 2; again++) {
      const got = read(() =>
        generateFixed(model, rows(prompt), {
          ...{ maxNewTokens: 8, temperature: 0, latents: latentsOf(prompt) },
        }),
      );
      expect(got).toEqual(made.flat());
    }
    model.dispose();
  });
});

describe('guidance', () => {
  it('of scale 1 changes nothing, with vectors in the condition and none in the free context', () => {
    const model = makeModel();
    const made = [false, true].map((guided) =>
      read(() =>
        generateFixed(model, rows(prompt), {
          ...{ maxNewTokens: 8, temperature: 0, latents: latentsOf(prompt) },
          ...(guided ? { guidance: { prompt: rows([[2]]), scale: 1 } } : {}),
        }),
      ),
    );
    expect(made[1]).toEqual(made[0]);
    model.dispose();
  });
});

describe('the model', () => {
  it('has its state under latent_in and latent_head, and without latent has neither', () => {
    const [model, plain] = [makeModel(), makeModel({ latent: null })];
    const added = [...model.stateDict().keys()].filter((name) => !plain.stateDict().has(name));
    expect(added).toEqual(['latent_in.weight', 'latent_head.weight']);
    expect(model.latent_in!.weight.shape).toEqual([16, dim]);
    expect(model.latent_head!.weight.shape).toEqual([2 * (1 + 2 * dim), 16]);
    // the other weights are those of the same key
    for (const [name, value] of plain.stateDict())
      expect(model.stateDict().get(name)!.dataSync()).toEqual(value.dataSync());
    for (const m of [model, plain]) m.dispose();
  });

  it('takes zeros as no vectors, and sees no later ones', () => {
    const model = makeModel();
    const hidden = (latents?: Tensor): number[] =>
      read(() => model.forward(rows([[1, LATENT, 2]]), latents === undefined ? {} : { latents }));
    const at = (j: number): Tensor =>
      tensor(
        Float32Array.from({ length: 9 }, (_, i) => Number(Math.floor(i / dim) === j)),
        {
          shape: [1, 3, dim],
        },
      );
    const none = hidden();
    expect(hidden(at(-1))).toEqual(none);
    const changed = hidden(at(1));
    expect(changed.slice(0, 16)).toEqual(none.slice(0, 16));
    expect(changed.slice(16, 32)).not.toEqual(none.slice(16, 32));
    expect(changed.slice(32)).not.toEqual(none.slice(32));
    model.dispose();
  });

  it('generates on the reference backend what it generates on the fast one', () => {
    const made = [fast, reference].map((backend) => {
      setBackend(backend);
      const model = makeModel();
      const latents = latentsOf(prompt);
      const options = { maxNewTokens: 5, tokenId: LATENT, key: key(2), latents };
      const values = read(() => generateLatents(model, rows(prompt), options));
      latents.dispose();
      model.dispose();
      return values;
    });
    expectClose(made[0]!, made[1]!, near, 'vectors');
  });
});

describe('refused', () => {
  it.each([
    [{ dim: 0, components: 1 }, /^Decoder: latent\.dim is 0/],
    [{ dim: 1, components: 1.5 }, /^Decoder: latent\.components is 1\.5/],
    [{ dim: 1, components: 1, width: 2 }, /^Decoder: latent has width/],
    [3, /^Decoder: latent is 3/],
  ])('latent %j', (latent, message) => {
    const config = { vocab, dim: 16, layers: 1, heads: 2, maxLength: 8, latent } as DecoderConfig;
    expect(() => resolveDecoderConfig(config)).toThrow(message);
  });

  it('writing for PyTorch, by the name of the field', () => {
    const config = { vocab, dim: 16, layers: 1, heads: 2, maxLength: 8 };
    expect(decoderConfigToHf(config).family).toBe('llama');
    expect(() => decoderConfigToHf({ ...config, latent: { dim: 2, components: 1 } })).toThrow(
      /^checkpoint: latent is .* keep this model with saveCheckpoint$/,
    );
  });

  it('vectors of another shape, or for a model that has none', async () => {
    const [model, plain] = [makeModel(), makeModel({ latent: null })];
    const ids = rows(prompt);
    const latents = latentsOf(prompt);
    const short = latentsOf(prompt.map((row) => row.slice(1)));
    const base = { maxNewTokens: 2, temperature: 0 };
    const named = { ...base, tokenId: LATENT };
    expect(() => plain.forward(ids, { latents })).toThrow(/the option latents needs .* latent/);
    expect(() => model.forward(ids, { latents: short })).toThrow(/latents is \[2,4,3\]/);
    expect(() => plain.latentParams(latents)).toThrow(/latentParams needs .* latent/);
    await expect(generate(plain, ids, { ...base, latents })).rejects.toThrow(/no latent/);
    await expect(generate(model, ids, { ...base, latents: short })).rejects.toThrow(
      /latents are \[2,4,3\], not \[2,5,3\]/,
    );
    expect(() => generateLatents(plain, ids, named)).toThrow(/no latent/);
    expect(() => generateLatents(model, ids, { ...named, tokenId: vocab })).toThrow(/tokenId 7/);
    expect(() => generateLatents(model, ids, { ...named, temperature: 1 })).toThrow(/needs a key/);
    expect(() => generateLatents(model, ids, { ...named, maxNewTokens: 0 })).toThrow(/maxNewTok/);
    for (const t of [ids, latents, short]) t.dispose();
    for (const m of [model, plain]) m.dispose();
  });
});
