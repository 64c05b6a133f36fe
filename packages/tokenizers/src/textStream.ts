import type { TextTokenizer } from './tokenizer';

/**
 * The text of ids that come one by one, as soon as no later id can change it: an incomplete character, or a run of
 * byte tokens, is held back. All that `push` and `end` give, joined, is `decode` of all ids, special tokens left out.
 */
export class TextStream {
  readonly #tokenizer: TextTokenizer;
  readonly #ids: number[] = [];
  #given = 0;

  constructor(tokenizer: TextTokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** The text that is new with this id, often none. Throws TokenizerError for an id that is not in the vocabulary. */
  push(id: number): string {
    this.#ids.push(id);
    const text = this.#text();
    return this.#tokenizer.isByte?.(id) === true ? '' : this.#give(text.replace(/\uFFFD+$/, ''));
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
