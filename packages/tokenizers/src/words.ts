import { type AddedToken, AddedTokenMatcher, readAddedTokens } from './addedTokens';
import { wellFormed } from './codePoints';
import { requireInteger, show, TokenizerError } from './errors';
import type { TextTokenizer } from './tokenizer';
import { type ComponentJson, type TokenizerJson, tokenizerJson } from './tokenizerJson';
import { field, requireObject, requireType, stringField } from './untrusted';
import { MAX_ID, requireToken, TokenTable } from './vocabulary';
import { type WordSplit, WordSplitter } from './wordSplit';

/** How to train a {@link WordTokenizer}. */
export interface WordTrainOptions {
  /** Keep words that occur at least this often. Default 1. */
  readonly minCount?: number;
  /** At most this many ids, special tokens included. Default: no limit. */
  readonly maxSize?: number;
  /** Default 'whitespace'. */
  readonly split?: WordSplit;
  /** Lower-case the text first. Default false. */
  readonly lowercase?: boolean;
  /** Token of unknown words. Default `<unk>`. */
  readonly unknown?: string;
  /** Further tokens that are kept whole, with the ids after the unknown token. */
  readonly specialTokens?: readonly string[];
}

/** A word-level tokenizer in Hugging Face's tokenizer.json form. */
export type WordTokenizerJson = TokenizerJson<
  WordLevelModelJson,
  ComponentJson<'Lowercase'> | null,
  ComponentJson<'WhitespaceSplit' | 'Whitespace'>,
  null
>;

/** The model of a word-level tokenizer.json. */
export interface WordLevelModelJson {
  /** Name of the model. */
  readonly type: 'WordLevel';
  /** Words and ids. */
  readonly vocab: Readonly<Record<string, number>>;
  /** Token of unknown words. */
  readonly unk_token: string;
}

interface WordParts {
  readonly table: TokenTable;
  readonly added: readonly AddedToken[];
  readonly unknown: string;
  readonly split: WordSplit;
  readonly lowercase: boolean;
}

const PRE_TOKENIZERS = { whitespace: 'WhitespaceSplit', punctuation: 'Whitespace' } as const;
const ADDED = { special: true, lstrip: false, rstrip: false } as const;

/** One token per word of a fixed list, one more for all others. Decoding joins words by single spaces. */
export class WordTokenizer implements TextTokenizer {
  /** Number of words, unknown and special tokens included. */
  readonly vocabSize: number;
  /** Id of unknown words. */
  readonly unknownId: number;
  readonly #parts: WordParts;
  readonly #matcher: AddedTokenMatcher;
  readonly #splitter: WordSplitter;

  private constructor(where: string, parts: WordParts) {
    const unknownId = parts.table.id(parts.unknown);
    if (unknownId === undefined) {
      throw new TokenizerError(
        'format',
        where,
        `unknown token ${show(parts.unknown)} is not in the vocabulary`,
      );
    }
    this.#parts = parts;
    this.#matcher = new AddedTokenMatcher(parts.added);
    this.#splitter = new WordSplitter(parts.split);
    this.vocabSize = parts.table.size;
    this.unknownId = unknownId;
  }

  /** Learns the words of `texts`: most frequent first, ties in code-unit order. */
  static train(texts: Iterable<string>, options: WordTrainOptions = {}): WordTokenizer {
    const where = 'WordTokenizer.train';
    const minCount = options.minCount ?? 1;
    const maxSize = options.maxSize ?? MAX_ID + 1;
    const split = options.split ?? 'whitespace';
    const lowercase = options.lowercase ?? false;
    const special = [options.unknown ?? '<unk>', ...(options.specialTokens ?? [])];
    requireInteger(where, 'minCount', minCount, 1, Number.MAX_SAFE_INTEGER);
    requireInteger(where, 'maxSize', maxSize, special.length, MAX_ID + 1);
    const table = TokenTable.fromList(where, special);
    const added = special.map((content, id) => ({ ...ADDED, id, content }));
    if (special.includes('')) throw new TokenizerError('config', where, 'a special token is empty');
    const matcher = new AddedTokenMatcher(added);
    const splitter = new WordSplitter(split);
    const counts = new Map<string, number>();
    for (const text of texts) {
      for (const piece of matcher.split(wellFormed(text))) {
        if (piece.token !== undefined) continue;
        for (const word of splitter.split(lowercase ? piece.text.toLowerCase() : piece.text)) {
          counts.set(word, (counts.get(word) ?? 0) + 1);
        }
      }
    }
    const words = [...counts]
      .filter(([word, count]) => count >= minCount && table.id(word) === undefined)
      .sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
    for (const [word] of words.slice(0, maxSize - table.size)) table.add(where, word, table.size);
    return new WordTokenizer(where, { table, added, unknown: special[0]!, split, lowercase });
  }

  /** Reads a tokenizer.json with a WordLevel model, parsed or as text. Throws TokenizerError when it is not one. */
  static fromJSON(json: unknown): WordTokenizer {
    const where = 'WordTokenizer.fromJSON';
    const root = requireObject(where, 'tokenizer.json', json);
    const model = requireObject(where, 'model', field(root, 'model'));
    requireType(where, model, 'WordLevel');
    const table = TokenTable.fromJson(where, field(model, 'vocab'));
    const added = readAddedTokens(where, root, table);
    const normalizer = field(root, 'normalizer') ?? null;
    if (normalizer !== null) {
      requireType(where, requireObject(where, 'normalizer', normalizer), 'Lowercase');
    }
    const pre = requireObject(where, 'pre_tokenizer', field(root, 'pre_tokenizer'));
    const preType = stringField(where, pre, 'type');
    if (preType !== 'WhitespaceSplit' && preType !== 'Whitespace') {
      throw new TokenizerError('format', where, `pre_tokenizer ${show(preType)} is not supported`);
    }
    return new WordTokenizer(where, {
      table,
      added,
      unknown: stringField(where, model, 'unk_token'),
      split: preType === 'Whitespace' ? 'punctuation' : 'whitespace',
      lowercase: normalizer !== null,
    });
  }

  /** The id of a word as it stands in the vocabulary, or undefined. */
  id(word: string): number | undefined {
    return this.#parts.table.id(word);
  }

  /** The words in the order of ids. */
  words(): string[] {
    return this.#parts.table.entries().map(([word]) => word);
  }

  /** Ids of the words of `text`; unknown words get {@link WordTokenizer.unknownId}. */
  encode(text: string): Int32Array {
    const { table, lowercase } = this.#parts;
    const ids: number[] = [];
    for (const piece of this.#matcher.split(wellFormed(text))) {
      if (piece.token !== undefined) {
        ids.push(piece.token.id);
        continue;
      }
      for (const word of this.#splitter.split(lowercase ? piece.text.toLowerCase() : piece.text)) {
        ids.push(table.id(word) ?? this.unknownId);
      }
    }
    return Int32Array.from(ids);
  }

  /** The words of the ids, joined by single spaces. Throws TokenizerError for an id that is not in the vocabulary. */
  decode(ids: ArrayLike<number>): string {
    return Array.from(ids, (_, i) =>
      requireToken('WordTokenizer.decode', this.#parts.table, ids, i),
    ).join(' ');
  }

  /** The tokenizer.json, read back by {@link WordTokenizer.fromJSON}. */
  toJSON(): WordTokenizerJson {
    const { table, added, unknown, split, lowercase } = this.#parts;
    return tokenizerJson({
      added,
      normalizer: lowercase ? ({ type: 'Lowercase' } as const) : null,
      preTokenizer: { type: PRE_TOKENIZERS[split] },
      decoder: null,
      model: { type: 'WordLevel', vocab: table.toJson(), unk_token: unknown },
    });
  }
}
