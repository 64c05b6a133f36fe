import { type AddedToken, readAddedTokens } from './addedTokens';
import { show, TokenizerError } from './errors';
import { type TokenizerJson, tokenizerJson } from './tokenizerJson';
import { field, type JsonObject, requireObject, requireType } from './untrusted';
import { TokenTable } from './vocabulary';

/** A byte-level BPE tokenizer in Hugging Face's tokenizer.json form. */
export type BpeJson = TokenizerJson<BpeModelJson, null, ByteLevelJson, ByteLevelJson>;

/** The model of a BPE tokenizer.json. */
export interface BpeModelJson {
  /** Name of the model. */
  readonly type: 'BPE';
  /** Never drops merges. */
  readonly dropout: null;
  /** Byte-level BPE knows every byte. */
  readonly unk_token: null;
  /** Pieces carry no mark. */
  readonly continuing_subword_prefix: null;
  /** Words carry no mark. */
  readonly end_of_word_suffix: null;
  /** Of no effect without an unknown token. */
  readonly fuse_unk: false;
  /** Bytes are characters of the byte alphabet, not `<0xNN>`. */
  readonly byte_fallback: false;
  /** Take a piece that is a token as a whole. */
  readonly ignore_merges: boolean;
  /** Tokens and ids. */
  readonly vocab: Readonly<Record<string, number>>;
  /** Token pairs by rank. */
  readonly merges: readonly (readonly [string, string])[];
}

/** The ByteLevel component of a tokenizer.json. */
export interface ByteLevelJson {
  /** Name of the component. */
  readonly type: 'ByteLevel';
  /** Put a space before text that does not begin with one. */
  readonly add_prefix_space: boolean;
  /** Of no effect on ids. */
  readonly trim_offsets: boolean;
  /** Cut by GPT-2's pattern. */
  readonly use_regex: boolean;
}

/** What BPE models of both kinds have in common. */
export interface BpeModel {
  /** Tokens and ids, added tokens included. */
  readonly table: TokenTable;
  readonly merges: readonly (readonly [string, string])[];
  readonly added: readonly AddedToken[];
  readonly ignoreMerges: boolean;
  /** The model object, for what only one kind has. */
  readonly model: JsonObject;
  /** The whole tokenizer.json. */
  readonly root: JsonObject;
}

/** Reads the BPE model and the added tokens of a tokenizer.json. Throws TokenizerError. */
export function readBpeModel(where: string, json: unknown): BpeModel {
  const root = requireObject(where, 'tokenizer.json', json);
  const model = requireObject(where, 'model', field(root, 'model'));
  // Old files leave the type out.
  if (field(model, 'type') !== undefined) requireType(where, model, 'BPE');
  for (const name of ['continuing_subword_prefix', 'end_of_word_suffix', 'dropout']) {
    const value = field(model, name);
    if (value === undefined || value === null || value === '' || value === 0) continue;
    throw new TokenizerError('format', where, `model.${name} ${show(value)} is not supported`);
  }
  const table = TokenTable.fromJson(where, field(model, 'vocab'));
  const added = readAddedTokens(where, root, table);
  const merges = parseMerges(where, field(model, 'merges'));
  const ignoreMerges = field(model, 'ignore_merges') === true;
  return { table, merges, added, ignoreMerges, model, root };
}

/** Reads a byte-level BPE tokenizer.json with GPT-2's pattern. Throws TokenizerError. */
export function byteLevelFromJson(
  where: string,
  json: unknown,
): Omit<BpeModel, 'model' | 'root'> & { readonly addPrefixSpace: boolean } {
  const { root, model, ...common } = readBpeModel(where, json);
  if (field(model, 'byte_fallback') === true) {
    throw new TokenizerError(
      'format',
      where,
      'a byte-fallback model: use ByteFallbackBpe.fromJSON',
    );
  }
  if ((field(root, 'normalizer') ?? null) !== null) {
    throw new TokenizerError('format', where, 'a normalizer is not supported for byte-level BPE');
  }
  const preTokenizer = requireObject(where, 'pre_tokenizer', field(root, 'pre_tokenizer'));
  requireType(where, preTokenizer, 'ByteLevel');
  if (field(preTokenizer, 'use_regex') === false) {
    throw new TokenizerError('format', where, 'pre_tokenizer.use_regex false is not supported');
  }
  const addPrefixSpace = field(preTokenizer, 'add_prefix_space') === true;
  return { ...common, addPrefixSpace };
}

/** Merges as `"left right"` strings or `["left", "right"]` pairs. */
function parseMerges(where: string, value: unknown): [string, string][] {
  if (!Array.isArray(value)) {
    throw new TokenizerError('format', where, `merges must be an array, got ${show(value)}`);
  }
  return value.map((entry: unknown, i) => {
    const pair: unknown = typeof entry === 'string' ? entry.split(' ') : entry;
    if (Array.isArray(pair) && pair.length === 2) {
      const [left, right]: unknown[] = pair;
      if (typeof left === 'string' && typeof right === 'string' && left !== '' && right !== '') {
        return [left, right];
      }
    }
    throw new TokenizerError(
      'format',
      where,
      `merges[${i}] must be two tokens, got ${show(entry)}`,
    );
  });
}

/** The tokenizer.json of a byte-level BPE tokenizer. */
export function bpeToJson(parts: {
  readonly table: TokenTable;
  readonly merges: readonly (readonly [string, string])[];
  readonly added: readonly AddedToken[];
  readonly addPrefixSpace: boolean;
  readonly ignoreMerges: boolean;
}): BpeJson {
  const byteLevel = { type: 'ByteLevel', trim_offsets: true, use_regex: true } as const;
  return tokenizerJson({
    added: parts.added,
    normalizer: null,
    preTokenizer: { ...byteLevel, add_prefix_space: parts.addPrefixSpace },
    decoder: { ...byteLevel, add_prefix_space: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: parts.ignoreMerges,
      vocab: parts.table.toJson(),
      merges: parts.merges,
    },
  });
}
