import { CharacterClasses } from './codePoints';

const SPACE = 0;
const LETTER = 1;
const NUMBER = 2;
const OTHER = 3;
type Gpt2Class = typeof SPACE | typeof LETTER | typeof NUMBER | typeof OTHER;

const BLANK = 0x20;
const APOSTROPHE = 0x27;
const CONTRACTIONS: readonly string[] = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d"];

/**
 * GPT-2's pre-tokeniser, the pattern
 * `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
 * as a scanner: JavaScript's `\s` is another set, and its engine overflows on megabytes of astral letters.
 */
export class Gpt2PreTokenizer {
  readonly #classes: CharacterClasses<Gpt2Class> = new CharacterClasses<Gpt2Class>((character) => {
    if (/\p{White_Space}/u.test(character)) return SPACE;
    if (/\p{L}/u.test(character)) return LETTER;
    return /\p{N}/u.test(character) ? NUMBER : OTHER;
  });

  /** The pieces of `text`; together they are the text. */
  split(text: string): string[] {
    const pieces: string[] = [];
    for (let at = 0; at < text.length; ) {
      const end = this.#pieceEnd(text, at);
      pieces.push(text.slice(at, end));
      at = end;
    }
    return pieces;
  }

  #pieceEnd(text: string, at: number): number {
    const first = text.charCodeAt(at);
    if (first === APOSTROPHE) {
      const found = CONTRACTIONS.find((c) => text.startsWith(c, at));
      if (found !== undefined) return at + found.length;
    }
    const skip = first === BLANK ? 1 : 0;
    if (at + skip < text.length) {
      const kind = this.#classes.of(text.codePointAt(at + skip)!);
      if (kind !== SPACE) return this.#runEnd(text, at + skip, kind);
    }
    // White space: all of it at the end of the text, else all but the last, which goes with what follows.
    const end = this.#runEnd(text, at, SPACE);
    return end < text.length && end - at > 1 ? end - 1 : end;
  }

  #runEnd(text: string, start: number, kind: Gpt2Class): number {
    let at = start;
    while (at < text.length) {
      const codePoint = text.codePointAt(at)!;
      if (this.#classes.of(codePoint) !== kind) break;
      at += codePoint > 0xffff ? 2 : 1;
    }
    return at;
  }
}
