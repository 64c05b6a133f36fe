import { type AddedToken, AddedTokenMatcher, readAddedTokens } from './addedTokens';
import { BertNormalizer, type BertNormalizerOptions } from './bertNormalizer';
import { wellFormed } from './codePoints';
import { show, TokenizerError } from './errors';
import type { DecodeOptions, TextTokenizer } from './tokenizer';
import { type ComponentJson, type TokenizerJson, tokenizerJson } from './tokenizerJson';
import { field, integerField, requireObject, requireType, stringField } from './untrusted';
import { requireToken, TokenTable } from './vocabulary';

/** How a vocab.txt is to be used. */
export interface WordPieceOptions {
  /** Lower-case the text: true for "uncased" vocabularies. */
  readonly lowercase: boolean;
  /** Remove accents. Default: as `lowercase`. */
  readonly stripAccents?: boolean;
}

/** One or two texts as BERT reads them. */
export interface WordPiecePair {
  /** `[CLS] a [SEP]` or `[CLS] a [SEP] b [SEP]`. */
  readonly ids: Int32Array;
  /** 0 for the first text and its markers, 1 for the second. */
  readonly typeIds: Int32Array;
}

/** A WordPiece tokenizer in Hugging Face's tokenizer.json form. */
export type WordPieceJson = TokenizerJson<
  WordPieceModelJson,
  BertNormalizerJson,
  ComponentJson<'BertPreTokenizer'>,
  WordPieceDecoderJson
>;

/** The model of a WordPiece tokenizer.json. */
export interface WordPieceModelJson {
  /** Name of the model. */
  readonly type: 'WordPiece';
  /** Token of words that cannot be covered. */
  readonly unk_token: string;
  /** Mark of pieces that do not begin a word. */
  readonly continuing_subword_prefix: '##';
  /** Longer words are unknown. */
  readonly max_input_chars_per_word: number;
  /** Tokens and ids. */
  readonly vocab: Readonly<Record<string, number>>;
}

/** The normaliser of a BERT tokenizer.json. */
export interface BertNormalizerJson {
  /** Name of the component. */
  readonly type: 'BertNormalizer';
  /** Drop control characters, make white space plain. */
  readonly clean_text: true;
  /** Put spaces around Chinese characters. */
  readonly handle_chinese_chars: boolean;
  /** Remove accents. */
  readonly strip_accents: boolean;
  /** Lower-case. */
  readonly lowercase: boolean;
}

/** The decoder of a WordPiece tokenizer.json. */
export interface WordPieceDecoderJson {
  /** Name of the component. */
  readonly type: 'WordPiece';
  /** Mark of pieces that do not begin a word. */
  readonly prefix: '##';
  /** No space before punctuation and contractions. */
  readonly cleanup: true;
}

interface WordPieceParts {
  readonly table: TokenTable;
  readonly added: readonly AddedToken[];
  readonly unknown: string;
  readonly longestWord: number;
  readonly normalizer: BertNormalizerOptions;
}

const SPECIAL_TOKENS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'];
const CONTINUING = '##';

/**
 * BERT's WordPiece: cleaned text is cut at white space and punctuation, each word is covered greedily by the longest
 * pieces of the vocabulary, `##` before all but the first. A word that cannot be covered is unknown. Special tokens
 * such as `[MASK]` written in the text are recognised.
 */
export class WordPieceTokenizer implements TextTokenizer {
  /** Largest id + 1. */
  readonly vocabSize: number;
  readonly #parts: WordPieceParts;
  readonly #unknownId: number;
  readonly #normalizer: BertNormalizer;
  readonly #matcher: AddedTokenMatcher;
  readonly #specialIds: ReadonlySet<number>;
  /** Characters of the longest token. */
  readonly #longestPiece: number;

  private constructor(where: string, parts: WordPieceParts) {
    this.#parts = parts;
    this.#unknownId = requireTokenId(where, parts.table, parts.unknown);
    this.#normalizer = new BertNormalizer(parts.normalizer);
    this.#matcher = new AddedTokenMatcher(parts.added);
    this.#specialIds = new Set(parts.added.filter((t) => t.special).map((t) => t.id));
    this.#longestPiece = parts.table
      .entries()
      .reduce((most, [token]) => Math.max(most, [...token].length), 1);
    this.vocabSize = parts.table.size;
  }

  /** Reads the text of a vocab.txt, one token a line, the line number the id. Throws TokenizerError. */
  static fromVocab(vocab: string, options: WordPieceOptions): WordPieceTokenizer {
    const where = 'WordPieceTokenizer.fromVocab';
    const lines = vocab.replace(/\r?\n$/, '').split(/\r?\n/);
    const table = TokenTable.fromList(where, lines);
    const added = SPECIAL_TOKENS.flatMap((content) => {
      const id = table.id(content);
      return id === undefined ? [] : [{ id, content, special: true, lstrip: false, rstrip: false }];
    });
    const { lowercase, stripAccents = lowercase } = options;
    return new WordPieceTokenizer(where, {
      table,
      added,
      unknown: '[UNK]',
      longestWord: 100,
      normalizer: { lowercase, stripAccents, chinese: true },
    });
  }

  /** Reads a BERT tokenizer.json, parsed or as text. Throws TokenizerError when malformed or of another kind. */
  static fromJSON(json: unknown): WordPieceTokenizer {
    const where = 'WordPieceTokenizer.fromJSON';
    const root = requireObject(where, 'tokenizer.json', json);
    const model = requireObject(where, 'model', field(root, 'model'));
    requireType(where, model, 'WordPiece');
    if (field(model, 'continuing_subword_prefix') !== CONTINUING) {
      throw new TokenizerError('format', where, 'continuing_subword_prefix must be "##"');
    }
    const normalizer = requireObject(where, 'normalizer', field(root, 'normalizer'));
    requireType(where, normalizer, 'BertNormalizer');
    if (field(normalizer, 'clean_text') === false) {
      throw new TokenizerError('format', where, 'clean_text false is not supported');
    }
    const pre = requireObject(where, 'pre_tokenizer', field(root, 'pre_tokenizer'));
    requireType(where, pre, 'BertPreTokenizer');
    const table = TokenTable.fromJson(where, field(model, 'vocab'));
    const added = readAddedTokens(where, root, table);
    const lowercase = field(normalizer, 'lowercase') === true;
    return new WordPieceTokenizer(where, {
      table,
      added,
      unknown: stringField(where, model, 'unk_token'),
      longestWord: integerField(where, model, 'max_input_chars_per_word', 1, 10_000),
      normalizer: {
        lowercase,
        stripAccents: (field(normalizer, 'strip_accents') ?? lowercase) === true,
        chinese: field(normalizer, 'handle_chinese_chars') !== false,
      },
    });
  }

  /** The id of a token, or undefined. */
  id(token: string): number | undefined {
    return this.#parts.table.id(token);
  }

  /** Ids of `text`, without `[CLS]` and `[SEP]`. */
  encode(text: string): Int32Array {
    const ids: number[] = [];
    for (const piece of this.#matcher.split(wellFormed(text))) {
      if (piece.token !== undefined) {
        ids.push(piece.token.id);
        continue;
      }
      for (const word of this.#normalizer.words(piece.text)) ids.push(...this.#encodeWord(word));
    }
    return Int32Array.from(ids);
  }

  /** Ids and type ids of one or two texts with `[CLS]` and `[SEP]`. Throws TokenizerError if the vocabulary lacks them. */
  encodePair(first: string, second?: string): WordPiecePair {
    const where = 'WordPieceTokenizer.encodePair';
    const start = requireTokenId(where, this.#parts.table, '[CLS]');
    const end = requireTokenId(where, this.#parts.table, '[SEP]');
    const a = [start, ...this.encode(first), end];
    const b = second === undefined ? [] : [...this.encode(second), end];
    const typeIds = new Int32Array(a.length + b.length).fill(1, a.length);
    return { ids: Int32Array.from([...a, ...b]), typeIds };
  }

  /**
   * The text of the ids: pieces joined, words separated by spaces, none before . ? ! , and contractions.
   * Throws TokenizerError for an id that is not in the vocabulary.
   */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const parts: string[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = requireToken('WordPieceTokenizer.decode', this.#parts.table, ids, i);
      if (options.skipSpecial === true && this.#specialIds.has(ids[i]!)) continue;
      if (parts.length === 0) parts.push(token);
      else if (token.startsWith(CONTINUING)) parts.push(token.slice(CONTINUING.length));
      else parts.push(/^([.?!,]|n't|'m|'s|'ve|'re)/.test(token) ? token : ` ${token}`);
    }
    return parts.join('');
  }

  /** The tokenizer.json, read back by {@link WordPieceTokenizer.fromJSON}. */
  toJSON(): WordPieceJson {
    const { table, added, unknown, longestWord, normalizer } = this.#parts;
    return tokenizerJson({
      added,
      normalizer: {
        type: 'BertNormalizer',
        clean_text: true,
        handle_chinese_chars: normalizer.chinese,
        strip_accents: normalizer.stripAccents,
        lowercase: normalizer.lowercase,
      },
      preTokenizer: { type: 'BertPreTokenizer' },
      decoder: { type: 'WordPiece', prefix: CONTINUING, cleanup: true },
      model: {
        type: 'WordPiece',
        unk_token: unknown,
        continuing_subword_prefix: CONTINUING,
        max_input_chars_per_word: longestWord,
        vocab: table.toJson(),
      },
    });
  }

  #encodeWord(word: string): number[] {
    const { table, longestWord } = this.#parts;
    const characters = [...word.slice(0, 2 * longestWord + 2)];
    if (characters.length > longestWord) return [this.#unknownId];
    const ids: number[] = [];
    for (let start = 0; start < characters.length; ) {
      let end = Math.min(characters.length, start + this.#longestPiece);
      let id: number | undefined;
      for (; end > start; end--) {
        const piece = characters.slice(start, end).join('');
        id = table.id(start === 0 ? piece : CONTINUING + piece);
        if (id !== undefined) break;
      }
      if (id === undefined) return [this.#unknownId];
      ids.push(id);
      start = end;
    }
    return ids;
  }
}

function requireTokenId(where: string, table: TokenTable, token: string): number {
  const id = table.id(token);
  if (id !== undefined) return id;
  throw new TokenizerError('format', where, `${show(token)} is not in the vocabulary`);
}
