/** What the compiler accepts and refuses. `tsc` checks the lines; the functions here are never called. */
import { expectTypeOf, it } from 'vitest';
import {
  BpeTokenizer,
  type ByteTokenizer,
  type FixedLengthTokenizer,
  type Image,
  MfccCodebook,
  PatchCodebook,
  type TextTokenizer,
  type Tokenizer,
  TokenizerError,
  type TokenizerErrorKind,
  type WordPieceTokenizer,
  WordTokenizer,
} from '../src';

const checked = (_: () => void): void => undefined;

it('tokenizers of text share one interface', () => {
  expectTypeOf<BpeTokenizer>().toExtend<TextTokenizer>();
  expectTypeOf<WordTokenizer>().toExtend<TextTokenizer>();
  expectTypeOf<WordPieceTokenizer>().toExtend<TextTokenizer>();
  expectTypeOf<ByteTokenizer>().toExtend<Tokenizer<Uint8Array>>();
  expectTypeOf<PatchCodebook>().toExtend<FixedLengthTokenizer<Image>>();
  expectTypeOf<PatchCodebook>().not.toExtend<TextTokenizer>();
});

it('training takes options by name', () => {
  checked(() => {
    BpeTokenizer.train(['a'], { vocabSize: 260 });
    // @ts-expect-error
    BpeTokenizer.train(['a'], {});
    // @ts-expect-error
    BpeTokenizer.train([1], { vocabSize: 260 });
    // @ts-expect-error
    BpeTokenizer.train(['a'], { vocabSize: 260, specialToken: ['<s>'] });
    // @ts-expect-error
    WordTokenizer.train(['a'], { split: 'lines' });
    // @ts-expect-error: no ambient randomness
    PatchCodebook.train([], { patch: 2, codes: 4 });
    // @ts-expect-error
    MfccCodebook.train([], { seed: '1' });
  });
});

it('errors narrow by their kind', () => {
  checked(() => {
    const error = new TokenizerError('input', 'here', 'what');
    expectTypeOf(error.kind).toEqualTypeOf<TokenizerErrorKind>();
    // @ts-expect-error
    if (error.kind === 'typo') return;
  });
});
