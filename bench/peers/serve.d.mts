/** What a child is asked to do; its fields belong to the subject. */
export interface Request {
  readonly subject: string;
  readonly name: string;
}

/** Of one repetition, ms. */
export interface Times {
  readonly wall: number;
  readonly cpu: number;
}

/** A prepared case. */
export interface Work {
  /** The work that is timed. */
  run(): unknown;
  /** Numbers that must agree between all who do the case. */
  check?(): readonly number[] | Promise<readonly number[]>;
  /** Figures beside time, taken after every sample, outside the timed part. */
  after?(sample: Times): Readonly<Record<string, number>>;
  free?(): void;
}

export interface About {
  readonly version: string;
  readonly threads: number;
  readonly simd: string;
}

/** Answers the parent's lines until they end. `prepare` throws for a case that it cannot do. */
export function serve<R extends Request>(
  about: About,
  prepare: (request: R) => Work | Promise<Work>,
): Promise<void>;

/** Numbers in [-scale, scale) that every language makes alike. */
export function pattern(size: number, seed: number, scale?: number): Float32Array<ArrayBuffer>;

/** `[prompt, row] -> id`, the same everywhere. */
export function patternIds(size: number, vocab: number): Int32Array<ArrayBuffer>;
