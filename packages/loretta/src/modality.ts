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
  /**
   * Its content is real vectors of `dim` numbers, not ids (GIVT, Tschannen et al. 2023): `vocabSize` is 1, the placeholder
   * that stands where a vector is, and `length` is fixed.
   */
  readonly latent?: {
    /** Numbers of a vector, the same for all modalities of a vocabulary that have vectors. */
    readonly dim: number;
  };
}
