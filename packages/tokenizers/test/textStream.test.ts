/** Text from ids one by one: what is given is never taken back, and adds up to the whole. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BpeTokenizer,
  ByteFallbackBpe,
  type TextTokenizer,
  TextStream,
  WordPieceTokenizer,
  WordTokenizer,
} from '../src/index';

const bpe = BpeTokenizer.train(['naïve ☕ cafés, 👩‍🚀'], {
  vocabSize: 262,
  specialTokens: ['<s>', '</s>'],
});
/** The `<0xNN>` tokens and a few pieces. */
const bytes = Array.from(
  { length: 256 },
  (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`,
);
const fallback = ByteFallbackBpe.fromJSON({
  model: {
    type: 'BPE',
    byte_fallback: true,
    unk_token: '<unk>',
    vocab: Object.fromEntries(['<unk>', '<s>', ...bytes, '▁', 'é', 'a'].map((t, i) => [t, i])),
    merges: [],
  },
  added_tokens: [{ id: 1, content: '<s>', special: true }],
  normalizer: { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
});
const tokenizers: [string, TextTokenizer][] = [
  ['bytes of BPE', bpe],
  ['bytes among pieces', fallback],
  ['WordPiece', WordPieceTokenizer.fromVocab('[UNK]\n[CLS]\nsea\n##s\n.', { lowercase: true })],
  ['words', WordTokenizer.train(['the sea is wide'])],
];

/** Every piece, and the whole. */
function streamed(tokenizer: TextTokenizer, ids: readonly number[]): [string[], string] {
  const stream = new TextStream(tokenizer);
  const pieces = ids.map((id) => stream.push(id));
  return [[...pieces, stream.end()], tokenizer.decode(ids, { skipSpecial: true })];
}

describe('TextStream', () => {
  it.each(tokenizers)('adds up to the whole for any ids: %s', (_, tokenizer) => {
    const id = fc.nat(tokenizer.vocabSize - 1);
    fc.assert(
      fc.property(fc.array(id, { maxLength: 30 }), (ids) => {
        const [pieces, whole] = streamed(tokenizer, ids);
        expect(pieces.join('')).toBe(whole);
      }),
      { seed: 3, numRuns: 400 },
    );
  });

  it('adds up for text with characters of many bytes, which come whole', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        for (const tokenizer of [bpe, fallback]) {
          const [pieces, whole] = streamed(tokenizer, [...tokenizer.encode(text)]);
          expect(pieces.join('')).toBe(whole);
          expect(whole).toBe(text);
          for (const piece of pieces) expect(piece).not.toMatch(/\p{Surrogate}/u);
        }
      }),
      { seed: 4 },
    );
  });

  it('gives what is settled at once and holds what is not', () => {
    // no merge was learnt for the bytes of €
    expect(streamed(bpe, [...bpe.encode('a€')])[0]).toEqual(['a', '', '', '€', '']);
    // a byte that turns out not to be UTF-8 changes the bytes before it
    const at = (b: number): number => 2 + b;
    const [pieces] = streamed(fallback, [at(0xc3), at(0xa9), at(0xff), 260, at(0xc3), at(0xa9)]);
    expect(pieces).toEqual(['', '', '', '\uFFFD\uFFFD\uFFFDa', '', '', 'é']);
    expect(streamed(bpe, [0, ...bpe.encode('a'), 1])[0]).toEqual(['', 'a', '', '']);
  });

  it.each(tokenizers)(
    'never decodes more than a few ids at once, however many came: %s',
    (_, all) => {
      let most = 0;
      const watched: TextTokenizer = {
        vocabSize: all.vocabSize,
        encode: (text) => all.encode(text),
        id: (token) => all.id(token),
        isByte: (id) => all.isByte?.(id) === true,
        decode: (ids, options) => {
          most = Math.max(most, ids.length);
          return all.decode(ids, options);
        },
      };
      const stream = new TextStream(watched);
      for (let i = 0; i < 50; i++) {
        for (const id of [0, 1, ...all.encode('sea  a')]) stream.push(id);
      }
      expect(most).toBeGreaterThan(0);
      expect(most).toBeLessThan(5);
    },
  );

  const tok512 = fileURLToPath(
    new URL('../../../../shared/data/models/stories260K/tok512.bin', import.meta.url),
  );
  it.runIf(existsSync(tok512))('adds up for a vocabulary of llama2.c', () => {
    const tokenizer = ByteFallbackBpe.fromLlama2c(readFileSync(tok512));
    fc.assert(
      fc.property(fc.array(fc.nat(511), { maxLength: 60 }), (ids) => {
        const [pieces, whole] = streamed(tokenizer, ids);
        expect(pieces.join('')).toBe(whole);
      }),
      { seed: 5 },
    );
  });
});
