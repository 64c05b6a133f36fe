import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BpeTokenizer, ByteTokenizer, TokenizerError, WordTokenizer } from '../src/index';

fc.configureGlobal({ seed: 20240603, numRuns: 100 });

const CORPUS = [
  'the cat sat on the mat, the cat ate the rat',
  "it's the cat's hat; they're 12 cats and 345 hats",
  '  naïve café 漢字 漢字 🍷🍷\n\n\tthat is that',
];

/** Text with what tokenizers trip over: runs of space, surrogates, controls, marks, astral letters, contractions. */
const hardText = fc
  .array(
    fc.oneof(
      fc.constantFrom(' ', '  ', '\n', '\t', '\u0085', '\u00a0', '\ufeff', "'s", "'re", "'", '▁'),
      fc.constantFrom('the', 'cat', ' hat', '12', 'é', 'e\u0301', '漢字', '𝒜𝒷', '🍷', '\u0000'),
      fc.string({ unit: 'binary', maxLength: 6 }),
      fc.string({ maxLength: 6 }),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(''));

const surrogateText = fc
  .array(fc.constantFrom('\ud83c', '\udf77', 'a', ' ', '🍷'), { maxLength: 8 })
  .map((parts) => parts.join(''));

function wellFormed(text: string): string {
  return new TextDecoder('utf-8', { ignoreBOM: true }).decode(new TextEncoder().encode(text));
}

describe('bytes', () => {
  const tokenizer = new ByteTokenizer();

  test('are lossless for bytes and for text', () => {
    fc.assert(
      fc.property(fc.uint8Array(), hardText, (bytes, text) => {
        const ids = tokenizer.encode(bytes);
        expect([...ids]).toEqual([...bytes]);
        expect(tokenizer.decode(ids)).toEqual(bytes);
        expect(tokenizer.decodeText(tokenizer.encodeText(text))).toBe(text);
      }),
    );
  });

  test('refuse ids beyond 255 and values that are not bytes', () => {
    expect(() => tokenizer.decode([1, 256])).toThrow(
      'ByteTokenizer.decode: id 256 at position 1 is outside [0, 256)',
    );
    const text: unknown = 'text';
    expect(() => tokenizer.encode(text as Uint8Array)).toThrow(
      'ByteTokenizer.encode: expected a Uint8Array, got "text": use encodeText for text',
    );
  });
});

describe('byte-level BPE', () => {
  const tokenizer = BpeTokenizer.train(CORPUS, { vocabSize: 300, specialTokens: ['<s>', '<s>x'] });

  test('is lossless for all text, lone surrogates becoming U+FFFD', () => {
    fc.assert(
      fc.property(fc.oneof(hardText, surrogateText), (text) => {
        const ids = tokenizer.encode(text);
        expect(ids.every((id) => id >= 0 && id < tokenizer.vocabSize)).toBe(true);
        expect(tokenizer.decode(ids)).toBe(wellFormed(text));
      }),
    );
  });

  test("cuts text as GPT-2's pattern does", () => {
    // The pattern itself, with Python's idea of white space, on text short enough for the engine.
    const pattern =
      /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;
    const byteTokens = BpeTokenizer.train([], { vocabSize: 256 });
    fc.assert(
      fc.property(hardText, (text) => {
        const pieces = text.match(pattern) ?? [];
        const expected = pieces.flatMap((piece) => [...tokenizer.encode(piece)]);
        expect([...tokenizer.encode(text)]).toEqual(expected);
        expect(byteTokens.encode(text).length).toBe(new TextEncoder().encode(text).length);
      }),
    );
  });

  test('merges by rank, as the naive algorithm does', () => {
    const ranks = new Map(tokenizer.merges.map(([a, b], rank) => [`${a} ${b}`, rank]));
    const naive = (word: string): string[] => {
      let parts = [...word];
      for (;;) {
        let best = Number.POSITIVE_INFINITY;
        for (let i = 0; i + 1 < parts.length; i++) {
          best = Math.min(best, ranks.get(`${parts[i]} ${parts[i + 1]}`) ?? best);
        }
        if (best === Number.POSITIVE_INFINITY) return parts;
        const merged: string[] = [];
        for (let i = 0; i < parts.length; i++) {
          const hit = i + 1 < parts.length && ranks.get(`${parts[i]} ${parts[i + 1]}`) === best;
          merged.push(hit ? parts[i++]! + parts[i]! : parts[i]!);
        }
        parts = merged;
      }
    };
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'thecatsn'), maxLength: 30 }), (word) => {
        expect([...tokenizer.encode(word)]).toEqual(naive(word).map((t) => tokenizer.id(t)));
      }),
    );
  });

  test('training counts pairs as the naive algorithm does', () => {
    const naive = (words: string[], merges: number): string[] => {
      let lists = words.map((w) => [...w]);
      const learnt: string[] = [];
      for (let m = 0; m < merges; m++) {
        const counts = new Map<string, number>();
        for (const list of lists) {
          for (let i = 0; i + 1 < list.length; i++) {
            const pair = `${list[i]} ${list[i + 1]}`;
            counts.set(pair, (counts.get(pair) ?? 0) + 1);
          }
        }
        const [best, next] = [...counts].sort((a, b) => b[1] - a[1]);
        // Only runs with a strict winner are compared: ties are by id.
        if (best === undefined || best[1] < 2 || next?.[1] === best[1]) return learnt;
        learnt.push(best[0]);
        const [left, right] = best[0].split(' ');
        lists = lists.map((list) => {
          const merged: string[] = [];
          for (let i = 0; i < list.length; i++) {
            const hit = list[i] === left && list[i + 1] === right;
            merged.push(hit ? list[i++]! + list[i]! : list[i]!);
          }
          return merged;
        });
      }
      return learnt;
    };
    let compared = 0;
    const words = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1 }), {
      minLength: 3,
      maxLength: 30,
    });
    fc.assert(
      fc.property(words, (list) => {
        const expected = naive(list, 12);
        const got = BpeTokenizer.train(list, { vocabSize: 256 + 12 }).merges;
        compared += expected.length;
        expect(got.slice(0, expected.length).map((pair) => pair.join(' '))).toEqual(expected);
      }),
    );
    expect(compared).toBeGreaterThan(100);
  });

  test('special tokens: text by default, the longest one on request, left out on request', () => {
    const text = 'a<s>x<s>b';
    const plain = tokenizer.encode(text);
    expect([...plain]).not.toContain(0);
    expect(tokenizer.decode(plain)).toBe(text);
    const ids = tokenizer.encode(text, { special: true });
    expect([...ids]).toEqual([tokenizer.id('a'), 1, 0, tokenizer.id('b')]);
    expect(tokenizer.decode(ids)).toBe(text);
    expect(tokenizer.decode(ids, { skipSpecial: true })).toBe('ab');
  });

  test('tokenizer.json has the shape Hugging Face reads, and reads back', () => {
    const json = tokenizer.toJSON();
    expect(json.model.type).toBe('BPE');
    expect(json.pre_tokenizer).toEqual({
      type: 'ByteLevel',
      add_prefix_space: false,
      trim_offsets: true,
      use_regex: true,
    });
    expect(json.decoder.type).toBe('ByteLevel');
    expect(json.added_tokens.map((t) => [t.id, t.content, t.special])).toEqual([
      [0, '<s>', true],
      [1, '<s>x', true],
    ]);
    expect(Object.keys(json.model.vocab).length).toBe(tokenizer.vocabSize);
    const again = BpeTokenizer.fromJSON(JSON.stringify(tokenizer));
    expect(again.toJSON()).toEqual(json);
    // Older files write merges as strings.
    const model = { ...json.model, merges: json.model.merges.map((pair) => pair.join(' ')) };
    const older = BpeTokenizer.fromJSON({ ...json, model });
    fc.assert(
      fc.property(hardText, (text) => {
        const ids = tokenizer.encode(text);
        expect(again.encode(text)).toEqual(ids);
        expect(older.encode(text)).toEqual(ids);
      }),
    );
  });

  test('a prefix space, a whole token before merges, swallowed space around added tokens', () => {
    const json = tokenizer.toJSON();
    const prefixed = BpeTokenizer.fromJSON({
      ...json,
      pre_tokenizer: { ...json.pre_tokenizer, add_prefix_space: true },
    });
    expect(prefixed.encode('the cat')).toEqual(tokenizer.encode(' the cat'));
    expect(prefixed.encode(' the cat')).toEqual(tokenizer.encode(' the cat'));
    const whole = BpeTokenizer.fromJSON({
      ...json,
      model: {
        ...json.model,
        ignore_merges: true,
        vocab: { ...json.model.vocab, zq: tokenizer.vocabSize },
      },
    });
    expect([...whole.encode('zq')]).toEqual([tokenizer.vocabSize]);
    const strips = BpeTokenizer.fromJSON({
      ...json,
      added_tokens: [{ ...json.added_tokens[0], lstrip: true, rstrip: true }],
    });
    expect([...strips.encode('a  <s> \n b', { special: true })]).toEqual([
      tokenizer.id('a'),
      0,
      tokenizer.id('b'),
    ]);
  });

  test('a single word of a megabyte does not go quadratic, in encoding or training', () => {
    const word = 'thecat'.repeat(175_000);
    const ids = tokenizer.encode(word);
    expect(tokenizer.decode(ids)).toBe(word);
    const astral = '𝒜'.repeat(250_000);
    expect(tokenizer.decode(tokenizer.encode(astral))).toBe(astral);
    const trained = BpeTokenizer.train([word], { vocabSize: 270 });
    expect(trained.encode(word).length).toBeLessThan(word.length / 100);
  });

  test('refusals', () => {
    const hole = tokenizer.vocabSize + 5;
    const json = tokenizer.toJSON();
    const holed = BpeTokenizer.fromJSON({
      ...json,
      model: { ...json.model, vocab: { ...json.model.vocab, zq: hole } },
    });
    expect(holed.vocabSize).toBe(hole + 1);
    expect(() => holed.decode([hole - 1])).toThrow(TokenizerError);
    expect(() => tokenizer.decode([3, 300])).toThrow(
      `BpeTokenizer.decode: id 300 at position 1 is not in the vocabulary, ids lie in [0, ${tokenizer.vocabSize})`,
    );
    expect(() => BpeTokenizer.train([], { vocabSize: 255 })).toThrow(
      'BpeTokenizer.train: vocabSize must be an integer in [256, 16777216], got 255',
    );
    const empty = { ...json, model: { ...json.model, vocab: {}, merges: [] } };
    expect(() => BpeTokenizer.fromJSON(empty).encode('a')).toThrow(
      'BpeTokenizer.encode: no token for byte 97',
    );
  });
});

describe('words', () => {
  const captions = ['three black cats', 'Three cats , two hats', 'two black hats !'];

  test('most frequent first, ties in code-unit order, after the unknown and special tokens', () => {
    const tokenizer = WordTokenizer.train(captions, { specialTokens: ['<eos>'], lowercase: true });
    expect(tokenizer.words()).toEqual([
      '<unk>',
      '<eos>',
      'black',
      'cats',
      'hats',
      'three',
      'two',
      '!',
      ',',
    ]);
    const small = WordTokenizer.train(captions, { minCount: 2, maxSize: 4 });
    expect(small.words()).toEqual(['<unk>', 'black', 'cats', 'hats']);
    expect([...small.encode('black dogs hats')]).toEqual([1, 0, 3]);
    expect(small.decode([1, 0, 3])).toBe('black <unk> hats');
  });

  test('known words are lossless up to white space; everything is idempotent', () => {
    for (const split of ['whitespace', 'punctuation'] as const) {
      const tokenizer = WordTokenizer.train([...captions, ...CORPUS], { split });
      const known = fc.array(fc.constantFrom(...tokenizer.words()), { maxLength: 12 });
      fc.assert(
        fc.property(known, hardText, (words, text) => {
          const line = words.join(' ');
          expect(tokenizer.decode(tokenizer.encode(line))).toBe(line);
          const ids = tokenizer.encode(text);
          expect(ids.every((id) => id >= 0 && id < tokenizer.vocabSize)).toBe(true);
          expect(tokenizer.encode(tokenizer.decode(ids))).toEqual(ids);
        }),
      );
    }
  });

  test('punctuation mode cuts words from signs', () => {
    const tokenizer = WordTokenizer.train(["the cat's hat, 12!"], { split: 'punctuation' });
    expect(tokenizer.words().slice(1).sort()).toEqual([
      '!',
      "'",
      ',',
      '12',
      'cat',
      'hat',
      's',
      'the',
    ]);
  });

  test('tokenizer.json reads back', () => {
    fc.assert(
      fc.property(
        fc.array(hardText, { maxLength: 4 }),
        fc.boolean(),
        fc.constantFrom('whitespace' as const, 'punctuation' as const),
        (texts, lowercase, split) => {
          const tokenizer = WordTokenizer.train(texts, { lowercase, split });
          const again = WordTokenizer.fromJSON(JSON.stringify(tokenizer));
          expect(again.toJSON()).toEqual(tokenizer.toJSON());
          for (const text of texts) expect(again.encode(text)).toEqual(tokenizer.encode(text));
        },
      ),
    );
  });

  test('refusals', () => {
    const tokenizer = WordTokenizer.train(captions, {});
    expect(() => tokenizer.decode([99])).toThrow(
      'WordTokenizer.decode: id 99 at position 0 is not in the vocabulary',
    );
    expect(() => WordTokenizer.train([], { maxSize: 0 })).toThrow(TokenizerError);
    expect(() => WordTokenizer.train([], { specialTokens: ['<unk>'] })).toThrow(
      'WordTokenizer.train: token "<unk>" occurs twice',
    );
    expect(() => WordTokenizer.train([], { unknown: '' })).toThrow('a special token is empty');
  });
});
