/** Lone surrogates become U+FFFD, as they do in UTF-8. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

/** Character classes by code point, remembered per instance: a regular expression per character would be slow. */
export class CharacterClasses<C extends number> {
  readonly #classify: (character: string) => C;
  readonly #basic: Uint8Array = new Uint8Array(65536);

  /** `classify` gives a small number for a character; 0…254. */
  constructor(classify: (character: string) => C) {
    this.#classify = classify;
  }

  /** The class of a code point. */
  of(codePoint: number): C {
    if (codePoint > 0xffff) return this.#classify(String.fromCodePoint(codePoint));
    const known = this.#basic[codePoint]!;
    if (known !== 0) return (known - 1) as C;
    const found = this.#classify(String.fromCodePoint(codePoint));
    this.#basic[codePoint] = found + 1;
    return found;
  }
}
