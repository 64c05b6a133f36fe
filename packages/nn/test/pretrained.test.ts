/** Saving and loading whole folders: what transformers wrote is the oracle. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { cpu, referenceBackend } from '@loretta-ts/backend-cpu';
import { key, setBackend, tensor, tidy } from '@loretta-ts/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CheckpointError,
  Decoder,
  type DecoderConfig,
  decoderConfigToHf,
  generateFixed,
  type HostTensor,
  parseSafetensors,
  type SaveDType,
  toHost,
} from '../src/index';
import { loadHfTensors, loadPretrained, loadSafetensors, savePretrained } from '../src/node';
import { expectClose, hasShared, sharedPath } from './shared';

const root = mkdtempSync(join(tmpdir(), 'loretta-pretrained-'));
afterAll(() => rmSync(root, { recursive: true }));
beforeAll(() => setBackend(referenceBackend()));

let folders = 0;
const fresh = (): string => join(root, `${folders++}`);
const json = (...parts: string[]): Record<string, unknown> =>
  JSON.parse(readFileSync(join(...parts), 'utf8')) as Record<string, unknown>;

describe.runIf(hasShared)('folders that transformers wrote', () => {
  const dtypes: Record<string, SaveDType> = { float32: 'f32', float16: 'f16', bfloat16: 'bf16' };

  it.each([
    'llama-tied',
    'llama-untied',
    'llama-bf16',
    'llama-leftpad',
    'mistral-window',
    'gpt2',
    'mamba',
  ])('%s is written back, file by file', async (name) => {
    const from = sharedPath(`conformance/models/${name}`);
    const { model, source } = await loadPretrained(from);
    expect(source).toBe('hugging-face');
    const to = fresh();
    const golden = json(from, 'config.json');
    await savePretrained(model, to, { dtype: dtypes[golden['torch_dtype'] as string]! });
    expect(readdirSync(to).sort()).toEqual([
      'config.json',
      'generation_config.json',
      'model.safetensors',
    ]);
    expect(json(to, 'config.json')).toMatchObject(golden);
    const [got, want] = [to, from].map((d) => readFileSync(join(d, 'model.safetensors')));
    const { tensors, metadata } = parseSafetensors(got!);
    expect(Object.fromEntries(metadata)).toEqual({ format: 'pt' });
    expect(new Map([...tensors].sort())).toEqual(
      new Map([...parseSafetensors(want!).tensors].sort()),
    );
    expect(got!.length - want!.length).toBeLessThan(64); // the padding of the header
  });

  it('shards hold the tensors of the whole, with an index that says where', async () => {
    const from = sharedPath('conformance/models/llama-sharded');
    const { model } = await loadPretrained(from);
    const to = fresh();
    await savePretrained(model, to, { maxShardBytes: 3000 });
    const [got, want] = [to, from].map((d) => json(d, 'model.safetensors.index.json')) as [
      { metadata: object; weight_map: Record<string, string> },
      { metadata: object; weight_map: Record<string, string> },
    ];
    expect(got.metadata).toEqual(want.metadata);
    expect(Object.keys(got.weight_map).sort()).toEqual(Object.keys(want.weight_map).sort());
    const shards = readdirSync(to).filter((file) => file.endsWith('.safetensors'));
    expect(shards.length).toBeGreaterThan(2);
    for (const [i, shard] of shards.sort().entries()) {
      const number = (n: number): string => String(n).padStart(5, '0');
      expect(shard).toBe(`model-${number(i + 1)}-of-${number(shards.length)}.safetensors`);
      const { tensors } = await loadSafetensors(join(to, shard));
      const bytes = [...tensors.values()].reduce((n, t) => n + t.data.byteLength, 0);
      expect(tensors.size === 1 || bytes <= 3000).toBe(true);
    }
    expect(new Map([...(await loadHfTensors(to))].sort())).toEqual(
      new Map([...(await loadHfTensors(from))].sort()),
    );
  });
});

/** Configurations that the format can say. */
const sayable: fc.Arbitrary<DecoderConfig> = fc
  .record({
    gelu: fc.boolean(),
    heads: fc.constantFrom(1, 2, 4),
    groups: fc.constantFrom(1, 2),
    half: fc.integer({ min: 1, max: 3 }),
    vocab: fc.integer({ min: 1, max: 9 }),
    layers: fc.integer({ min: 0, max: 3 }),
    ffDim: fc.integer({ min: 1, max: 9 }),
    maxLength: fc.integer({ min: 1, max: 40 }),
    window: fc.constantFrom(0, 0, 3),
    tieEmbeddings: fc.boolean(),
    bias: fc.boolean(),
    normEps: fc.constantFrom(1e-5, 1e-6, 3e-4),
    ropeTheta: fc.constantFrom(10000, 500000, 1234.5),
    extra: fc.nat(3),
    dtype: fc.constantFrom('f32' as const, 'f64' as const),
  })
  .map(({ gelu, groups, half, extra, bias, window, ropeTheta, ...c }) => {
    const headDim = 2 * half;
    if (gelu) {
      const fixed = { norm: 'layer', mlp: 'gelu', positions: 'learned', bias: true } as const;
      return { ...c, ...fixed, dim: c.heads * headDim };
    }
    const kvHeads = c.heads % groups === 0 ? c.heads / groups : c.heads;
    const common = { ...c, kvHeads, headDim, dim: 3 + extra, window, ropeTheta };
    return { ...common, bias: bias && window === 0 };
  });

/** Fields that say nothing of what the model computes. */
const TRAINING = ['dropout', 'initStd', 'embeddingStd'];
const computed = (model: Decoder): object =>
  Object.fromEntries(Object.entries(model.config).filter(([k]) => !TRAINING.includes(k)));
const bits = async (model: Decoder): Promise<Map<string, HostTensor>> =>
  await toHost(model.stateDict());

describe('savePretrained', () => {
  it('is undone by loadPretrained, bit for bit, whatever the configuration', async () => {
    await fc.assert(
      fc.asyncProperty(sayable, fc.nat(), fc.constantFrom(2e9, 64), async (config, seed, size) => {
        const model = new Decoder(config, key(seed));
        const to = fresh();
        await savePretrained(model, to, { maxShardBytes: size });
        const loaded = (await loadPretrained(to, { dtype: model.config.dtype })).model;
        expect(computed(loaded)).toEqual(computed(model));
        expect(await bits(loaded)).toEqual(await bits(model));
        model.dispose();
        loaded.dispose();
      }),
      { numRuns: 40, seed: 11 },
    );
  });

  it('turns rotary pairs into halves: other rows, the same logits', async () => {
    const config = { vocab: 11, dim: 12, layers: 2, heads: 4, kvHeads: 2, headDim: 6, bias: true };
    const model = new Decoder(
      { ...config, maxLength: 16, dtype: 'f64', ropeInterleaved: true },
      key(3),
    );
    for (const [name, p] of model.namedParameters()) {
      // biases begin as zeros, and zeros would not show their order
      if (name.endsWith('.bias'))
        p.assign(
          tensor(
            Array.from({ length: p.shape[0]! }, (_, i) => i / 9),
            { dtype: 'f64' },
          ),
        );
    }
    const to = fresh();
    await savePretrained(model, to);
    const { model: halves } = await loadPretrained(to, { dtype: 'f64' });
    expect(halves.config.ropeInterleaved).toBe(false);
    const name = 'model.layers.0.self_attn.q_proj.weight';
    expect((await bits(halves)).get(name)).not.toEqual((await bits(model)).get(name));
    const ids = tensor([[1, 5, 2, 9, 3, 3, 10]], { dtype: 'i32' });
    const logits = (m: Decoder): Float64Array =>
      Float64Array.from(tidy(() => m.logits(m.forward(ids))).dataSync());
    const [a, b] = [logits(model), logits(halves)];
    for (const [i, x] of a.entries()) expect(b[i]).toBeCloseTo(x, 12);
  });

  it('writes ids, tokenizer and 16-bit weights, and reads them', async () => {
    const model = new Decoder({ vocab: 5, dim: 4, layers: 1, heads: 2, maxLength: 8 }, key(0));
    const to = fresh();
    const tokenizer = { toJSON: () => ({ version: '1.0', model: { type: 'BPE' } }) };
    await savePretrained(model, to, { dtype: 'f16', tokenizer, bosId: 1, eosIds: [2, 4] });
    expect(json(to, 'tokenizer.json')).toEqual(tokenizer.toJSON());
    expect(json(to, 'config.json')).toMatchObject({ torch_dtype: 'float16', bos_token_id: 1 });
    const loaded = await loadPretrained(to);
    expect([loaded.bosId, loaded.eosIds]).toEqual([1, [2, 4]]);
    const name = 'model.embed_tokens.weight';
    const [a, b] = [(await bits(model)).get(name)!, (await bits(loaded.model)).get(name)!];
    expect(b).not.toEqual(a);
    Array.from(a.data, Number).forEach((x, i) => {
      expect(Math.abs(Number(b.data[i]) - x)).toBeLessThanOrEqual(
        2 ** -11 * Math.abs(x) + 2 ** -25,
      );
    });
    // null takes the ids back that the classes have by default
    await savePretrained(model, to, { overwrite: true });
    expect(json(to, 'config.json')).toMatchObject({ bos_token_id: null, eos_token_id: null });
  });

  const small = { vocab: 5, dim: 4, layers: 1, heads: 2, maxLength: 8 } as const;
  const gelu = { ...small, mlp: 'gelu', norm: 'layer', positions: 'learned', bias: true } as const;
  it.each<[string, DecoderConfig]>([
    ['positions', { ...small, positions: ['rope', 'within-block'], withinLength: 4 }],
    ['positions', { ...small, positions: 'learned' }],
    ['norm', { ...small, norm: 'layer' }],
    ['bias', { ...small, window: 3, bias: true }],
    ['positions', { ...gelu, positions: 'rope' }],
    ['norm', { ...gelu, norm: 'rms' }],
    ['bias', { ...gelu, bias: false }],
    ['kvHeads', { ...gelu, kvHeads: 1 }],
    ['window', { ...gelu, window: 2 }],
    ['headDim', { ...gelu, headDim: 6 }],
  ])('refuses %s that the format cannot say, before anything is written', async (field, config) => {
    const model = new Decoder(config, null);
    const to = fresh();
    const before = readdirSync(root);
    const refusal = new RegExp(
      `^checkpoint: ${field} is [^\\n]*keep this model with saveCheckpoint$`,
    );
    await expect(savePretrained(model, to)).rejects.toThrow(refusal);
    await expect(savePretrained(model, to)).rejects.toThrow(CheckpointError);
    expect(() => decoderConfigToHf(config)).toThrow(refusal);
    expect(readdirSync(root)).toEqual(before);
  });

  it('refuses options, and other things in the way', async () => {
    const model = new Decoder(small, key(0));
    const refused = async (options: object, message: RegExp, to = fresh()): Promise<void> => {
      const before = readdirSync(root);
      await expect(savePretrained(model, to, options)).rejects.toThrow(message);
      expect(readdirSync(root)).toEqual(before);
    };
    await refused({ dtype: 'toString' }, /^savePretrained: dtype is 'toString'/);
    await refused({ maxShardBytes: Number.NaN }, /^savePretrained: maxShardBytes is NaN/);
    await refused({ eosIds: [5] }, /^savePretrained: token id 5 is not in the vocabulary of 5$/);
    const taken = fresh();
    mkdirSync(taken);
    writeFileSync(join(taken, 'thesis.tex'), 'x');
    await refused({}, /is there and not empty: choose another folder, or give overwrite/, taken);
    await refused({ overwrite: true }, /holds 'thesis.tex', which is no file of a saved/, taken);
    expect(readdirSync(taken)).toEqual(['thesis.tex']);
    await refused({}, /thesis.tex: is not a folder/, join(taken, 'thesis.tex'));
  });

  it('leaves no part of a folder, and the old one as it was, when it fails in the middle', async () => {
    const model = new Decoder(small, key(0));
    const to = fresh();
    await savePretrained(model, to);
    const old = readFileSync(join(to, 'model.safetensors'));
    const last = model.lm_head!.weight;
    last.assign(tensor(new Float32Array(20).fill(70000), { shape: [5, 4] }));
    const before = readdirSync(root);
    const options = { dtype: 'f16', maxShardBytes: 64, overwrite: true } as const;
    await expect(savePretrained(model, to, options)).rejects.toThrow(
      /lm_head.weight holds 70000, too large for f16: save in bf16, f32 or f64/,
    );
    await expect(savePretrained(model, fresh(), options)).rejects.toThrow(CheckpointError);
    expect(readdirSync(root)).toEqual(before);
    expect(readFileSync(join(to, 'model.safetensors')).equals(old)).toBe(true);
    await savePretrained(model, to, { ...options, dtype: 'bf16' });
    expect(readdirSync(to)).toContain('model.safetensors.index.json');
    expect(readdirSync(to)).not.toContain('model.safetensors');
    expect(readdirSync(root)).toEqual(before);
  });
});

describe.runIf(hasShared)('stories260K', () => {
  const folder = sharedPath('data/models/stories260K');
  interface Golden {
    readonly cases: readonly {
      readonly prompt_ids: number[];
      readonly ids: number[];
      readonly logits: Record<string, number[]>;
    }[];
  }

  beforeAll(() => setBackend(cpu()));

  it('repeats golden ids and logits, and again as a folder of Hugging Face', async () => {
    const golden = json(folder, 'golden.json') as unknown as Golden;
    const original = await loadPretrained(folder);
    expect([original.source, original.bosId, original.eosIds]).toEqual(['llama2.c', 1, [1, 2]]);
    const to = fresh();
    await savePretrained(original.model, to, { bosId: 1, eosIds: [1, 2] });
    const { model: saved } = await loadPretrained(to);
    for (const m of [original.model, saved]) {
      for (const c of golden.cases.slice(0, 3)) {
        const ids = tensor([c.ids], { dtype: 'i32' });
        const logits = tidy(() => m.logits(m.forward(ids)).reshape(-1, 512)).dataSync();
        for (const [at, want] of Object.entries(c.logits)) {
          const got = logits.slice(512 * Number(at), 512 * (Number(at) + 1));
          expectClose(got, want, [0, 1e-3], `logits at ${at}`);
        }
      }
      const [first] = golden.cases;
      const prompt = tensor([first!.prompt_ids], { dtype: 'i32' });
      const made = generateFixed(m, prompt, { maxNewTokens: 60, temperature: 0 });
      expect([...made.dataSync()]).toEqual(first!.ids.slice(1, 61));
    }
  });
});
