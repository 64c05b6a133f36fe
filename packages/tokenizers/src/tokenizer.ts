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

/** A tokenizer whose every value has the same number of ids, as images and time-normalised speech do. */
export interface FixedLengthTokenizer<T> extends Tokenizer<T> {
  /** Number of ids of every value. */
  readonly length: number;
}
