import { type AddedToken, AddedTokenMatcher } from './addedTokens';
import { type BpeJson, bpeToJson, byteLevelFromJson } from './bpeJson';
import { learnMerges } from './bpeTrain';
import { byteAlphabet } from './byteAlphabet';
import { wellFormed } from './codePoints';
import { requireInteger, show, TokenizerError } from './errors';
import { applyMerges, MergeTable } from './merges';
import { Gpt2PreTokenizer } from './preTokenize';
import type { DecodeOptions, TextTokenizer } from './tokenizer';
import { MAX_ID, requireToken, TokenTable } from './vocabulary';

/** Options of encoding with special tokens in the text. */
export interface EncodeOptions {
  /** Recognise special tokens written in the text. Default false: they are ordinary text. */
  readonly special?: boolean;
}

/** How to train a {@link BpeTokenizer}. */
export interface BpeTrainOptions {
  /** Most ids, special tokens and the 256 bytes included. */
  readonly vocabSize: number;
  /** Tokens that are matched whole on request; they get the first ids. */
  readonly specialTokens?: readonly string[];
  /** Stop when the most frequent pair occurs less often. Default 2. */
  readonly minCount?: number;
}

/** Everything that makes a byte-level BPE tokenizer. */
export interface BpeParts {
  /** Tokens in GPT-2's byte alphabet, added tokens included. */
  readonly table: TokenTable;
  /** Token pairs, earliest first. */
  readonly merges: readonly (readonly [string, string])[];
  readonly added: readonly AddedToken[];
  /** Put a space before text that does not begin with one. */
  readonly addPrefixSpace: boolean;
  /** Take a piece that is a token as a whole, merges or not. */
  readonly ignoreMerges: boolean;
}

/** Distinct pieces whose ids are remembered. */
const CACHE_PIECES = 20_000;
/** Longer pieces are not remembered. */
const CACHE_LENGTH = 64;

/**
 * Byte-level byte-pair encoding as GPT-2 does it (Radford et al. 2019): text is cut by GPT-2's pattern, each piece
 * becomes UTF-8 bytes, and bytes merge by rank. Lossless for all text; a lone surrogate counts as U+FFFD.
 */
export class BpeTokenizer implements TextTokenizer {
  /** Largest id + 1. */
  readonly vocabSize: number;
  /** Token pairs in GPT-2's byte alphabet, in the order of their ranks. */
  readonly merges: readonly (readonly [left: string, right: string])[];
  readonly #parts: BpeParts;
  readonly #mergeTable: MergeTable;
  readonly #byteIds: Int32Array;
  readonly #byteOf: ReadonlyMap<string, number>;
  readonly #preTokenizer: Gpt2PreTokenizer = new Gpt2PreTokenizer();
  readonly #allAdded: AddedTokenMatcher;
  readonly #plainAdded: AddedTokenMatcher;
  readonly #addedById: ReadonlyMap<number, AddedToken>;
  readonly #cache: Map<string, readonly number[]> = new Map();

  private constructor(where: string, parts: BpeParts) {
    const alphabet = byteAlphabet();
    this.#parts = parts;
    this.#mergeTable = MergeTable.fromPairs(where, parts.merges, parts.table);
    this.#byteIds = Int32Array.from(alphabet.charOf, (char) => parts.table.id(char) ?? -1);
    this.#byteOf = alphabet.byteOf;
    this.#allAdded = new AddedTokenMatcher(parts.added);
    this.#plainAdded = new AddedTokenMatcher(parts.added.filter((token) => !token.special));
    this.#addedById = new Map(parts.added.map((token) => [token.id, token]));
    this.vocabSize = parts.table.size;
    this.merges = parts.merges;
  }

  /** Learns merges from `texts`. Throws TokenizerError when `vocabSize` is too small for the bytes and special tokens. */
  static train(texts: Iterable<string>, options: BpeTrainOptions): BpeTokenizer {
    const where = 'BpeTokenizer.train';
    const special = options.specialTokens ?? [];
    const minCount = options.minCount ?? 2;
    requireInteger(where, 'vocabSize', options.vocabSize, 256 + special.length, MAX_ID + 1);
    requireInteger(where, 'minCount', minCount, 1, Number.MAX_SAFE_INTEGER);
    if (special.includes('')) throw new TokenizerError('config', where, 'a special token is empty');
    const { charOf } = byteAlphabet();
    const base = [...special, ...[...charOf].sort()];
    const added = special.map((content, id) => ({ ...SPECIAL, id, content }));
    const words = countPieces(texts, new AddedTokenMatcher(added));
    const byteIds = TokenTable.fromList(where, base);
    const encoder = new TextEncoder();
    const symbols = Array.from(words, ([word, count]) => {
      const bytes = encoder.encode(word);
      return [Array.from(bytes, (byte) => byteIds.id(charOf[byte]!)!), count] as const;
    });
    const learnt = learnMerges(symbols, base, { vocabSize: options.vocabSize, minCount });
    return new BpeTokenizer(where, {
      table: TokenTable.fromList(where, learnt.tokens),
      merges: learnt.merges,
      added,
      addPrefixSpace: false,
      ignoreMerges: false,
    });
  }

  /**
   * Reads a byte-level BPE tokenizer.json as Hugging Face writes it (GPT-2's pattern), parsed or as text.
   * Throws TokenizerError when it is malformed or of another kind.
   */
  static fromJSON(json: unknown): BpeTokenizer {
    const where = 'BpeTokenizer.fromJSON';
    return new BpeTokenizer(where, byteLevelFromJson(where, json));
  }

  /**
   * Reads GPT-2's two files: the text or parsed value of vocab.json and the text of merges.txt.
   * Throws TokenizerError when they are malformed or a special token has no id.
   */
  static fromVocabAndMerges(
    vocab: unknown,
    merges: string,
    options: { readonly specialTokens?: readonly string[] } = {},
  ): BpeTokenizer {
    const where = 'BpeTokenizer.fromVocabAndMerges';
    const table = TokenTable.fromJson(where, vocab);
    const added = (options.specialTokens ?? []).map((content) => {
      const id = table.id(content);
      if (id !== undefined && content !== '') return { ...SPECIAL, id, content };
      throw new TokenizerError(
        'config',
        where,
        `special token ${show(content)} is not in the vocabulary`,
      );
    });
    const pairs = merges
      .split('\n')
      .map((line) => line.replace(/\r$/, ''))
      .filter((line, i) => line !== '' && !(i === 0 && line.startsWith('#version')))
      .map((line): [string, string] => {
        const [left, right, ...rest] = line.split(' ');
        if (left && right && rest.length === 0) return [left, right];
        throw new TokenizerError('format', where, `merges: ${show(line)} is not two tokens`);
      });
    return new BpeTokenizer(where, {
      table,
      merges: pairs,
      added,
      addPrefixSpace: false,
      ignoreMerges: false,
    });
  }

  /** The id of a token in GPT-2's byte alphabet or of an added token, or undefined. */
  id(token: string): number | undefined {
    return this.#parts.table.id(token);
  }

  /** Ids of `text`. Throws TokenizerError for a byte that a loaded vocabulary lacks. */
  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const ids: number[] = [];
    const matcher = options.special === true ? this.#allAdded : this.#plainAdded;
    for (const piece of matcher.split(wellFormed(text))) {
      if (piece.token !== undefined) {
        ids.push(piece.token.id);
        continue;
      }
      const prefix = this.#parts.addPrefixSpace && !/^\p{White_Space}/u.test(piece.text);
      for (const word of this.#preTokenizer.split(prefix ? ` ${piece.text}` : piece.text)) {
        for (const id of this.#encodePiece(word)) ids.push(id);
      }
    }
    return Int32Array.from(ids);
  }

  /**
   * The text of the ids; byte sequences that are not UTF-8 become U+FFFD.
   * Throws TokenizerError for an id that is not in the vocabulary.
   */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const encoder = new TextEncoder();
    const bytes: number[] = [];
    for (let i = 0; i < ids.length; i++) {
      const token = requireToken('BpeTokenizer.decode', this.#parts.table, ids, i);
      const added = this.#addedById.get(ids[i]!);
      if (added !== undefined) {
        if (options.skipSpecial === true && added.special) continue;
        for (const byte of encoder.encode(added.content)) bytes.push(byte);
        continue;
      }
      for (const char of token) {
        const byte = this.#byteOf.get(char);
        // A token outside the byte alphabet is spelt as it stands.
        if (byte !== undefined) bytes.push(byte);
        else for (const b of encoder.encode(char)) bytes.push(b);
      }
    }
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes));
  }

  /** The tokenizer.json, read back by {@link BpeTokenizer.fromJSON} and by Hugging Face's library. */
  toJSON(): BpeJson {
    return bpeToJson(this.#parts);
  }

  #encodePiece(piece: string): readonly number[] {
    const known = this.#cache.get(piece);
    if (known !== undefined) return known;
    const bytes = new TextEncoder().encode(piece);
    const ids = this.#wholeToken(bytes) ?? applyMerges(this.#byteSymbols(bytes), this.#mergeTable);
    if (piece.length <= CACHE_LENGTH) {
      if (this.#cache.size >= CACHE_PIECES) this.#cache.clear();
      this.#cache.set(piece, ids);
    }
    return ids;
  }

  #byteSymbols(bytes: Uint8Array): number[] {
    return Array.from(bytes, (byte) => {
      const id = this.#byteIds[byte]!;
      if (id >= 0) return id;
      throw new TokenizerError('input', 'BpeTokenizer.encode', `no token for byte ${byte}`);
    });
  }

  #wholeToken(bytes: Uint8Array): number[] | undefined {
    if (!this.#parts.ignoreMerges) return undefined;
    const { charOf } = byteAlphabet();
    const id = this.#parts.table.id(Array.from(bytes, (byte) => charOf[byte]!).join(''));
    return id === undefined ? undefined : [id];
  }
}

const SPECIAL = { special: true, lstrip: false, rstrip: false } as const;

function countPieces(texts: Iterable<string>, special: AddedTokenMatcher): Map<string, number> {
  const preTokenizer = new Gpt2PreTokenizer();
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const piece of special.split(wellFormed(text))) {
      if (piece.token !== undefined) continue;
      for (const word of preTokenizer.split(piece.text)) {
        counts.set(word, (counts.get(word) ?? 0) + 1);
      }
    }
  }
  return counts;
}
