import { describe, expect, test } from 'vitest';
import { BpeTokenizer, ByteFallbackBpe, WordPieceTokenizer } from '../src/index';
import { hasShared, sharedBytes, sharedText } from './shared';

interface Encoding {
  readonly text: string;
  readonly ids: number[];
  readonly ids_special?: number[];
  readonly ids_alt?: number[];
  readonly decoded?: string;
}

function gpt2(folder: string): BpeTokenizer {
  return BpeTokenizer.fromVocabAndMerges(
    sharedText(`${folder}/vocab.json`),
    sharedText(`${folder}/merges.txt`),
    { specialTokens: ['<|endoftext|>'] },
  );
}

test('training finds the merges of a hand-made corpus in order', () => {
  const tokenizer = BpeTokenizer.train(['low low low low low lower lower newest newest newest'], {
    vocabSize: 256 + 5,
  });
  // lo 7, low 7, Ġlow 6 (the first word has no space); es, ew and the rest 3 each, lower ids first.
  expect(tokenizer.merges.map((pair) => pair.join('+'))).toEqual([
    'l+o',
    'lo+w',
    'Ġ+low',
    'e+s',
    'e+w',
  ]);
});

if (hasShared('conformance/tok_gpt2.json')) {
  describe('conformance', () => {
    test('tok_bpe_train', () => {
      const { cases } = JSON.parse(sharedText('conformance/tok_bpe_train.json')) as {
        cases: { corpus: string; merges: [string, string, number][] }[];
      };
      expect(cases.length).toBeGreaterThan(0);
      for (const { corpus, merges } of cases) {
        const got = BpeTokenizer.train([corpus], { vocabSize: 256 + merges.length });
        expect(got.merges).toEqual(merges.map(([left, right]) => [left, right]));
      }
    });

    test('tok_bytefallback', () => {
      const { encode } = JSON.parse(sharedText('conformance/tok_bytefallback.json')) as {
        encode: Encoding[];
      };
      const tokenizer = ByteFallbackBpe.fromJSON(
        sharedText('conformance/tokenizer/byte-fallback.json'),
      );
      for (const { text, ids, decoded } of encode) {
        expect([text, [...tokenizer.encode(text)]]).toEqual([text, ids]);
        expect(tokenizer.decode(ids)).toBe(decoded);
      }
    });

    test('tok_gpt2', () => {
      const { encode, decode } = JSON.parse(sharedText('conformance/tok_gpt2.json')) as {
        encode: Encoding[];
        decode: Encoding[];
      };
      const tokenizer = gpt2('conformance/tokenizer/gpt2');
      expect(tokenizer.vocabSize).toBe(50257);
      for (const { text, ids, ids_special } of encode) {
        expect([text, [...tokenizer.encode(text)]]).toEqual([text, ids]);
        if (ids_special !== undefined) {
          expect([...tokenizer.encode(text, { special: true })]).toEqual(ids_special);
        }
      }
      for (const { ids, text } of decode) expect(tokenizer.decode(ids)).toBe(text);
      const again = BpeTokenizer.fromJSON(JSON.stringify(tokenizer));
      for (const { text, ids } of encode) expect([...again.encode(text)]).toEqual(ids);
    });

    test('tok_bert', () => {
      const { encode, pairs } = JSON.parse(sharedText('conformance/tok_bert.json')) as {
        encode: Encoding[];
        pairs: { a: string; b: string; ids: number[]; type_ids: number[] }[];
      };
      const vocab = sharedText('conformance/tokenizer/bert/vocab.txt');
      const tokenizer = WordPieceTokenizer.fromVocab(vocab, { lowercase: true });
      const again = WordPieceTokenizer.fromJSON(JSON.stringify(tokenizer));
      for (const { text, ids, decoded } of encode) {
        expect([text, [...tokenizer.encode(text)]]).toEqual([text, ids]);
        expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(decoded);
        expect([...again.encode(text)]).toEqual(ids);
      }
      for (const { a, b, ids, type_ids } of pairs) {
        const got = tokenizer.encodePair(a, b);
        expect([...got.ids]).toEqual(ids);
        expect([...got.typeIds]).toEqual(type_ids);
      }
    });
  });

  describe('golden ids of real vocabularies', () => {
    const golden = JSON.parse(sharedText('data/tokenizers/golden.json')) as Record<
      string,
      Encoding[]
    >;

    test('gpt2', () => {
      const tokenizer = gpt2('data/tokenizers/gpt2');
      for (const { text, ids } of golden['gpt2']!) expect([...tokenizer.encode(text)]).toEqual(ids);
    });

    test('llama2', () => {
      const tokenizer = ByteFallbackBpe.fromLlama2c(
        sharedBytes('data/tokenizers/llama2/tokenizer.bin'),
      );
      expect(tokenizer.vocabSize).toBe(32000);
      for (const { text, ids } of golden['llama2']!) {
        expect([text, [1, ...tokenizer.encode(text)]]).toEqual([text, ids]);
      }
    });

    test('the 512 tokens of stories260K', () => {
      const { cases } = JSON.parse(sharedText('data/models/stories260K/golden.json')) as {
        cases: { prompt: string; prompt_ids: number[]; ids: number[]; text: string }[];
      };
      const tokenizer = ByteFallbackBpe.fromLlama2c(
        sharedBytes('data/models/stories260K/tok512.bin'),
      );
      expect(tokenizer.vocabSize).toBe(512);
      expect(cases.length).toBeGreaterThan(0);
      for (const { prompt, prompt_ids, ids, text } of cases) {
        expect([1, ...tokenizer.encode(prompt)]).toEqual(prompt_ids);
        expect(tokenizer.decode(ids, { skipSpecial: true })).toBe(text);
      }
    });

    test.each([
      ['bert-base-cased', false],
      ['bert-base-uncased', true],
    ])('%s', (name, lowercase) => {
      const vocab = sharedText(`data/tokenizers/${name}/vocab.txt`);
      const tokenizer = WordPieceTokenizer.fromVocab(vocab, { lowercase });
      for (const { text, ids } of golden[name]!) {
        expect([text, [...tokenizer.encodePair(text).ids]]).toEqual([text, ids]);
      }
    });
  });
}
