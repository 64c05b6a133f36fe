/**
 * Turns values into token ids and back. Ids are integers in `[0, vocabSize)`.
 * Lossless tokenizers satisfy `decode(encode(x)) = x`, lossy ones `encode(decode(encode(x))) = encode(x)`.
 */
export interface Tokenizer<T> {
  /** Number of ids. */
  readonly vocabSize: number;
  /** Ids of `x`. Throws TokenizerError when `x` cannot be represented. */
  encode(x: T): Int32Array;
  /** The value the ids stand for. Throws TokenizerError for an id outside `[0, vocabSize)`. */
  decode(ids: ArrayLike<number>): T;
}

/** Options of decoding. */
export interface DecodeOptions {
  /** Leave special tokens out of the text. Default false. */
  readonly skipSpecial?: boolean;
}

/** A tokenizer of text with named tokens. */
export interface TextTokenizer extends Tokenizer<string> {
  /** The id of a token as the vocabulary spells it, or undefined. */
  id(token: string): number | undefined;
  /** The text of the ids. Throws TokenizerError for an id outside `[0, vocabSize)`. */
  decode(ids: ArrayLike<number>, options?: DecodeOptions): string;
  /** Whether a token is one byte of a character, so that the tokens after it decide how it reads. */
  isByte?(id: number): boolean;
}

/** A tokenizer whose every value has the same number of ids, as images and time-normalised speech do. */
export interface FixedLengthTokenizer<T> extends Tokenizer<T> {
  /** Number of ids of every value. */
  readonly length: number;
}
