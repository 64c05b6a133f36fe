/** Damaged and hostile folders: one line that says what and where, nothing allocated, nothing hung. */
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { key, setBackend } from '@loretta-ts/core';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  CheckpointError,
  Decoder,
  type HostTensor,
  parseSafetensors,
  SafetensorsError,
  serializeSafetensors,
} from '../src/index';
import { loadPretrained, savePretrained } from '../src/node';

const root = mkdtempSync(join(tmpdir(), 'loretta-hostile-'));
afterAll(() => rmSync(root, { recursive: true }));

const small = { vocab: 5, dim: 4, layers: 2, heads: 2, maxLength: 8 } as const;
const gelu = { mlp: 'gelu', norm: 'layer', positions: 'learned', bias: true } as const;
beforeAll(async () => {
  setBackend(referenceBackend());
  const model = new Decoder(small, key(0));
  await savePretrained(model, join(root, 'llama'));
  await savePretrained(model, join(root, 'shards'), { maxShardBytes: 1 });
  await savePretrained(new Decoder({ ...small, window: 3 }, key(0)), join(root, 'mistral'));
  await savePretrained(new Decoder({ ...small, ...gelu }, key(0)), join(root, 'gpt2'));
});

let folders = 0;
/** A copy of a good folder. */
function copy(name: string): string {
  const to = join(root, `copy-${folders++}`);
  cpSync(join(root, name), to, { recursive: true });
  return to;
}

type Json = Record<string, unknown>;
const readJson = (path: string): Json => JSON.parse(readFileSync(path, 'utf8')) as Json;

/** A copy with a JSON file changed; text goes in as it is. */
function changed(name: string, file: string, change: (json: Json) => unknown): string {
  const to = copy(name);
  const made = change(readJson(join(to, file)));
  writeFileSync(join(to, file), typeof made === 'string' ? made : JSON.stringify(made));
  return to;
}

/** A copy with its tensors changed. */
function retensored(name: string, change: (tensors: Map<string, HostTensor>) => void): string {
  const to = copy(name);
  const path = join(to, 'model.safetensors');
  const { tensors } = parseSafetensors(readFileSync(path));
  change(tensors);
  writeFileSync(path, serializeSafetensors(tensors));
  return to;
}

async function refused(path: string, message: RegExp): Promise<void> {
  const error: unknown = await loadPretrained(path).then(
    () => null,
    (e: unknown) => e,
  );
  expect(error).toSatisfy((e) => e instanceof CheckpointError || e instanceof SafetensorsError);
  expect((error as Error).message).toMatch(message);
  expect((error as Error).message).not.toContain('\n');
  expect((error as Error).message.length).toBeLessThan(600);
}

describe('pickles', () => {
  const pickle = Uint8Array.of(0x80, 2, 0x8a, 0x0a, ...new Uint8Array(60).fill(0x6c));
  const zip = Uint8Array.of(0x50, 0x4b, 3, 4, ...new Uint8Array(60).fill(1));

  it.each(['pytorch_model.bin', 'model.pt', 'model.pth', 'model.pkl', 'model.pickle'])(
    '%s is refused by its name, alone, in a folder and beside config.json',
    async (name) => {
      const message = new RegExp(`${name.replaceAll('.', '\\.')}' is a pickle: .*safetensors`);
      const folder = copy('llama');
      rmSync(join(folder, 'model.safetensors'));
      writeFileSync(join(folder, name), pickle);
      await refused(folder, message);
      rmSync(join(folder, 'config.json'));
      await refused(folder, message);
      await refused(join(folder, name), message);
    },
  );

  it('of another name are told by their first bytes', async () => {
    const folder = join(root, 'pickles');
    mkdirSync(folder);
    for (const bytes of [pickle, zip]) {
      for (const name of ['weights.bin', 'model.safetensors']) {
        writeFileSync(join(folder, name), bytes);
        await refused(join(folder, name), /looks like a pickle: .*safetensors/);
      }
    }
  });
});

describe('config.json', () => {
  const config = 'config.json';
  it.each<[string, Json, RegExp]>([
    ['llama', { hidden_size: '4' }, /config.json: hidden_size is not a number$/],
    ['llama', { hidden_size: -4 }, /hidden_size is -4, not an integer from 1 up$/],
    ['llama', { hidden_size: 4.5 }, /hidden_size is 4.5, not an integer/],
    ['llama', { hidden_size: [4] }, /hidden_size is not a number$/],
    ['llama', { hidden_size: 2 ** 40 }, /the weights are not those of LlamaForCausalLM/],
    [
      'llama',
      { vocab_size: 2 ** 50 },
      /embed_tokens.weight is \[5,4\], not \[1125899906842624,4\]/,
    ],
    ['llama', { intermediate_size: Number.MAX_SAFE_INTEGER }, /gate_proj.weight is \[16,4\], not/],
    [
      'llama',
      { num_hidden_layers: 2 ** 52 },
      /has 4503599627370496 layers, the weights are 21 ten/,
    ],
    ['llama', { num_hidden_layers: 1 }, /unexpected model.layers.1/],
    [
      'llama',
      { num_hidden_layers: 3 },
      /missing model.layers.2.self_attn.q_proj.weight, .* and 5 m/,
    ],
    ['llama', { num_attention_heads: 3 }, /config.json: head_dim is not|does not divide|q_proj/],
    ['llama', { num_attention_heads: 3, head_dim: null }, /head_dim is 1.33\d*, not an integer/],
    ['llama', { num_key_value_heads: 0 }, /num_key_value_heads is 0, not an integer/],
    ['llama', { head_dim: 3 }, /headDim is 3, which rope cannot pair/],
    ['llama', { rms_norm_eps: 0 }, /rms_norm_eps is 0, not a positive number/],
    ['llama', { rms_norm_eps: '1e-5' }, /rms_norm_eps is not a number/],
    ['llama', { rope_theta: -1 }, /rope_theta is -1, not a positive number/],
    ['llama', { rope_scaling: { rope_type: 'llama3', factor: 8 } }, /is of type 'llama3', which/],
    ['llama', { rope_scaling: 7 }, /config.json: rope_scaling is not an object/],
    ['llama', { tie_word_embeddings: 'yes' }, /tie_word_embeddings is not true or false/],
    ['llama', { tie_word_embeddings: 1 }, /tie_word_embeddings is not true or false/],
    ['llama', { mlp_bias: true }, /mlp_bias is true alone, which is not supported/],
    ['llama', { hidden_act: 'a\nb' }, /hidden_act is 'a\\nb', supported are silu/],
    ['llama', { model_type: '__proto__' }, /model_type '__proto__' is not supported/],
    ['llama', { model_type: 'constructor' }, /model_type 'constructor' is not supported/],
    ['llama', { model_type: 'x'.repeat(999) }, /model_type 'x{59}…' is not supported/],
    ['llama', { model_type: ['llama'] }, /model_type is not a string/],
    ['llama', { model_type: 'gpt2' }, /config.json: n_embd is missing/],
    ['llama', { quantization_config: { bits: 4 } }, /quantized weights are not supported/],
    ['llama', { eos_token_id: 'two' }, /eos_token_id is not a token id or a list of them/],
    ['llama', { eos_token_id: { 0: 2 } }, /eos_token_id is not a token id/],
    ['mistral', { sliding_window: -1 }, /sliding_window is -1, not an integer from 0 up/],
    ['mistral', { attention_bias: true }, /attention_bias is true, which is not supported/],
    ['gpt2', { n_head: 3 }, /n_head is 3, which does not divide n_embd 4/],
    [
      'gpt2',
      { n_positions: 2 ** 40 },
      /transformer.wpe.weight is \[8,4\], not \[1099511627776,4\]/,
    ],
    ['gpt2', { n_inner: 2 ** 31 }, /c_fc.weight is \[4,16\], not \[4,2147483648\]/],
    ['gpt2', { scale_attn_weights: false }, /scale_attn_weights is false/],
  ])('of %s with %j', async (name, fields, message) => {
    const folder = changed(name, config, (json) => ({ ...json, ...fields }));
    const path =
      fields['eos_token_id'] === undefined ? null : join(folder, 'generation_config.json');
    if (path !== null) rmSync(path);
    await refused(folder, message);
  });

  it.each<[string, string, RegExp]>([
    ['nothing', '', /config.json: not JSON$/],
    ['a number', '7', /config.json is not an object$/],
    ['a list', '[]', /config.json is not an object$/],
    ['null', 'null', /config.json is not an object$/],
    ['half of it', '{"model_type": "llama", ', /config.json: not JSON$/],
    [
      'infinity',
      '{"model_type": "llama", "num_attention_heads": 1, "hidden_size": 1e999}',
      /hidden_size is Infinity/,
    ],
    ['no fields of its own', '{"__proto__": {"model_type": "llama"}}', /model_type '' is not supp/],
    ['depth', `{"model_type": ${'['.repeat(1e5)}${']'.repeat(1e5)}}`, /model_type is not a string/],
  ])('that is %s', async (_, text, message) => {
    await refused(
      changed('llama', config, () => text),
      message,
    );
  });

  it('of any value in any field ends with a model or a typed refusal', async () => {
    const fields = Object.keys(readJson(join(root, 'llama', config)));
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...fields),
        fc.oneof(
          fc.jsonValue(),
          fc.integer(),
          fc.double(),
          fc.constantFrom(2 ** 31, 2 ** 53, 1e300),
        ),
        async (field, value) => {
          const folder = changed('llama', config, (json) => ({ ...json, [field]: value }));
          try {
            (await loadPretrained(folder)).model.dispose();
          } catch (error) {
            expect(error).toBeInstanceOf(CheckpointError);
            expect((error as Error).message).not.toContain('\n');
          }
        },
      ),
      { numRuns: 150, seed: 5 },
    );
  });

  it('that is a folder, or too long', async () => {
    const folder = copy('llama');
    const path = join(folder, config);
    rmSync(path);
    mkdirSync(path);
    await refused(folder, /config.json: (is not a file|cannot be read)/);
    rmSync(path, { recursive: true });
    writeFileSync(path, new Uint8Array(2 ** 26 + 1));
    await refused(folder, /config.json: has 67108865 bytes, more than 67108864$/);
  });
});

describe('weights', () => {
  const name = 'model.norm.weight';
  it.each<[string, (tensors: Map<string, HostTensor>) => void, RegExp]>([
    ['a tensor less', (t) => t.delete(name), /missing model.norm.weight$/],
    ['one more', (t) => t.set('score.weight', t.get(name)!), /unexpected score.weight$/],
    ['a name of the prototype', (t) => t.set('__proto__', t.get(name)!), /unexpected __proto__$/],
    ['a long name', (t) => t.set('a\n'.repeat(500), t.get(name)!), /unexpected (a\\n)+a?\\?…$/],
    [
      'integers',
      (t) => t.set(name, { dtype: 'I32', shape: [4], data: new Int32Array(4) }),
      /tensor 'model.norm.weight' is I32, not floating point$/,
    ],
    [
      'another shape of the same size',
      (t) => t.set(name, { ...t.get(name)!, shape: [2, 2] }),
      /model.norm.weight is \[2,2\], not \[4\]$/,
    ],
  ])('with %s', async (_, change, message) => {
    await refused(retensored('llama', change), message);
  });

  it('of GPT-2 under both of its names', async () => {
    const both = retensored('gpt2', (t) => t.set('wte.weight', t.get('transformer.wte.weight')!));
    await refused(both, /tensor 'transformer.wte.weight' comes twice$/);
    const plain = retensored('gpt2', (t) => {
      for (const [full, value] of [...t].filter(([n]) => n.startsWith('transformer.'))) {
        t.delete(full);
        t.set(full.replace('transformer.', ''), value);
      }
      t.set('h.0.attn.bias', { dtype: 'U8', shape: [1], data: Uint8Array.of(1) });
    });
    const { model } = await loadPretrained(plain);
    const { model: same } = await loadPretrained(join(root, 'gpt2'));
    for (const [i, p] of model.parameters().entries())
      expect(p.value.dataSync()).toEqual(same.parameters()[i]!.value.dataSync());
  });

  it('cut off anywhere', async () => {
    const bytes = readFileSync(join(root, 'llama/model.safetensors'));
    for (const length of [0, 7, 8, 100, bytes.length - 1]) {
      const folder = copy('llama');
      writeFileSync(join(folder, 'model.safetensors'), bytes.subarray(0, length));
      await refused(folder, /model.safetensors: .*(cut off|too few|left over)/);
    }
  });

  it('that are not there, or in another format', async () => {
    const folder = copy('llama');
    rmSync(join(folder, 'model.safetensors'));
    await refused(folder, /neither model.safetensors nor model.safetensors.index.json is there$/);
    mkdirSync(join(folder, 'model.safetensors'));
    await refused(folder, /model.safetensors: (is not a file|cannot be read)/);
  });
});

describe('shards', () => {
  const index = 'model.safetensors.index.json';
  const shard = 'model-00001-of-00021.safetensors';
  const map = (weights: (map: Json) => unknown): string =>
    changed('shards', index, (json) => ({
      ...json,
      weight_map: weights(json['weight_map'] as Json),
    }));

  it('are there', async () => {
    expect(Object.values(readJson(join(root, 'shards', index))['weight_map'] as Json)).toContain(
      shard,
    );
    (await loadPretrained(join(root, 'shards'))).model.dispose();
  });

  it.each<[string, () => string, RegExp]>([
    ['an index of nothing', () => changed('shards', index, () => ({})), /weight_map is missing$/],
    ['a list', () => changed('shards', index, () => []), /weight_map is missing$/],
    [
      'an inherited map',
      () => changed('shards', index, () => '{"__proto__":{"weight_map":{}}}'),
      /weight_map is missing$/,
    ],
    ['an empty map', () => map(() => ({})), /layers, the weights are 0 tensors/],
    [
      'a path up',
      () => map((m) => ({ ...m, x: '../llama/model.safetensors' })),
      /the place of 'x' is/,
    ],
    [
      'an absolute path',
      () => map((m) => ({ ...m, x: '/etc/a.safetensors' })),
      /the place of 'x' is/,
    ],
    ['a hidden file', () => map((m) => ({ ...m, x: '.a.safetensors' })), /the place of 'x' is not/],
    [
      'a number',
      () => map((m) => ({ ...m, x: 1 })),
      /the place of 'x' is not the name of a safetens/,
    ],
    [
      'a tensor too many',
      () => map((m) => ({ ...m, x: shard })),
      /00001.*: tensor 'x' of the index is not/,
    ],
    ['a shard that is not there', () => map((m) => ({ ...m, x: 'b.safetensors' })), /ENOENT/],
    [
      'a tensor elsewhere',
      () => map((m) => ({ ...m, 'model.norm.weight': shard })),
      /(is not listed there by the index|of the index is not there)$/,
    ],
    [
      'a tensor unlisted',
      () => map((m) => Object.fromEntries(Object.entries(m).slice(1))),
      /missing lm_head.weight$/,
    ],
    [
      'a tensor under another name',
      () => map(({ 'model.embed_tokens.weight': place, ...m }) => ({ ...m, x: place })),
      /tensor 'model.embed_tokens.weight' is not listed there by the index$/,
    ],
    [
      'a file missing',
      () => {
        const folder = copy('shards');
        rmSync(join(folder, shard));
        return folder;
      },
      /00001-of-00021.safetensors: cannot be read \(ENOENT\)/,
    ],
  ])('with %s', async (_, make, message) => {
    await refused(make(), message);
  });
});

describe('folders and llama2.c files', () => {
  const header = (...sizes: number[]): Uint8Array => new Uint8Array(Int32Array.from(sizes).buffer);
  const folder = (files: Record<string, Uint8Array>): string => {
    const to = join(root, `folder-${folders++}`);
    mkdirSync(to);
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(to, name), bytes);
    return to;
  };

  it('say what is missing', async () => {
    await refused(join(root, 'nowhere'), /nowhere: there is no such folder: check the path$/);
    await refused(folder({}), /neither config.json nor a llama2.c checkpoint/);
    await refused(folder({ 'tokenizer.bin': header(1) }), /neither config.json nor a llama2.c/);
    const two = folder({ 'a.bin': header(1), 'b.bin': header(1) });
    await refused(two, /holds a.bin, b.bin: give the path of one$/);
  });

  it('refuse sizes that the file does not hold', async () => {
    const huge = 2 ** 31 - 1;
    await refused(folder({ 'a.bin': header(huge, huge, huge, 1, 1, huge, huge) }), /llama2.c: /);
    await refused(folder({ 'a.bin': header(8, 8, 1, 3, 3, 8, 8) }), /a.bin: llama2.c: /);
    await refused(folder({ 'a.bin': header(1) }), /a.bin: llama2.c: 4 bytes are too few/);
    const sizes = { dim: 4, hidden_dim: 8, n_layers: 1, n_heads: 1, n_kv_heads: 1, vocab_size: 5 };
    const meta = (change: object): Uint8Array => {
      const all = Object.entries({ ...sizes, seq_len: 8, ...change });
      const t: HostTensor = { dtype: 'F32', shape: [4], data: new Float32Array(4) };
      return serializeSafetensors(
        new Map([['norm.weight', t]]),
        Object.fromEntries(all.map(([k, v]) => [k, String(v)])),
      );
    };
    for (const [change, message] of [
      [{ n_layers: 999999999 }, /has 999999999 layers, the weights are 1 tensors/],
      [{ vocab_size: 999999999 }, /missing model.embed_tokens.weight/],
      [{ n_heads: 3 }, /a.safetensors: llama2.c: dim is 4, which 3 heads do not divide/],
      [{ dim: '4e9' }, /metadata 'dim' is '4e9', not a size/],
      [{ dim: 0 }, /llama2.c: dim is 0/],
    ] as const) {
      await refused(folder({ 'a.safetensors': meta(change) }), message);
    }
  });

  it.skipIf(process.platform === 'win32')('do not read a device', async () => {
    const to = copy('llama');
    rmSync(join(to, 'config.json'));
    symlinkSync('/dev/zero', join(to, 'config.json'));
    await refused(to, /config.json: is not a file$/);
  });
});
