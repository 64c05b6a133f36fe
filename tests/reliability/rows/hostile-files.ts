/** Damaged files of every format: a typed error or a valid result, soon, and no change to any prototype. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { HostRandom } from '@loretta-ts/core';
import { DataError } from '@loretta-ts/loretta';
import {
  CheckpointError,
  decoderConfigFromHf,
  NpyError,
  parseNpy,
  parseSafetensors,
  SafetensorsError,
  serializeNpy,
  serializeSafetensors,
} from '@loretta-ts/nn';
import {
  BpeTokenizer,
  decodePng,
  decodeWav,
  encodePng,
  encodeWav,
  TokenizerError,
  WordPieceTokenizer,
  WordTokenizer,
} from '@loretta-ts/tokenizers';
import { parseIdxImages, parseIdxLabels } from '../../../packages/loretta/src/data/idx';
import { textCsv } from '../../../packages/loretta/src/data/node/textCsv';
import { idx } from '../../../packages/loretta/test/data-folder';
import { damageBytes, damageJson } from '../mutate';
import { eachCase, must, pick, type Row } from '../row';

const CORPUS = fileURLToPath(new URL('../../../../shared/conformance/stfiles/', import.meta.url));
const MILLISECONDS = 100;

/** A format: files that are good, and what reads them. */
interface Format {
  readonly name: string;
  readonly damage: (random: HostRandom) => string | Uint8Array;
  readonly read: (file: string | Uint8Array) => unknown;
  readonly refusals: readonly (abstract new (...args: never[]) => Error)[];
}

function binary(
  name: string,
  files: readonly Uint8Array[],
  read: (file: Uint8Array) => unknown,
  refusals: Format['refusals'],
): Format {
  return {
    name,
    damage: (random) => damageBytes(random, pick(random, files)),
    read: (file) => read(file as Uint8Array),
    refusals,
  };
}

function json(
  name: string,
  document: unknown,
  read: (file: string) => unknown,
  refusals: Format['refusals'],
): Format {
  const plain: unknown = JSON.parse(JSON.stringify(document));
  return {
    name,
    damage: (random) => damageJson(random, plain),
    read: (file) => read(file as string),
    refusals,
  };
}

/** A safetensors file with a damaged header of the right length. */
function withHeader(random: HostRandom, file: Uint8Array): Uint8Array {
  const length = Number(new DataView(file.buffer).getBigUint64(0, true));
  const header: unknown = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const text = new TextEncoder().encode(damageJson(random, header));
  const made = new Uint8Array(8 + text.length + file.length - 8 - length);
  new DataView(made.buffer).setBigUint64(0, BigInt(text.length), true);
  made.set(text, 8);
  made.set(file.subarray(8 + length), 8 + text.length);
  return made;
}

const llama = {
  ...{ model_type: 'llama', vocab_size: 5, hidden_size: 4, num_hidden_layers: 2 },
  ...{ num_attention_heads: 2, num_key_value_heads: 1, intermediate_size: 8 },
  ...{ max_position_embeddings: 8, rms_norm_eps: 1e-5, rope_theta: 10000, hidden_act: 'silu' },
  ...{ tie_word_embeddings: false, rope_scaling: null, eos_token_id: [2], bos_token_id: 1 },
};

const csv = 'label,description,split\n3,"a ""three"", quoted",train\n4,four\r\n5,"five\n5",test\n';

function formats(directory: string): readonly Format[] {
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
  const images = idx(2051, [3, 4, 4], new Uint8Array(48).fill(9));
  const labels = idx(2049, [4], [0, 9, 1, 2]);
  return [
    binary('safetensors', [st], parseSafetensors, [SafetensorsError]),
    {
      name: 'safetensors header',
      damage: (random) => withHeader(random, st),
      read: (file) => parseSafetensors(file as Uint8Array),
      refusals: [SafetensorsError],
    },
    binary('npy', [serializeNpy(tensors.get('a')!)], parseNpy, [NpyError]),
    binary('png', [encodePng(image)], (f) => decodePng(f), tokenizer),
    binary('idx images', [images], (f) => parseIdxImages(f, 'images'), [DataError]),
    binary('idx labels', [labels], (f) => parseIdxLabels(f, 'labels', 10), [DataError]),
    binary('csv', [new TextEncoder().encode(csv)], readCsv, [DataError]),
    binary('wav', [encodeWav(wave)], decodeWav, tokenizer),
    json('config.json', llama, (f) => decoderConfigFromHf(JSON.parse(f)), [
      CheckpointError,
      SyntaxError,
    ]),
    json('bpe', BpeTokenizer.train(words, { vocabSize: 262 }), BpeTokenizer.fromJSON, tokenizer),
    json('words', WordTokenizer.train(words, {}), WordTokenizer.fromJSON, tokenizer),
    json(
      'WordPiece',
      WordPieceTokenizer.fromVocab('[UNK]\n[CLS]\n[SEP]\na\n##b', { lowercase: true }),
      WordPieceTokenizer.fromJSON,
      tokenizer,
    ),
  ];
}

/** Own names of the prototypes that a hostile key could reach. */
function prototypes(): string {
  return [Object.prototype, Array.prototype, Function.prototype, Map.prototype]
    .map((p) => Reflect.ownKeys(p).map(String).join())
    .join(';');
}

/** Reads a file; true when it was refused. Throws when it fails in any other way, or takes too long. */
function readOne({ name, read, refusals }: Format, file: string | Uint8Array): boolean {
  const once = (): { ms: number; error: unknown } => {
    const before = process.cpuUsage();
    let error: unknown = null;
    try {
      read(file);
    } catch (e) {
      error = e ?? 'nothing was thrown';
    }
    const { user, system } = process.cpuUsage(before);
    return { ms: (user + system) / 1000, error };
  };
  const { ms, error } = once();
  const shown = (): string =>
    `${name}: ${typeof file === 'string' ? file.slice(0, 2000) : Buffer.from(file.subarray(0, 2000)).toString('base64')}`;
  if (error !== null) {
    must(
      refusals.some((kind) => error instanceof kind),
      () => `${error instanceof Error ? error.stack : String(error)}\n${shown()}`,
    );
  }
  // the better of three: compiling and collecting are not the file's doing
  const slow = ms > MILLISECONDS ? Math.min(ms, once().ms, once().ms) : ms;
  must(slow <= MILLISECONDS, () => `took ${slow} ms; ${shown()}`);
  return error !== null;
}

export const hostileFiles: Row = {
  name: 'hostile-files',
  holds: 'a damaged file is refused by a typed error or read, within 100 ms, prototypes clean',
  ci: 50_000,
  release: 2_000_000,
  async check(runs, seed, report) {
    const directory = mkdtempSync(join(tmpdir(), 'loretta-hostile-'));
    const clean = prototypes();
    let refused = 0;
    try {
      const all = formats(directory);
      if (report.only === null && existsSync(CORPUS)) {
        const corpus = readdirSync(CORPUS).map((name) => readFileSync(join(CORPUS, name)));
        for (const bytes of corpus) readOne(all[0]!, new Uint8Array(bytes));
        report.note('corpus', corpus.length);
      }
      await eachCase(runs, seed, report, (random) => {
        const format = pick(random, all);
        if (readOne(format, format.damage(random))) refused++;
        must(prototypes() === clean, () => `${format.name} changed a prototype`);
      });
    } finally {
      rmSync(directory, { recursive: true });
    }
    report.note('refused', refused);
  },
};
