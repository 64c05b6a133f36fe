/** Every file format that is read, with good files of it, their damage, and what refuses it. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import type { HostRandom } from '@loretta-ts/core';
import { DataError } from '@loretta-ts/loretta';
import {
  CheckpointError,
  decoderConfigFromHf,
  decoderFromLlama2c,
  NpyError,
  parseNpy,
  parseSafetensors,
  SafetensorsError,
  serializeNpy,
  serializeSafetensors,
} from '@loretta-ts/nn';
import {
  BpeTokenizer,
  ByteFallbackBpe,
  decodePng,
  decodeWav,
  encodePng,
  encodeWav,
  type TextTokenizer,
  TokenizerError,
  WordPieceTokenizer,
  WordTokenizer,
} from '@loretta-ts/tokenizers';
import { parseIdxImages, parseIdxLabels } from '../../packages/loretta/src/data/idx';
import { textCsv } from '../../packages/loretta/src/data/node/textCsv';
import { idx } from '../../packages/loretta/test/data-folder';
import { damageBytes, damageFields, damageJson, type NumberField } from './mutate';
import { pick } from './row';
import { fallbackJson, gpt2Files, llama2cTokenizer } from './vocabularies';

type Refusals = readonly (abstract new (...args: never[]) => Error)[];

/** A format: damage of good files, and what reads them. */
export interface Format {
  readonly name: string;
  readonly damage: (random: HostRandom) => string | Uint8Array;
  readonly read: (file: string | Uint8Array) => unknown;
  readonly refusals: Refusals;
}

function binary(
  name: string,
  files: readonly Uint8Array[],
  read: (file: Uint8Array) => unknown,
  refusals: Refusals,
  fields: readonly NumberField[] = [],
): Format {
  return {
    name,
    damage: (random) => {
      const structural = fields.length > 0 && random.int(2) === 0;
      return structural
        ? damageFields(random, files[0]!, fields)
        : damageBytes(random, pick(random, files));
    },
    read: (file) => read(file as Uint8Array),
    refusals,
  };
}

function json(
  name: string,
  document: unknown,
  read: (file: string) => unknown,
  refusals: Refusals,
): Format {
  const plain: unknown = JSON.parse(JSON.stringify(document));
  return {
    name,
    damage: (random) => damageJson(random, plain),
    read: (file) => read(file as string),
    refusals,
  };
}

/** A tokenizer that loads also reads a text. */
function tokens(
  name: string,
  document: unknown,
  load: (file: string) => TextTokenizer,
  refusals: Refusals = [TokenizerError],
): Format {
  return json(name, document, (file) => used(load(file)), refusals);
}

function used(tokenizer: TextTokenizer): string {
  return tokenizer.decode(tokenizer.encode('the cat  sat aaaa ▁ 🙂 é <s>\n'));
}

/** A safetensors file with a damaged header of the right length. */
export function withHeader(random: HostRandom, file: Uint8Array): Uint8Array {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header: unknown = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const text = new TextEncoder().encode(damageJson(random, header));
  const made = new Uint8Array(8 + text.length + file.length - 8 - length);
  new DataView(made.buffer).setBigUint64(0, BigInt(text.length), true);
  made.set(text, 8);
  made.set(file.subarray(8 + length), 8 + text.length);
  return made;
}

/** A PNG file with a damaged header that has the right sum. */
function withIhdr(random: HostRandom, file: Uint8Array): Uint8Array {
  const fields = [16, 20].map((at) => ({ at, bytes: 4, big: true }) as const);
  const bytes = [24, 25, 26, 27, 28].map((at) => ({ at, bytes: 1 }) as const);
  const made = damageFields(random, file, [...fields, ...fields, ...bytes]);
  new DataView(made.buffer).setUint32(29, crc32(made.subarray(12, 29)));
  return made;
}

/** A .npy file whose header, of the right length, has other numbers and words. */
function withNpyHeader(random: HostRandom, file: Uint8Array): Uint8Array {
  const length = new DataView(file.buffer, file.byteOffset).getUint16(8, true);
  const header = new TextDecoder().decode(file.subarray(10, 10 + length)).trimEnd();
  const parts = header.split(/(\d+|'[^']*'|False|[(){},:])/);
  const words = ['0', '1', '2147483648', '9007199254740993', '-1', '1e9', 'True', "'<f8'", "'|O'"];
  parts[random.int(parts.length)] = pick(random, [...words, '', '(', ')', ',', '(99999999, 9)']);
  const text = new TextEncoder().encode(`${parts.join('').padEnd(length - 1)}\n`);
  const head = Uint8Array.from(file.subarray(0, 10));
  new DataView(head.buffer).setUint16(8, text.length, true);
  return new Uint8Array(Buffer.concat([head, text, file.subarray(10 + length)]));
}

const int32s = (count: number, from = 0, big = false): NumberField[] =>
  Array.from({ length: count }, (_, i) => ({ at: from + 4 * i, bytes: 4, big }));

/** A checkpoint of llama2.c: 7 sizes, then numbers. */
function llama2cModel(): Uint8Array {
  const [dim, ff, layers, heads, kv, vocab, length] = [4, 6, 2, 2, 1, 5, 4];
  const perLayer = 2 * dim + 2 * dim * dim + 2 * dim * (dim / 2) + 3 * dim * ff;
  const floats = vocab * dim + layers * perLayer + dim + (length * dim) / heads;
  const file = new Uint8Array(28 + 4 * floats);
  const view = new DataView(file.buffer);
  [dim, ff, layers, heads, kv, vocab, length].forEach((n, i) => {
    view.setInt32(4 * i, n, true);
  });
  for (let i = 0; i < floats; i++) view.setFloat32(28 + 4 * i, Math.sin(i), true);
  return file;
}

/** Where the entries of a tokenizer of llama2.c have their lengths and scores. */
function llama2cFields(file: Uint8Array): NumberField[] {
  const view = new DataView(file.buffer);
  const fields: NumberField[] = [];
  for (let at = 4; at < file.length; at += 8 + view.getInt32(at + 4, true)) {
    fields.push({ at, bytes: 4 }, { at: at + 4, bytes: 4 });
  }
  return fields;
}

/** Where the numbers of a WAV file stand. */
const WAV_FIELDS: readonly NumberField[] = [
  ...[4, 16, 24, 28, 40].map((at) => ({ at, bytes: 4 }) as const),
  ...[20, 22, 32, 34].map((at) => ({ at, bytes: 2 }) as const),
];

const llama = {
  ...{ model_type: 'llama', vocab_size: 5, hidden_size: 4, num_hidden_layers: 2 },
  ...{ num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 8 },
  ...{ max_position_embeddings: 8, rms_norm_eps: 1e-5, rope_theta: 10000, hidden_act: 'silu' },
  ...{ tie_word_embeddings: false, rope_scaling: null, eos_token_id: [2], bos_token_id: 1 },
};

const csv = 'label,description,split\n3,"a ""three"", quoted",train\n4,four\r\n5,"five\n5",test\n';

/** The formats that are read from memory, and CSV from a file in `directory`; `corpus` holds safetensors files. */
export function formats(directory: string, corpus: readonly Uint8Array[]): readonly Format[] {
  const tensors = new Map([
    ['a', { dtype: 'F32' as const, shape: [2, 3], data: new Float32Array(6).fill(1.5) }],
    ['b', { dtype: 'I32' as const, shape: [], data: Int32Array.of(7) }],
  ]);
  const st = serializeSafetensors(tensors, { version: '1' });
  const wave = {
    sampleRate: 8000,
    samples: Float32Array.from({ length: 200 }, (_, t) => Math.sin(t)),
  };
  const image = { width: 9, height: 7, channels: 3, data: new Uint8Array(189).fill(77) } as const;
  const words = ['abab abab cat sat'];
  const tokenizer = [TokenizerError];
  const path = join(directory, 'texts.csv');
  const readCsv = (file: Uint8Array): unknown => {
    writeFileSync(path, file);
    return textCsv(path);
  };
  const npy = serializeNpy(tensors.get('a')!);
  const png = encodePng(image);
  const bpe = BpeTokenizer.train(words, { vocabSize: 262 });
  const gpt2 = gpt2Files(bpe);
  const bin = llama2cTokenizer();
  const images = idx(2051, [3, 4, 4], new Uint8Array(48).fill(9));
  const labels = idx(2049, [4], [0, 9, 1, 2]);
  return [
    binary('safetensors', [st, ...corpus], parseSafetensors, [SafetensorsError], int32s(2)),
    {
      name: 'safetensors header',
      damage: (random) => withHeader(random, st),
      read: (file) => parseSafetensors(file as Uint8Array),
      refusals: [SafetensorsError],
    },
    binary('npy', [npy], parseNpy, [NpyError], [{ at: 8, bytes: 2 }]),
    { ...binary('npy header', [npy], parseNpy, [NpyError]), damage: (r) => withNpyHeader(r, npy) },
    binary('png', [png], (f) => decodePng(f), tokenizer),
    {
      ...binary('png header', [png], (f) => decodePng(f), tokenizer),
      damage: (r) => withIhdr(r, png),
    },
    binary(
      'idx images',
      [images],
      (f) => parseIdxImages(f, 'images'),
      [DataError],
      int32s(4, 0, true),
    ),
    binary(
      'idx labels',
      [labels],
      (f) => parseIdxLabels(f, 'labels', 10),
      [DataError],
      int32s(2, 0, true),
    ),
    binary('csv', [new TextEncoder().encode(csv)], readCsv, [DataError]),
    binary('wav', [encodeWav(wave)], decodeWav, tokenizer, WAV_FIELDS),
    binary(
      'llama2.c',
      [llama2cModel()],
      (f) => decoderFromLlama2c(f).dispose(),
      [CheckpointError],
      int32s(7),
    ),
    binary(
      'llama2.c tokenizer',
      [bin],
      (f) => used(ByteFallbackBpe.fromLlama2c(f)),
      tokenizer,
      llama2cFields(bin),
    ),
    tokens('byte fallback', fallbackJson, ByteFallbackBpe.fromJSON),
    tokens('vocab.json', gpt2.vocab, (f) => BpeTokenizer.fromVocabAndMerges(f, gpt2.merges)),
    binary(
      'merges.txt',
      [new TextEncoder().encode(gpt2.merges)],
      (f) => used(BpeTokenizer.fromVocabAndMerges(gpt2.vocab, new TextDecoder().decode(f))),
      tokenizer,
    ),
    json('config.json', llama, (f) => decoderConfigFromHf(JSON.parse(f)), [
      CheckpointError,
      SyntaxError,
    ]),
    tokens('bpe', bpe, BpeTokenizer.fromJSON),
    tokens('words', WordTokenizer.train(words, {}), WordTokenizer.fromJSON),
    tokens(
      'WordPiece',
      WordPieceTokenizer.fromVocab('[UNK]\n[CLS]\n[SEP]\na\n##b', { lowercase: true }),
      WordPieceTokenizer.fromJSON,
    ),
  ];
}
