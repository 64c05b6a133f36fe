/** Typed errors of nn. Messages read `where: what, with shapes: the way out`, on one line. */

/** A state dictionary does not fit the module it is loaded into. */
export class StateDictError extends Error {
  /** The class. */
  override readonly name = 'StateDictError';
  /** Names that the module has and the map does not. */
  readonly missing: readonly string[];
  /** Names that the map has and the module does not. */
  readonly unexpected: readonly string[];
  /** Names whose shapes differ. */
  readonly misshapen: readonly string[];
  constructor(
    message: string,
    missing: readonly string[],
    unexpected: readonly string[],
    misshapen: readonly string[],
  ) {
    super(`loadStateDict: ${message}`);
    this.missing = missing;
    this.unexpected = unexpected;
    this.misshapen = misshapen;
  }
}

/** A file is not valid safetensors, or holds what cannot be represented. */
export class SafetensorsError extends Error {
  /** The class. */
  override readonly name = 'SafetensorsError';
  constructor(message: string) {
    super(`safetensors: ${message}`);
  }
}

/** A file is not a valid `.npy`, or holds what is not numbers. */
export class NpyError extends Error {
  /** The class. */
  override readonly name = 'NpyError';
  constructor(message: string) {
    super(`npy: ${message}`);
  }
}

/** A model or checkpoint file does not hold what was asked for. */
export class CheckpointError extends Error {
  /** The class. */
  override readonly name = 'CheckpointError';
  constructor(message: string) {
    super(`checkpoint: ${message}`);
  }
}
