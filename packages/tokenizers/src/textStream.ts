import type { TextTokenizer } from './tokenizer';

/**
 * The text of ids that come one by one, as soon as no later id can change it: an incomplete character, or a run of
 * byte tokens, is held back. All that `push` and `end` give, joined, is `decode` of all ids, special tokens left out.
 */
export class TextStream {
  readonly #tokenizer: TextTokenizer;
  readonly #ids: number[] = [];
  #given = 0;
  /** The last token that is part of the text is a byte. */
  #afterByte = false;

  constructor(tokenizer: TextTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that is new with this id, often none. Throws TokenizerError for an id that is not in the vocabulary. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#text();
    if (this.#tokenizer.isByte?.(id) === true) this.#afterByte = true;
    // a special token that is left out does not part the bytes around it
    else if (this.#tokenizer.decode([id], { skipSpecial: true }) !== '') this.#afterByte = false;
    return this.#afterByte ? '' : this.#give(text.replace(/\uFFFD+$/, ''));
  }

  /** What was held back. */
  end(): string {
    return this.#give(this.#text());
  }

  #text(): string {
    return this.#tokenizer.decode(this.#ids, { skipSpecial: true });
  }

  #give(settled: string): string {
    const piece = settled.slice(this.#given);
    this.#given = Math.max(this.#given, settled.length);
    return piece;
  }
}
