import { show, TokenizerError } from './errors';
import { field, integerField, type JsonObject, requireObject, stringField } from './untrusted';
import { MAX_ID, type TokenTable } from './vocabulary';

/** A token matched in the raw text before anything else, as Hugging Face's `added_tokens`. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Special tokens are matched only on request and can be skipped when decoding. */
  readonly special: boolean;
  /** Also swallow white space to the left. */
  readonly lstrip: boolean;
  /** Also swallow white space to the right. */
  readonly rstrip: boolean;
}

/** A stretch of text, or an added token found in it. */
export type TextPiece =
  | { readonly text: string; readonly token?: undefined }
  | { readonly token: AddedToken };

interface TrieNode {
  readonly next: Map<string, TrieNode>;
  token: AddedToken | undefined;
}

/** Finds added tokens in text: leftmost, then longest. */
export class AddedTokenMatcher {
  readonly #root: TrieNode = { next: new Map(), token: undefined };

  constructor(tokens: readonly AddedToken[]) {
    for (const token of tokens) {
      let node = this.#root;
      for (const unit of token.content.split('')) {
        let next = node.next.get(unit);
        if (next === undefined) {
          next = { next: new Map(), token: undefined };
          node.next.set(unit, next);
        }
        node = next;
      }
      node.token = token;
    }
  }

  /** The pieces of `text` in order; empty stretches are left out. */
  split(text: string): TextPiece[] {
    const pieces: TextPiece[] = [];
    let start = 0;
    const pushText = (end: number): void => {
      if (end > start) pieces.push({ text: text.slice(start, end) });
    };
    if (this.#root.next.size === 0) {
      pushText(text.length);
      return pieces;
    }
    for (let at = 0; at < text.length; ) {
      const token = this.#longestAt(text, at);
      if (token === undefined) {
        at++;
        continue;
      }
      let end = at;
      while (token.lstrip && end > start && isSpace(text, end - 1)) end--;
      pushText(end);
      pieces.push({ token });
      at += token.content.length;
      while (token.rstrip && at < text.length && isSpace(text, at)) at++;
      start = at;
    }
    pushText(text.length);
    return pieces;
  }

  #longestAt(text: string, at: number): AddedToken | undefined {
    let node: TrieNode | undefined = this.#root;
    let found: AddedToken | undefined;
    for (let i = at; i < text.length; i++) {
      node = node.next.get(text[i]!);
      if (node === undefined) break;
      if (node.token !== undefined) found = node.token;
    }
    return found;
  }
}

function isSpace(text: string, at: number): boolean {
  return /\p{White_Space}/u.test(text[at]!);
}

/**
 * The `added_tokens` of a tokenizer.json; those that the model's vocabulary lacks are added to the table.
 * Throws TokenizerError when malformed, unsupported or at odds with the vocabulary.
 */
export function readAddedTokens(where: string, root: JsonObject, table: TokenTable): AddedToken[] {
  const added = parseAddedTokens(where, field(root, 'added_tokens'));
  for (const { id, content } of added) {
    if (table.id(content) === undefined) table.add(where, content, id);
    if (table.id(content) === id) continue;
    throw new TokenizerError('format', where, `added token ${show(content)} has two ids`);
  }
  return added;
}

function parseAddedTokens(where: string, value: unknown): AddedToken[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    throw new TokenizerError('format', where, `added_tokens must be an array, got ${show(value)}`);
  }
  const contents = new Set<string>();
  return value.map((entry: unknown, i) => {
    const name = `added_tokens[${i}]`;
    const object = requireObject(where, name, entry);
    const content = stringField(where, object, 'content');
    if (content === '' || contents.has(content)) {
      throw new TokenizerError(
        'format',
        where,
        `${name} is ${content === '' ? 'empty' : `a second ${show(content)}`}`,
      );
    }
    contents.add(content);
    if (field(object, 'single_word') === true) {
      throw new TokenizerError('format', where, `${name}: single_word is not supported`);
    }
    return {
      id: integerField(where, object, 'id', 0, MAX_ID),
      content,
      special: field(object, 'special') === true,
      lstrip: field(object, 'lstrip') === true,
      rstrip: field(object, 'rstrip') === true,
    };
  });
}

/** The `added_tokens` entries of a tokenizer.json. */
export function addedTokensToJson(tokens: readonly AddedToken[]): AddedTokenJson[] {
  return tokens.map(({ id, content, special, lstrip, rstrip }) => ({
    id,
    content,
    single_word: false,
    lstrip,
    rstrip,
    normalized: false,
    special,
  }));
}

/** One entry of `added_tokens` as it stands in a tokenizer.json. */
export interface AddedTokenJson {
  /** Id of the token. */
  readonly id: number;
  /** The token as it stands in the text. */
  readonly content: string;
  /** Match only whole words; not supported, always false. */
  readonly single_word: boolean;
  /** Also swallow white space to the left. */
  readonly lstrip: boolean;
  /** Also swallow white space to the right. */
  readonly rstrip: boolean;
  /** Match in the normalised text; always false. */
  readonly normalized: boolean;
  /** Matched only on request, and can be skipped when decoding. */
  readonly special: boolean;
}
