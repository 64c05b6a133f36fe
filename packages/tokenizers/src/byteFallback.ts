import { type AddedToken, AddedTokenMatcher } from './addedTokens';
import type { EncodeOptions } from './bpe';
import { readBpeModel } from './bpeJson';
import { wellFormed } from './codePoints';
import { show, TokenizerError } from './errors';
import { applyMerges, MergeTable } from './merges';
import { metaspaceFromJson } from './metaspace';
import type { DecodeOptions, TextTokenizer } from './tokenizer';
import { field } from './untrusted';
import { requireToken, TokenTable } from './vocabulary';

interface FallbackParts {
  readonly table: TokenTable;
  readonly mergeTable: MergeTable;
  readonly added: readonly AddedToken[];
  readonly unknown: string | undefined;
  /** Neighbouring unknown characters are one unknown token. */
  readonly fuseUnknown: boolean;
  readonly ignoreMerges: boolean;
  /** Put a ▁ before the text: before every stretch between added tokens, only at the very start, or never. */
  readonly prefix: 'always' | 'first' | 'never';
}

const META_SPACE = '▁';
/** First id of a llama2.c vocabulary that is neither control token nor byte. */
const FIRST_PIECE = 259;

/**
 * Llama-style byte-pair encoding (SentencePiece with byte fallback): space becomes ▁, one ▁ goes before the text,
 * characters merge by rank over the whole text, and characters that the vocabulary lacks become `<0xNN>` bytes.
 */
export class ByteFallbackBpe implements TextTokenizer {
  /** Largest id + 1. */
  readonly vocabSize: number;
  readonly #parts: FallbackParts;
  readonly #byteIds: Int32Array;
  readonly #byteOfId: ReadonlyMap<number, number>;
  readonly #allAdded: AddedTokenMatcher;
  readonly #plainAdded: AddedTokenMatcher;
  readonly #specialIds: ReadonlySet<number>;
  readonly #addedIds: ReadonlySet<number>;

  private constructor(parts: FallbackParts) {
    this.#parts = parts;
    this.#byteIds = Int32Array.from({ length: 256 }, (_, b) => parts.table.id(byteToken(b)) ?? -1);
    this.#byteOfId = new Map([...this.#byteIds].map((id, byte) => [id, byte]));
    this.#allAdded = new AddedTokenMatcher(parts.added);
    this.#plainAdded = new AddedTokenMatcher(parts.added.filter((token) => !token.special));
    this.#specialIds = new Set(parts.added.filter((t) => t.special).map((t) => t.id));
    this.#addedIds = new Set(parts.added.map((t) => t.id));
    this.vocabSize = parts.table.size;
  }

  /** Reads a byte-fallback BPE tokenizer.json as Hugging Face writes it for Llama and Mistral. Throws TokenizerError. */
  static fromJSON(json: unknown): ByteFallbackBpe {
    const where = 'ByteFallbackBpe.fromJSON';
    const { table, merges, added, ignoreMerges, model, root } = readBpeModel(where, json);
    if (field(model, 'byte_fallback') !== true) {
      throw new TokenizerError(
        'format',
        where,
        'model.byte_fallback is not true: use BpeTokenizer.fromJSON',
      );
    }
    const unknown = field(model, 'unk_token') ?? undefined;
    if (unknown !== undefined && (typeof unknown !== 'string' || table.id(unknown) === undefined)) {
      throw new TokenizerError(
        'format',
        where,
        `unk_token ${show(unknown)} is not in the vocabulary`,
      );
    }
    return new ByteFallbackBpe({
      table,
      mergeTable: MergeTable.fromPairs(where, merges, table),
      added,
      unknown,
      fuseUnknown: field(model, 'fuse_unk') === true,
      ignoreMerges,
      prefix: metaspaceFromJson(where, root),
    });
  }

  /**
   * Reads the tokenizer.bin of llama2.c: int32 longest token, then per token float32 score, int32 length, bytes.
   * Ids 0, 1 and 2 are unknown, beginning and end; 3…258 are the bytes. Merges follow the scores.
   * Throws TokenizerError when it is malformed.
   */
  static fromLlama2c(bytes: Uint8Array): ByteFallbackBpe {
    const where = 'ByteFallbackBpe.fromLlama2c';
    const { table, scores } = readLlama2c(where, bytes);
    const added = [0, 1, 2].map((id) => {
      const content = table.token(id);
      if (content !== undefined)
        return { id, content, special: true, lstrip: false, rstrip: false };
      throw new TokenizerError('format', where, 'fewer than three tokens');
    });
    return new ByteFallbackBpe({
      table,
      mergeTable: mergesFromScores(table, scores),
      added,
      unknown: table.token(0),
      fuseUnknown: true,
      ignoreMerges: false,
      prefix: 'always',
    });
  }

  /** The id of a token, or undefined. */
  id(token: string): number | undefined {
    return this.#parts.table.id(token);
  }

  /** Whether a token is a `<0xNN>` byte. */
  isByte(id: number): boolean {
    return this.#byteOfId.has(id);
  }

  /** Ids of `text`, without beginning or end tokens. Throws TokenizerError for characters without any token. */
  encode(text: string, options: EncodeOptions = {}): Int32Array {
    const { prefix } = this.#parts;
    const ids: number[] = [];
    const matcher = options.special === true ? this.#allAdded : this.#plainAdded;
    matcher.split(wellFormed(text)).forEach((piece, i) => {
      if (piece.token !== undefined) {
        ids.push(piece.token.id);
        return;
      }
      const start = prefix === 'always' || (prefix === 'first' && i === 0) ? META_SPACE : '';
      const normal = start + piece.text.replaceAll(' ', META_SPACE);
      for (const id of this.#encodeNormalised(normal)) ids.push(id);
    });
    return Int32Array.from(ids);
  }

  /**
   * The text of the ids without the leading space that encoding put there. In a run of byte tokens that is not UTF-8
   * every byte becomes U+FFFD. Throws TokenizerError for an id that is not in the vocabulary.
   */
  decode(ids: ArrayLike<number>, options: DecodeOptions = {}): string {
    const parts: string[] = [];
    let run: number[] = [];
    const flush = (): void => {
      if (run.length > 0) parts.push(decodeRun(run));
      run = [];
    };
    for (let i = 0; i < ids.length; i++) {
      const token = requireToken('ByteFallbackBpe.decode', this.#parts.table, ids, i);
      const id = ids[i]!;
      if (options.skipSpecial === true && this.#specialIds.has(id)) continue;
      const byte = this.#byteOfId.get(id);
      if (byte !== undefined) {
        run.push(byte);
        continue;
      }
      flush();
      parts.push(this.#addedIds.has(id) ? token : token.replaceAll(META_SPACE, ' '));
    }
    flush();
    const text = parts.join('');
    return this.#parts.prefix !== 'never' && text.startsWith(' ') ? text.slice(1) : text;
  }

  #encodeNormalised(text: string): number[] {
    const whole = this.#parts.ignoreMerges ? this.#parts.table.id(text) : undefined;
    return whole === undefined ? applyMerges(this.#symbols(text), this.#parts.mergeTable) : [whole];
  }

  /** Ids of the characters; what has none becomes bytes, or the unknown token. */
  #symbols(text: string): number[] {
    const { table, unknown, fuseUnknown } = this.#parts;
    const encoder = new TextEncoder();
    const symbols: number[] = [];
    let afterUnknown = false;
    for (const char of text) {
      const id = table.id(char);
      const bytes = id === undefined ? this.#fallback(encoder.encode(char)) : [id];
      if (bytes !== undefined) {
        symbols.push(...bytes);
        afterUnknown = false;
        continue;
      }
      const unknownId = unknown === undefined ? undefined : table.id(unknown);
      if (unknownId === undefined) {
        throw new TokenizerError('input', 'ByteFallbackBpe.encode', `no token for ${show(char)}`);
      }
      if (!(afterUnknown && fuseUnknown)) symbols.push(unknownId);
      afterUnknown = true;
    }
    return symbols;
  }

  #fallback(bytes: Uint8Array): number[] | undefined {
    const ids = Array.from(bytes, (byte) => this.#byteIds[byte]!);
    return ids.includes(-1) ? undefined : ids;
  }
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}

function decodeRun(bytes: readonly number[]): string {
  try {
    const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
    return strict.decode(Uint8Array.from(bytes));
  } catch {
    return '\uFFFD'.repeat(bytes.length);
  }
}

function readLlama2c(where: string, bytes: Uint8Array): { table: TokenTable; scores: number[] } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const table = new TokenTable();
  const scores: number[] = [];
  for (let at = 4; at < bytes.length; ) {
    const id = scores.length;
    const length = at + 8 <= bytes.length ? view.getInt32(at + 4, true) : -1;
    if (length < 0 || at + 8 + length > bytes.length) {
      throw new TokenizerError('format', where, `truncated at token ${id}`);
    }
    const score = view.getFloat32(at, true);
    if (Number.isNaN(score)) {
      throw new TokenizerError('format', where, `the score of token ${id} is not a number`);
    }
    const text = decoder.decode(bytes.subarray(at + 8, at + 8 + length));
    // The file has spaces for ▁, padded markers for 1 and 2, and <0xNN> for the bytes.
    const token = id < 3 ? text.trim() : text.replaceAll(' ', META_SPACE);
    table.add(where, token, id);
    scores.push(score);
    at += 8 + length;
  }
  return { table, scores };
}

/** SentencePiece merges any two tokens that spell a third, the best score first; control and byte tokens never. */
function mergesFromScores(table: TokenTable, scores: readonly number[]): MergeTable {
  const merges = new MergeTable();
  const entries = table.entries();
  // only where both parts have the length of some token: a long token has few such cuts, however long
  const lengths = new Set(entries.map(([token]) => token.length));
  for (const [token, id] of entries.slice(FIRST_PIECE)) {
    for (const cut of lengths) {
      if (cut === 0 || !lengths.has(token.length - cut)) continue;
      const left = table.id(token.slice(0, cut));
      const right = left === undefined ? undefined : table.id(token.slice(cut));
      if (left === undefined || right === undefined) continue;
      merges.set(left, right, { rank: -scores[id]!, id });
    }
  }
  return merges;
}
