import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BpeTokenizer,
  ByteFallbackBpe,
  MfccCodebook,
  MfccValueTokenizer,
  PatchCodebook,
  TokenizerError,
  WordPieceTokenizer,
  WordTokenizer,
} from '../src/index';

fc.configureGlobal({ seed: 20240604, numRuns: 150 });

type Json = Record<string, unknown>;

const bytes = Array.from({ length: 256 }, (_, b) => {
  return `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`;
});
const fallbackVocab = ['<unk>', '<s>', ...bytes, '▁', 'a', 'b', '▁a', 'ab', '▁ab', '▁▁'];

const fallback: Json = {
  version: '1.0',
  added_tokens: [
    { id: 0, content: '<unk>', special: true },
    { id: 1, content: '<s>', special: true },
  ],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(fallbackVocab.map((token, id) => [token, id])),
    merges: ['a b', '▁ ab', '▁ a', '▁ ▁'],
  },
};

function clone(json: unknown): Json {
  return JSON.parse(JSON.stringify(json)) as Json;
}

/** Every loader with a good file. */
const loaders: readonly (readonly [string, (json: unknown) => unknown, () => Json])[] = [
  [
    'BpeTokenizer',
    BpeTokenizer.fromJSON,
    () => clone(BpeTokenizer.train(['abab abab'], { vocabSize: 260, specialTokens: ['<s>'] })),
  ],
  ['ByteFallbackBpe', ByteFallbackBpe.fromJSON, () => clone(fallback)],
  ['WordTokenizer', WordTokenizer.fromJSON, () => clone(WordTokenizer.train(['a b c'], {}))],
  [
    'WordPieceTokenizer',
    WordPieceTokenizer.fromJSON,
    () => clone(WordPieceTokenizer.fromVocab('[UNK]\n[CLS]\n[SEP]\na\n##b', { lowercase: true })),
  ],
  [
    'PatchCodebook',
    PatchCodebook.fromJSON,
    () =>
      clone(new PatchCodebook({ width: 4, height: 4, channels: 1 }, 2, new Uint8Array(8).fill(3))),
  ],
  [
    'MfccCodebook',
    MfccCodebook.fromJSON,
    () => clone(new MfccCodebook(4, Float32Array.of(1, 2), Float32Array.of(1, 2, 3, 4))),
  ],
  [
    'MfccValueTokenizer',
    MfccValueTokenizer.fromJSON,
    () => clone(new MfccValueTokenizer({ frames: 2, coefficients: 3 })),
  ],
];

/** Paths to every value of a JSON document. */
function paths(value: unknown): string[][] {
  if (typeof value !== 'object' || value === null) return [[]];
  return [
    [],
    ...Object.entries(value).flatMap(([key, inner]) => paths(inner).map((path) => [key, ...path])),
  ];
}

function replaceAt(json: unknown, path: readonly string[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const copy: unknown = Array.isArray(json) ? [...json] : { ...(json as Json) };
  Reflect.set(copy as object, key, replaceAt(Reflect.get(json as object, key), rest, value));
  return copy;
}

describe.each(loaders)('%s.fromJSON', (_, load, good) => {
  test('reads a good file, parsed or as text', () => {
    load(good());
    load(JSON.stringify(good()));
  });

  test('any value replaced by rubbish: loads or throws a one-line TokenizerError', () => {
    const json = good();
    const all = paths(json);
    const rubbish = fc.oneof(
      fc.constantFrom(
        null,
        undefined,
        -1,
        0.5,
        1e300,
        Number.NaN,
        '',
        '\n',
        [],
        {},
        true,
        '__proto__',
      ),
      fc.jsonValue({ maxDepth: 2 }),
    );
    fc.assert(
      fc.property(fc.nat({ max: all.length - 1 }), rubbish, (at, value) => {
        try {
          load(replaceAt(json, all[at]!, value));
        } catch (error) {
          expect(error).toBeInstanceOf(TokenizerError);
          expect((error as Error).message).not.toContain('\n');
        }
      }),
    );
  });

  test('a file without its parts is refused', () => {
    for (const json of [null, undefined, 7, [], {}, '', '[1]', { model: null }, { model: {} }]) {
      expect(() => load(json)).toThrow(TokenizerError);
    }
  });
});

describe('tokenizer.json', () => {
  test('tokens named like object internals are ordinary', () => {
    const names = ['__proto__', 'constructor', 'toString', 'hasOwnProperty'];
    const tokenizer = WordTokenizer.train([names.join(' ')], {});
    const again = WordTokenizer.fromJSON(JSON.stringify(tokenizer));
    expect(again.decode(again.encode(names.join(' ')))).toBe(names.join(' '));
    expect([...again.encode('valueOf')]).toEqual([again.unknownId]);
    expect(({} as Json)['polluted']).toBeUndefined();
    const inherited = Object.create({ type: 'WordLevel', vocab: { a: 0 }, unk_token: 'a' });
    expect(() => WordTokenizer.fromJSON({ model: inherited })).toThrow(
      'WordTokenizer.fromJSON: type must be "WordLevel", got undefined',
    );
  });

  const bpe = (change: Json): (() => unknown) => {
    const json = clone(BpeTokenizer.train(['abab abab'], { vocabSize: 258 }));
    const model = { ...(json['model'] as Json), ...change };
    return () => BpeTokenizer.fromJSON({ ...json, model });
  };

  test.each<[string, () => unknown, string]>([
    ['an id twice', bpe({ vocab: { a: 0, b: 0 } }), 'id 0 is both "a" and "b"'],
    ['a huge id', bpe({ vocab: { a: 2 ** 40 } }), 'id of "a" must be an integer in [0, 16777215]'],
    ['a merge without token', bpe({ merges: ['a q'] }), 'merge 0 ("a" "q"): "aq" is not in the'],
    ['a merge of three', bpe({ merges: ['a b c'] }), 'merges[0] must be two tokens, got "a b c"'],
    ['dropout', bpe({ dropout: 0.1 }), 'model.dropout 0.1 is not supported'],
    ['a suffix', bpe({ end_of_word_suffix: '</w>' }), 'model.end_of_word_suffix "</w>" is not'],
    ['byte fallback', bpe({ byte_fallback: true }), 'use ByteFallbackBpe.fromJSON'],
    ['another model', bpe({ type: 'Unigram' }), 'type must be "BPE", got "Unigram"'],
  ])('%s is refused by name', (_, load, message) => {
    expect(load).toThrow(message);
    expect(load).toThrow(TokenizerError);
  });

  test('what is not supported is refused, not ignored', () => {
    const json = clone(BpeTokenizer.train([''], { vocabSize: 256 }));
    const refuse = (change: Json): void => {
      expect(() => BpeTokenizer.fromJSON({ ...json, ...change })).toThrow(TokenizerError);
    };
    refuse({ normalizer: { type: 'NFC' } });
    refuse({ pre_tokenizer: { type: 'Whitespace' } });
    refuse({ pre_tokenizer: { type: 'ByteLevel', use_regex: false } });
    refuse({ added_tokens: [{ id: 300, content: 'x', single_word: true }] });
    refuse({ added_tokens: [{ id: 5, content: 'a' }] });
    refuse({ added_tokens: [{ id: 300, content: '' }] });
  });

  test('GPT-2 files: malformed lines and missing special tokens are refused', () => {
    const load = BpeTokenizer.fromVocabAndMerges;
    const vocab = { a: 0, b: 1, ab: 2 };
    expect([...load(vocab, '#version: 0.2\r\na b\r\n').encode('ab')]).toEqual([2]);
    expect(() => load(vocab, 'a')).toThrow('merges: "a" is not two tokens');
    expect(() => load(vocab, 'b a')).toThrow('"ba" is not in the vocabulary');
    expect(() => load('{', '')).toThrow('vocab is not valid JSON');
    expect(() => load(vocab, '', { specialTokens: ['<s>'] })).toThrow(
      'special token "<s>" is not in the vocabulary',
    );
  });
});

describe('byte fallback', () => {
  const tokenizer = ByteFallbackBpe.fromJSON(fallback);
  const id = (token: string): number => fallbackVocab.indexOf(token);

  test('by hand: prefix, merges over spaces, bytes', () => {
    expect([...tokenizer.encode('')]).toEqual([]);
    expect([...tokenizer.encode('ab')]).toEqual([id('▁ab')]);
    expect([...tokenizer.encode(' a')]).toEqual([id('▁'), id('▁a')]);
    expect([...tokenizer.encode('é')]).toEqual([id('▁'), id('<0xC3>'), id('<0xA9>')]);
    expect([...tokenizer.encode('a<s>b', { special: true })]).toEqual([
      id('▁a'),
      1,
      id('▁'),
      id('b'),
    ]);
    expect(tokenizer.decode([1, id('▁ab'), id('<0xC3>')], { skipSpecial: true })).toBe('ab\ufffd');
  });

  test('is lossless, but for ▁ itself', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 20 }), fc.nat({ max: 3 }), (s, n) => {
        const text = `${' '.repeat(n)}ab ${s.replaceAll('▁', '_')}`;
        expect(tokenizer.decode(tokenizer.encode(text))).toBe(text);
      }),
    );
  });

  test('the Metaspace form of newer files is the same tokenizer', () => {
    const metaspace = (prepend_scheme: string): ByteFallbackBpe =>
      ByteFallbackBpe.fromJSON({
        ...fallback,
        normalizer: null,
        pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme, split: false },
      });
    expect(metaspace('always').encode('ab a')).toEqual(tokenizer.encode('ab a'));
    expect([...metaspace('never').encode('ab')]).toEqual([id('ab')]);
    expect([...metaspace('first').encode('<s>ab', { special: true })]).toEqual([1, id('ab')]);
    expect(() => metaspace('sometimes')).toThrow('prepend_scheme "sometimes" is not supported');
  });

  test('without bytes a character is unknown, neighbours fused', () => {
    const model = clone(fallback['model']);
    const vocab = Object.fromEntries(['<unk>', '▁', 'a', '<s>'].map((token, i) => [token, i]));
    const load = (change: Json): ByteFallbackBpe =>
      ByteFallbackBpe.fromJSON({
        ...fallback,
        added_tokens: [],
        model: { ...model, vocab, merges: [], ...change },
      });
    expect([...load({}).encode('azqa')]).toEqual([1, 2, 0, 2]);
    expect([...load({ fuse_unk: false }).encode('azqa')]).toEqual([1, 2, 0, 0, 2]);
    expect(() => load({ unk_token: null }).encode('z')).toThrow(
      'ByteFallbackBpe.encode: no token for "z"',
    );
  });

  const llamaTokens = ['<unk>', '\n<s>\n', '\n</s>\n', ...bytes, ' ', 'a', ' a', 'b', 'ab'];
  const llamaParts = (tokens: readonly string[], score = (id: number): number => -id) =>
    tokens.map((token, i) => {
      const text = new TextEncoder().encode(token);
      const entry = new Uint8Array(8 + text.length);
      const view = new DataView(entry.buffer);
      view.setFloat32(0, score(i), true);
      view.setInt32(4, text.length, true);
      entry.set(text, 8);
      return entry;
    });
  const llamaFile = (parts: readonly Uint8Array[]): Uint8Array =>
    new Uint8Array(Buffer.concat([Uint8Array.of(7, 0, 0, 0), ...parts]));

  test('llama2.c files: a score that is not a number is refused', () => {
    const file = llamaFile(llamaParts(llamaTokens, (id) => (id === 260 ? Number.NaN : -id)));
    expect(() => ByteFallbackBpe.fromLlama2c(file)).toThrow(
      /^ByteFallbackBpe.fromLlama2c: the score of token 260 is not a number$/,
    );
  });

  test('llama2.c files: a token of any length is read in time in proportion', () => {
    const file = llamaFile(llamaParts([...llamaTokens, 'a'.repeat(500_000)]));
    expect(ByteFallbackBpe.fromLlama2c(file).vocabSize).toBe(llamaTokens.length + 1);
  });

  test('llama2.c files: every truncation is refused', () => {
    const parts = llamaParts(llamaTokens);
    const file = llamaFile(parts);
    const llama = ByteFallbackBpe.fromLlama2c(file);
    expect(llama.vocabSize).toBe(llamaTokens.length);
    // Scores fall with the id, so ▁a (261) beats ab (263).
    expect([...llama.encode('ab')]).toEqual([261, 262]);
    const boundaries = new Set<number>([4]);
    parts.reduce((at, part) => {
      boundaries.add(at + part.length);
      return at + part.length;
    }, 4);
    for (let n = 5; n < file.length; n += 3) {
      if (boundaries.has(n)) continue;
      expect(() => ByteFallbackBpe.fromLlama2c(file.subarray(0, n))).toThrow(
        /^ByteFallbackBpe.fromLlama2c: truncated at token \d+$/,
      );
    }
  });
});

describe('WordPiece', () => {
  const vocab = '[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nun\n##aff\n##able\nhello\n!\n,\n日\n##s\n';
  const tokenizer = WordPieceTokenizer.fromVocab(vocab, { lowercase: true });

  test('a word as long as a file allows takes time in proportion', () => {
    const json = clone(tokenizer);
    const model = { ...(json['model'] as Json), max_input_chars_per_word: 10_000 };
    const long = WordPieceTokenizer.fromJSON({ ...json, model });
    expect(long.encode('hellos'.padEnd(10_000, 's')).length).toBe(9996);
  });

  test('greedy longest match, punctuation, accents, ideographs, unknown words', () => {
    expect([...tokenizer.encode('UNaffable  Héllo, 日日!')]).toEqual([5, 6, 7, 8, 10, 11, 11, 9]);
    expect([...tokenizer.encode('unx [MASK]hello')]).toEqual([1, 4, 8]);
    expect([...tokenizer.encode('hellos'.padEnd(101, 's'))]).toEqual([1]);
    expect(tokenizer.encode('hellos'.padEnd(100, 's')).length).toBe(96);
    expect(tokenizer.decode([2, 5, 6, 7, 10, 8, 9, 3], { skipSpecial: true })).toBe(
      'unaffable, hello!',
    );
    const pair = tokenizer.encodePair('hello', '!');
    expect([[...pair.ids], [...pair.typeIds]]).toEqual([
      [2, 8, 3, 9, 3],
      [0, 0, 0, 1, 1],
    ]);
  });

  test('is idempotent on what it decodes, and its JSON reads back', () => {
    const again = WordPieceTokenizer.fromJSON(JSON.stringify(tokenizer));
    const texts = fc
      .array(fc.constantFrom('un', 'unaffable', 'Hello', '!', ', ', '日', ' ', 'hellos', '\u0000'))
      .map((parts) => parts.join(' '));
    fc.assert(
      fc.property(texts, (text) => {
        const ids = tokenizer.encode(text);
        expect(again.encode(text)).toEqual(ids);
        expect(tokenizer.encode(tokenizer.decode(ids))).toEqual(ids);
      }),
    );
    expect(() => tokenizer.decode([13])).toThrow(
      'WordPieceTokenizer.decode: id 13 at position 0 is not in the vocabulary, ids lie in [0, 13)',
    );
    expect(() => WordPieceTokenizer.fromVocab('a\nb', { lowercase: true })).toThrow(
      '"[UNK]" is not in the vocabulary',
    );
  });
});
