/** Tokens of real texts, of any length up to a limit; learned from the training texts. */
import { BpeTokenizer, WordTokenizer } from '@loretta-ts/tokenizers';
import { textOf } from './codecs';
import { DataError, requireCount } from './errors';
import type { ModalityCodec } from './modality';

/** How real texts become tokens. */
export interface ReviewTokens {
  /** Lower-cased words and punctuation, or byte-level BPE. */
  readonly kind: 'words' | 'bpe';
  /** Number of ids. Default 1,024. */
  readonly vocabulary?: number;
  /** Longer texts are cut. Default 32. */
  readonly maxLength?: number;
}

/** A codec learned from `texts`. @throws DataError for no texts or sizes out of range */
export function reviewCodec(texts: readonly string[], tokens: ReviewTokens): ModalityCodec {
  const vocabulary = tokens.vocabulary ?? 1024;
  const maxLength = tokens.maxLength ?? 32;
  requireCount('text: vocabulary', vocabulary, 257, 1 << 20);
  requireCount('text: maxLength', maxLength, 1, 1 << 16);
  if (texts.length === 0) throw new DataError('class', 'text', 'there are no training texts');
  const tokenizer =
    tokens.kind === 'words'
      ? WordTokenizer.train(texts, { split: 'punctuation', lowercase: true, maxSize: vocabulary })
      : BpeTokenizer.train(texts, { vocabSize: vocabulary });
  return {
    vocabSize: tokenizer.vocabSize,
    maxLength,
    fixedLength: false,
    describe: `up to ${maxLength} of ${tokenizer.vocabSize} ${tokens.kind === 'words' ? 'words' : 'byte pairs'}`,
    encode: (sample) => tokenizer.encode(textOf(sample)).slice(0, maxLength),
    decode: (ids) => ({ kind: 'text', text: tokenizer.decode(ids) }),
    toJSON: () => tokenizer.toJSON(),
  };
}
