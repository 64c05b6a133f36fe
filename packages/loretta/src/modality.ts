/** What the model has to know of a modality. */

/** A kind of token sequence: local ids from 0 to `vocabSize` − 1. */
export interface Modality {
  /** Name, unique in a vocabulary. */
  readonly name: string;
  /** Number of content ids. */
  readonly vocabSize: number;
  /** Content tokens of a sequence, at most. */
  readonly length: number;
  /** Sequences may be shorter than `length`, and then end with an end token. */
  readonly variable: boolean;
}
