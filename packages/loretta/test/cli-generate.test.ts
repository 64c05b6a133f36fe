/** `loretta generate --model` as a process, and the loader of models with their tokenizers. */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { referenceBackend } from '@loretta-ts/backend-cpu';
import { key, setBackend } from '@loretta-ts/core';
import { Decoder, type DecoderConfig } from '@loretta-ts/nn';
import { savePretrained } from '@loretta-ts/nn/node';
import { BpeTokenizer, WordTokenizer } from '@loretta-ts/tokenizers';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { generate } from '../src/cli/generate';
import { loadLanguageModel } from '../src/node';
import { argv, complaint, type Ended, runLoretta } from './cli-process';

const shared = fileURLToPath(new URL('../../../../shared/data/', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'loretta-generate-'));
afterAll(() => rmSync(root, { recursive: true }));
const loretta = (...words: string[]): Ended => runLoretta(root, 'generate', ...words);

const bpe = BpeTokenizer.train(['the sea, the sea'], { vocabSize: 258, specialTokens: ['<end>'] });
const small = { dim: 8, layers: 1, heads: 2, maxLength: 12, embeddingStd: 1 } as const;
const make = (change: Partial<DecoderConfig> = {}): Decoder =>
  new Decoder({ ...small, vocab: 260, ...change }, key(5));

beforeAll(async () => {
  setBackend(referenceBackend());
  await savePretrained(make(), join(root, 'tiny'), { tokenizer: bpe, bosId: 0, eosIds: [0] });
  await savePretrained(make(), join(root, 'mute'));
});

/** A copy of the tiny model with files changed. */
function copy(name: string, files: Record<string, unknown>): string {
  const to = join(root, name);
  cpSync(join(root, 'tiny'), to, { recursive: true });
  for (const [file, value] of Object.entries(files)) {
    rmSync(join(to, file), { force: true });
    if (value !== null)
      writeFileSync(join(to, file), typeof value === 'string' ? value : JSON.stringify(value));
  }
  return to;
}

interface Printed {
  readonly ids: number[];
  readonly text: string;
  readonly promptTokens: number;
  readonly stop: string;
}

interface Golden {
  readonly prompt: string;
  readonly prompt_ids: number[];
  readonly ids: number[];
  readonly text: string;
}

describe('loretta generate --model', () => {
  const tiny = join(root, 'tiny');
  const words = ['--model', tiny, '--prompt', 'the sea', '--max-tokens', '6'];

  test('prints one line of JSON, or the same text', () => {
    const ended = loretta(...words, '--greedy', '--json');
    expect([ended.code, ended.err]).toEqual([0, '']);
    const { ids, text, promptTokens, stop } = JSON.parse(ended.out) as Printed;
    const prompt = [...bpe.encode('the sea')];
    expect([promptTokens, stop]).toEqual([prompt.length, 'length']);
    expect(ids.slice(0, promptTokens)).toEqual(prompt);
    expect(ids).toHaveLength(promptTokens + 6);
    // 260 ids in the model, 258 in the tokenizer
    expect(Math.max(...ids)).toBeLessThan(258);
    expect(text).toBe(bpe.decode(ids, { skipSpecial: true }));
    const plain = loretta(...words, '--greedy');
    expect([plain.code, plain.err, plain.out]).toEqual([0, '', `${text}\n`]);
  });

  test('samples by its seed and stops where the context ends', async () => {
    const run = async (...more: string[]): Promise<string> => {
      const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
      try {
        await generate.run(['--model', tiny, '--json', ...more]);
        return log.mock.calls.join();
      } finally {
        log.mockRestore();
      }
    };
    const sampled = ['--prompt', '', '--temperature', '2'];
    const one = await run(...sampled, '--seed', '1');
    expect(await run(...sampled, '--seed', '1', '--top-k', '999', '--top-p', '1')).toBe(one);
    expect(await run(...sampled, '--seed', '2')).not.toBe(one);
    const { ids, promptTokens, stop } = JSON.parse(one) as Printed;
    // an empty prompt is the beginning of a text
    expect([ids[0], promptTokens]).toEqual([0, 1]);
    expect(stop).toBe(ids.at(-1) === 0 ? 'end' : 'context');
    expect(ids.length).toBeLessThanOrEqual(small.maxLength + 1);
    const greedy = await run('--prompt', 'a', '--greedy');
    expect(await run('--prompt', 'a', '--top-k', '1')).toBe(greedy);
  });

  test.each<[string, readonly string[], RegExp]>([
    ['no prompt', ['--model', tiny], /--model needs --prompt TEXT/],
    ['no model', ['--prompt', 'x'], /--prompt needs --model DIR/],
    ['an option of a run', [...words, '--row', '1'], /--row is for a run: leave it out/],
    ['no tokens', [...words, '--max-tokens', '0'], /--max-tokens is 0: give an integer from 1/],
    ['half a token', [...words, '--max-tokens', '1.5'], /--max-tokens is '1.5': give an integer/],
    ['a cold word', [...words, '--temperature', 'cold'], /--temperature is 'cold': give a number/],
    ['a negative temperature', [...words, '--temperature=-1'], /--temperature is '-1': give a num/],
    ['two temperatures', [...words, '--greedy', '--temperature', '1'], /either --greedy or --temp/],
    ['no mass', [...words, '--top-p', '0'], /--top-p is '0': give a number above 0/],
    [
      'too much mass',
      [...words, '--top-p', '1.1'],
      /--top-p is '1.1': give a number above 0, up to 1/,
    ],
    ['nothing to choose from', [...words, '--top-k', '0'], /--top-k is 0/],
    ['a seed that is none', [...words, '--seed', 'x'], /--seed is 'x'/],
    ['a long prompt', ['--model', tiny, '--prompt', '0123456789abc'], /has 13 tokens: the model r/],
  ])('is used wrongly with %s', async (_, line, message) => {
    await expect(generate.run(line)).rejects.toThrow(message);
    await expect(generate.run(line)).rejects.toHaveProperty('name', 'UsageError');
  });

  test.each<[string, () => string, RegExp]>([
    ['no folder', () => join(root, 'nowhere'), /nowhere: there is no such folder: check the path$/],
    [
      'no tokenizer',
      () => join(root, 'mute'),
      /mute: there is no tokenizer.json, no vocab.json with merges/,
    ],
    [
      'a broken config.json',
      () => copy('broken', { 'config.json': '{' }),
      /broken\/config.json: not JSON$/,
    ],
    [
      'a model of another kind',
      () => copy('bert', { 'config.json': { model_type: 'bert' } }),
      /model_type 'bert' is not supported/,
    ],
    [
      'weights cut off',
      () => copy('cut', { 'model.safetensors': 'short' }),
      /model.safetensors: 5 bytes are too few/,
    ],
  ])('refuses %s', async (_, folder, message) => {
    const path = folder();
    await expect(generate.run(['--model', path, '--prompt', 'x'])).rejects.toThrow(message);
  });

  test('ends with 2 when it is used wrongly, with 1 when the model cannot be read', () => {
    const wrong = loretta('--model', 'tiny');
    expect(complaint(wrong)).toMatch(/--model needs --prompt TEXT/);
    expect(wrong.code).toBe(2);
    const unread = loretta('--model', 'nowhere', '--prompt', 'x');
    expect(complaint(unread)).toMatch(/nowhere: there is no such folder: check the path$/);
    expect(unread.code).toBe(1);
  });

  test('ends quietly when its reader has enough', async () => {
    const long = join(root, 'long');
    const model = make({ maxLength: 4000 });
    await savePretrained(model, long, { tokenizer: bpe });
    const line = ['generate', '--model', long, '--prompt', 'the', '--max-tokens', '3000'];
    const child = spawn(process.execPath, argv(...line), { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    child.stderr.on('data', (piece: Buffer) => {
      said += piece.toString();
    });
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await new Promise((done) => child.once('close', done))).toBe(0);
    expect(said).toBe('');
  });

  test.runIf(existsSync(shared))('tells the golden story of stories260K', () => {
    const folder = join(shared, 'models/stories260K');
    const { cases } = JSON.parse(readFileSync(join(folder, 'golden.json'), 'utf8')) as {
      cases: Golden[];
    };
    const line = (c: (typeof cases)[0]): string[] => {
      const most = String(c.ids.length - c.prompt_ids.length);
      return ['--model', folder, '--prompt', c.prompt, '--greedy', '--max-tokens', most];
    };
    const [, once, , , , hello] = cases as [never, Golden, never, never, never, Golden];
    const { out } = loretta(...line(hello), '--json');
    expect(JSON.parse(out)).toMatchObject({ ids: hello.ids, text: hello.text, stop: 'length' });
    expect(loretta(...line(once)).out).toBe(`${once.text}\n`);
  });
});

describe('loadLanguageModel', () => {
  const prefixOf = async (name: string, files: Record<string, unknown>): Promise<unknown> => {
    const { prefix, model } = await loadLanguageModel(copy(name, files));
    model.dispose();
    return prefix;
  };
  const json = bpe.toJSON();
  const template = (...ids: number[]): object => ({
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<end>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    special_tokens: { '<end>': { id: '<end>', ids, tokens: ['<end>'] } },
  });
  const processed = (post_processor: object): object => ({ ...json, post_processor });

  test('puts before a prompt what the template puts there', async () => {
    expect(await prefixOf('plain', {})).toEqual([]);
    expect(await prefixOf('bos', { 'tokenizer.json': processed(template(0)) })).toEqual([0]);
    const both = { type: 'Sequence', processors: [{ type: 'ByteLevel' }, template(0)] };
    expect(await prefixOf('both', { 'tokenizer.json': processed(both) })).toEqual([0]);
    const [on, off] = [true, false].map((add_bos_token) => ({ add_bos_token }));
    expect(await prefixOf('on', { 'tokenizer_config.json': on })).toEqual([0]);
    const told = { 'tokenizer.json': processed(template(0)), 'tokenizer_config.json': off };
    expect(await prefixOf('off', told)).toEqual([]);
  });

  test('reads the other files that tokenizers come in', async () => {
    const none = { 'tokenizer.json': null };
    const merges = ['#version: 0.2', ...bpe.merges.map((pair) => pair.join(' '))].join('\n');
    const vocab = json.model.vocab;
    const gpt2 = await loadLanguageModel(
      copy('gpt2-files', { ...none, 'vocab.json': vocab, 'merges.txt': merges }),
    );
    expect(gpt2.tokenizer.encode('the sea')).toEqual(bpe.encode('the sea'));
    const list = ['[UNK]', '[CLS]', 'the', 'sea'].join('\n');
    const bert = await loadLanguageModel(copy('bert-files', { ...none, 'vocab.txt': list }));
    expect([...bert.prefix, ...bert.tokenizer.encode('The sea')]).toEqual([1, 2, 3]);
    const cased = { do_lower_case: false };
    const files = { ...none, 'vocab.txt': list, 'tokenizer_config.json': cased };
    const { tokenizer } = await loadLanguageModel(copy('cased', files));
    expect([...tokenizer.encode('The sea')]).toEqual([0, 3]);
    const words = WordTokenizer.train(['the sea']).toJSON();
    const level = await loadLanguageModel(copy('words', { 'tokenizer.json': words }));
    expect(level.tokenizer.decode(level.tokenizer.encode('sea the'))).toBe('sea the');
  });

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['not JSON', { 'tokenizer.json': '{' }, /tokenizer.json: is not JSON$/],
    ['a number', { 'tokenizer.json': 7 }, /tokenizer.json: : Invalid input|expected object/],
    ['no model', { 'tokenizer.json': {} }, /tokenizer.json: model: /],
    ['Unigram', { 'tokenizer.json': { model: { type: 'Unigram' } } }, /type must be "BPE"/],
    ['a broken template', { 'tokenizer.json': processed(template(-1)) }, /special_tokens/],
    ['a word', { 'tokenizer_config.json': { add_bos_token: 'yes' } }, /add_bos_token: /],
    [
      'only a .model',
      { 'tokenizer.json': null, 'tokenizer.model': 'x' },
      /tokenizer.model is not re/,
    ],
    [
      'too many ids',
      { 'tokenizer.json': { ...json, added_tokens: [{ id: 300, content: '<pad>' }] } },
      /the tokenizer has 301 ids, the model 260: they do not belong together$/,
    ],
  ])('refuses a tokenizer that is %s', async (name, files, message) => {
    const folder = copy(`refused ${name}`, files);
    await expect(loadLanguageModel(folder)).rejects.toThrow(message);
    await expect(loadLanguageModel(folder)).rejects.toHaveProperty('name', 'DataError');
  });

  test('wants one tokenizer for a llama2.c model', async () => {
    const folder = join(root, 'llama2c');
    mkdirSync(folder);
    const sizes = [2, 2, 1, 1, 1, 3, 2];
    const floats = 3 * 2 + 2 + 4 * 4 + 2 + 3 * 4 + 2 + 2 * 2;
    const head = new Uint8Array(Int32Array.from(sizes).buffer);
    writeFileSync(join(folder, 'model.bin'), Buffer.concat([head, new Uint8Array(4 * floats)]));
    await expect(loadLanguageModel(folder)).rejects.toThrow(/there is no tokenizer.bin or tok/);
    for (const name of ['tok3.bin', 'tok4.bin']) writeFileSync(join(folder, name), 'x');
    await expect(loadLanguageModel(folder)).rejects.toThrow(/holds tok3.bin, tok4.bin: name the/);
    writeFileSync(join(folder, 'tokenizer.bin'), 'x');
    await expect(loadLanguageModel(folder)).rejects.toThrow(/tokenizer.bin: .*fewer than three/);
  });
});
