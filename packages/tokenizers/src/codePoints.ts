/** Lone surrogates become U+FFFD, as they do in UTF-8. */
export function wellFormed(text: string): string {
  return text.replace(/\p{Surrogate}/gu, '\uFFFD');
}

const PAGE = 256;

/** Character classes by code point, remembered per instance: a regular expression per character would be slow. */
export class CharacterClasses<C extends number> {
  readonly #classify: (character: string) => C;
  /** Class + 1 by page of 256 code points, made when first met; 0 is not known yet. */
  readonly #pages: (Uint8Array | undefined)[] = [];

  /** `classify` gives a small number for a character; 0…254. */
  constructor(classify: (character: string) => C) {
    this.#classify = classify;
  }

  /** The class of a code point. */
  of(codePoint: number): C {
    let page = this.#pages[Math.floor(codePoint / PAGE)];
    if (page === undefined) {
      page = new Uint8Array(PAGE);
      this.#pages[Math.floor(codePoint / PAGE)] = page;
    }
    const known = page[codePoint % PAGE]!;
    if (known !== 0) return (known - 1) as C;
    const found = this.#classify(String.fromCodePoint(codePoint));
    page[codePoint % PAGE] = found + 1;
    return found;
  }
}
