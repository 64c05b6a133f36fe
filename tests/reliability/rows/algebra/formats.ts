/** What is saved is loaded, and what is encoded is decoded: files, state, tokens. */
import { type HostRandom, key, type Tensor } from '@loretta-ts/core';
import {
  Decoder,
  type FileDType,
  type HostTensor,
  Linear,
  type MixerKind,
  parseNpy,
  parseSafetensors,
  serializeNpy,
  serializeSafetensors,
} from '@loretta-ts/nn';
import {
  BpeTokenizer,
  ByteTokenizer,
  decodePng,
  decodeWav,
  encodePng,
  encodeWav,
  type Image,
  MuLawTokenizer,
  PatchTokenizer,
  PixelTokenizer,
  WordPieceTokenizer,
  WordTokenizer,
} from '@loretta-ts/tokenizers';
import * as fc from 'fast-check';
import { randomConfig } from '../../decoders';
import { values } from '../../draw';
import { must } from '../../row';
import { type Law, law, lawOf, same } from './law';

const ARRAYS = {
  F64: Float64Array,
  F32: Float32Array,
  I64: BigInt64Array,
  I32: Int32Array,
  I16: Int16Array,
  I8: Int8Array,
  U64: BigUint64Array,
  U32: Uint32Array,
  U16: Uint16Array,
  U8: Uint8Array,
} as const;
const DTYPES = Object.keys(ARRAYS) as (keyof typeof ARRAYS)[];

function bytesOf({ data }: HostTensor): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function sameBytes(got: Uint8Array, want: Uint8Array, what: string): void {
  must(Buffer.compare(got, want) === 0, () => `${what}: the bytes are others`);
}

/** Any bits at all: NaN with a payload, denormals, −0. */
function anyTensor(random: HostRandom, dtype: keyof typeof ARRAYS, shape: number[]): HostTensor {
  const n = shape.reduce((a, b) => a * b, 1);
  const bytes = Uint8Array.from({ length: n * ARRAYS[dtype].BYTES_PER_ELEMENT }, () =>
    random.int(256),
  );
  return { dtype: dtype as FileDType, shape, data: new ARRAYS[dtype](bytes.buffer) };
}

function sameTensor(got: HostTensor | undefined, want: HostTensor): void {
  must(got !== undefined, () => 'it is not there');
  must(got!.dtype === want.dtype, () => `it is ${got!.dtype}, not ${want.dtype}`);
  must(got!.shape.join() === want.shape.join(), () => `it is [${got!.shape.join()}]`);
  sameBytes(bytesOf(got!), bytesOf(want), want.dtype);
}

const kind = { kind: [0, DTYPES.length - 1], m: [0, 3], n: [0, 4] } as const;

const name = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 });

const files: readonly Law[] = [
  law('npy: parse(serialize(x)) is x, to the bit', kind, ({ kind: k, m, n }, random) => {
    const tensor = anyTensor(random, DTYPES[k]!, [m, n].slice(0, random.int(3)));
    sameTensor(parseNpy(serializeNpy(tensor)), tensor);
  }),
  law('safetensors: parse(serialize(x)) is x, to the bit', kind, ({ kind: k, m, n }, random) => {
    const tensors = new Map([
      ['a', anyTensor(random, DTYPES[k]!, [m, n])],
      ['b', anyTensor(random, DTYPES[random.int(DTYPES.length)]!, [n])],
    ]);
    const file = serializeSafetensors(tensors, { k: String(k) });
    const { tensors: back, metadata } = parseSafetensors(file);
    must(back.size === 2, () => `${back.size} tensors are there`);
    for (const [path, tensor] of tensors) sameTensor(back.get(path), tensor);
    must(metadata.get('k') === String(k), () => 'the metadata is another');
    sameBytes(serializeSafetensors(back, Object.fromEntries(metadata)), file, 'written again');
  }),
  lawOf(
    'safetensors keeps any names and metadata',
    fc.tuple(
      fc.uniqueArray(name, { maxLength: 4 }),
      fc.dictionary(name, fc.string(), { maxKeys: 3 }),
    ),
    ([names, given]) => {
      const metadata = Object.fromEntries(Object.entries(given));
      const tensors = new Map(
        names
          .filter((path) => path !== '__metadata__')
          .map((path, i) => [path, { dtype: 'I32' as const, shape: [1], data: Int32Array.of(i) }]),
      );
      const back = parseSafetensors(serializeSafetensors(tensors, metadata));
      must(
        [...back.tensors.keys()].sort().join('\n') === [...tensors.keys()].sort().join('\n'),
        () => {
          return `names ${JSON.stringify([...back.tensors.keys()])}`;
        },
      );
      for (const [path, tensor] of tensors) sameTensor(back.tensors.get(path), tensor);
      must(back.metadata.size === Object.keys(metadata).length, () => 'metadata is missing');
      for (const [k, v] of Object.entries(metadata)) {
        must(back.metadata.get(k) === v, () => `metadata ${k} is ${back.metadata.get(k)}`);
      }
    },
  ),
  law('state of a layer goes into another one', { m: [1, 4], n: [1, 4] }, ({ m, n }, random) => {
    const make = (seed: number): Linear =>
      new Linear(m, n, { key: key(seed), bias: true, dtype: 'f64' });
    const [a, b] = [make(1), make(2)];
    b.loadStateDict(a.stateDict());
    const x = values(random, [2, m]);
    same(b.forward(x), a.forward(x));
    for (const module of [a, b]) module.dispose();
  }),
  law('state of any decoder survives a file', { mixer: [0, 2] }, ({ mixer }, random) => {
    const mixers: readonly MixerKind[] = ['attention', 'mamba', 'hyena'];
    const config = randomConfig(random, mixers[mixer]!, 'f64', 8);
    const [a, b] = [new Decoder(config, key(random.int(2 ** 30))), new Decoder(config, null)];
    const host = (t: Tensor): HostTensor => ({
      dtype: 'F64',
      shape: t.shape,
      data: Float64Array.from(t.dataSync()),
    });
    const state = new Map([...a.stateDict()].map(([path, t]) => [path, host(t)]));
    b.loadStateDict(parseSafetensors(serializeSafetensors(state)).tensors);
    const loaded = b.stateDict();
    for (const [path, t] of a.stateDict()) same(loaded.get(path)!, t);
    for (const model of [a, b]) model.dispose();
  }),
];

const corpus = ['the cat sat on the mat, naïve café — 日本語 🙂', 'a b c aa bb  cc'];
const bytes = new ByteTokenizer();
const bpe = BpeTokenizer.train(corpus, { vocabSize: 300 });
const words = WordTokenizer.train(corpus);
const pieces = WordPieceTokenizer.fromVocab(
  ['[UNK]', '[CLS]', '[SEP]', 'the', 'cat', 'a', 'b', '##a', '##b', '!', '日'].join('\n'),
  { lowercase: true },
);
const text = fc.string({ unit: 'binary', maxLength: 24 });

function expectText(got: string, want: string): void {
  must(got === want, () => `${JSON.stringify(got)} is not ${JSON.stringify(want)}`);
}

function imageOf(random: HostRandom, width: number, height: number, channels: number): Image {
  const data = Uint8Array.from({ length: width * height * channels }, () => random.int(256));
  return { width, height, channels, data };
}

const image = { w: [1, 4], h: [1, 4], c: [1, 4] } as const;

const tokens: readonly Law[] = [
  lawOf('bytes: decode(encode(x)) is x', fc.uint8Array({ maxLength: 24 }), (given) => {
    sameBytes(bytes.decode(bytes.encode(given)), given, 'decoded');
  }),
  lawOf('BPE: decode(encode(s)) is s', text, (s) => {
    expectText(bpe.decode(bpe.encode(s)), s);
  }),
  lawOf('BPE written as JSON and read encodes alike', text, (s) => {
    const again = BpeTokenizer.fromJSON(JSON.parse(bpeJson));
    must(again.encode(s).join() === bpe.encode(s).join(), () => `of ${JSON.stringify(s)}`);
  }),
  lawOf('words: what is decoded is kept', text, (s) => {
    const once = words.decode(words.encode(s));
    expectText(words.decode(words.encode(once)), once);
  }),
  lawOf('WordPiece: what is decoded is kept', text, (s) => {
    const once = pieces.decode(pieces.encode(s), { skipSpecial: true });
    expectText(pieces.decode(pieces.encode(once), { skipSpecial: true }), once);
  }),
  law('µ-law: encode(decode(ids)) is ids', { levels: [2, 4096], n: [0, 9] }, (sizes, random) => {
    const tokenizer = new MuLawTokenizer({ levels: sizes.levels });
    const given = Int32Array.from({ length: sizes.n }, () => random.int(sizes.levels));
    const back = tokenizer.encode(tokenizer.decode(given));
    must(back.join() === given.join(), () => `${back.join()} is not ${given.join()}`);
  }),
  law('pixels of 256 levels: decode(encode(x)) is x', image, ({ w, h, c }, random) => {
    const tokenizer = new PixelTokenizer({ width: w, height: h, channels: c, levels: 256 });
    const given = imageOf(random, w, h, c);
    sameBytes(tokenizer.decode(tokenizer.encode(given)).data, given.data, 'decoded');
  }),
  law(
    'pixels of any levels: encode(decode(ids)) is ids',
    { ...image, levels: [2, 256] },
    (s, random) => {
      const shape = { width: s.w, height: s.h, channels: s.c };
      const tokenizer = new PixelTokenizer({ ...shape, levels: s.levels });
      const given = Int32Array.from({ length: tokenizer.length }, () => random.int(s.levels));
      const back = tokenizer.encode(tokenizer.decode(given));
      must(back.join() === given.join(), () => `${back.join()} is not ${given.join()}`);
    },
  ),
  law(
    'patches: decode(encode(x)) is x',
    { ...image, patch: [1, 3] },
    ({ w, h, c, patch }, random) => {
      const shape = { width: w * patch, height: h * patch, channels: c };
      const tokenizer = new PatchTokenizer({ ...shape, patch, levels: 256 });
      const given = imageOf(random, shape.width, shape.height, c);
      sameBytes(tokenizer.decode(tokenizer.encode(given)).data, given.data, 'decoded');
    },
  ),
  law('PNG: decode(encode(x)) is x', image, ({ w, h, c }, random) => {
    const given = imageOf(random, w, h, c);
    const back = decodePng(encodePng(given));
    sameBytes(back.data, given.data, 'decoded');
  }),
  law('WAV: decode(encode(x)) is x on its 16-bit grid', { n: [1, 20] }, ({ n }, random) => {
    const samples = Float32Array.from({ length: n }, () => (random.int(65536) - 32768) / 32768);
    const back = decodeWav(encodeWav({ sampleRate: 8000, samples }));
    must(back.samples.join() === samples.join(), () => `${back.samples.join()}`);
  }),
];

const bpeJson = JSON.stringify(bpe.toJSON());

export const formats: readonly Law[] = [...files, ...tokens];
