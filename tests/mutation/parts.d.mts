/** What is mutated, and the tests that must notice. */
export interface Part {
  readonly mutate: readonly string[];
  readonly tests: readonly string[];
}

export declare const parts: Readonly<Record<string, Part>>;
