import type { TextTokenizer } from './tokenizer';

/**
 * The text of ids that come one by one, as soon as no later id can change it: an incomplete character, or a run of
 * byte tokens, is held back. All that `push` and `end` give, joined, is `decode` of all ids, special tokens left out.
 * Time grows with the number of ids: what is settled is not decoded again, but for the last token, which may decide
 * how the next is spelt.
 */
export class TextStream {
  readonly #tokenizer: TextTokenizer;
  /** The last settled token, and those since. */
  #ids: number[] = [];
  /** Characters of the text of `#ids` that were given. */
  #given = 0;
  /** The last token that is part of the text is a byte. */
  #afterByte = false;

  constructor(tokenizer: TextTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that is new with this id, often none. Throws TokenizerError for an id that is not in the vocabulary. */
  push(id: number): string {
    const own = this.#text([id]);
    // a special token that is left out does not part the bytes around it
    if (own === '' && this.#tokenizer.decode([id]) !== '') return '';
    this.#ids.push(id);
    if (this.#tokenizer.isByte?.(id) === true) this.#afterByte = true;
    else if (own !== '') this.#afterByte = false;
    if (this.#afterByte) return '';
    const text = this.#text(this.#ids);
    const piece = this.#give(text.replace(/\uFFFD+$/, ''));
    if (piece !== '' && this.#given === text.length) {
      this.#ids = [id];
      this.#given = own.length;
    }
    return piece;
  }

  /** What was held back. */
  end(): string {
    return this.#give(this.#text(this.#ids));
  }

  #text(ids: readonly number[]): string {
    return this.#tokenizer.decode(ids, { skipSpecial: true });
  }

  #give(settled: string): string {
    const piece = settled.slice(this.#given);
    this.#given = Math.max(this.#given, settled.length);
    return piece;
  }
}
