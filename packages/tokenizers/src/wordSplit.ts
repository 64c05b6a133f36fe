import { CharacterClasses } from './codePoints';

/** How text becomes words: split at white space, or also between words and punctuation. */
export type WordSplit = 'whitespace' | 'punctuation';

const SPACE = 0;
const WORD = 1;
const OTHER = 2;
type WordClass = typeof SPACE | typeof WORD | typeof OTHER;

/** Splits text into words in one pass, whatever the text. */
export class WordSplitter {
  readonly #classes: CharacterClasses<WordClass>;

  constructor(split: WordSplit) {
    // 'punctuation' is Hugging Face's Whitespace: runs of \w, runs of other visible characters.
    const word =
      split === 'punctuation' ? /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]/u : /\P{White_Space}/u;
    this.#classes = new CharacterClasses<WordClass>((character) => {
      if (/\p{White_Space}/u.test(character)) return SPACE;
      return word.test(character) ? WORD : OTHER;
    });
  }

  /** The words of `text` in order. */
  split(text: string): string[] {
    const words: string[] = [];
    let start = 0;
    let current: WordClass = SPACE;
    for (let at = 0; at < text.length; ) {
      const codePoint = text.codePointAt(at)!;
      const next = this.#classes.of(codePoint);
      if (next !== current) {
        if (current !== SPACE) words.push(text.slice(start, at));
        current = next;
        start = at;
      }
      at += codePoint > 0xffff ? 2 : 1;
    }
    if (current !== SPACE) words.push(text.slice(start));
    return words;
  }
}
