import { show, TokenizerError } from './errors';
import { requireObject } from './untrusted';

/** Largest id a loaded vocabulary may use. */
export const MAX_ID: number = (1 << 24) - 1;

/** Token strings and their ids, both ways. Ids are unique, not necessarily dense. */
export class TokenTable {
  readonly #ids: Map<string, number> = new Map();
  readonly #tokens: Map<number, string> = new Map();
  #size = 0;

  /** A table of the tokens with ids 0, 1, 2, … Throws TokenizerError for a repeated token. */
  static fromList(where: string, tokens: Iterable<string>): TokenTable {
    const table = new TokenTable();
    for (const token of tokens) table.add(where, token, table.size);
    return table;
  }

  /** The `{token: id}` object of an untrusted vocabulary. Throws TokenizerError when malformed. */
  static fromJson(where: string, value: unknown): TokenTable {
    const table = new TokenTable();
    for (const [token, id] of Object.entries(requireObject(where, 'vocab', value))) {
      if (typeof id !== 'number' || !Number.isInteger(id) || id < 0 || id > MAX_ID) {
        throw new TokenizerError(
          'format',
          where,
          `id of ${show(token)} must be an integer in [0, ${MAX_ID}], got ${show(id)}`,
        );
      }
      table.add(where, token, id);
    }
    return table;
  }

  /** Largest id + 1. */
  get size(): number {
    return this.#size;
  }

  /** Adds a token. Throws TokenizerError if token or id is taken. */
  add(where: string, token: string, id: number): void {
    if (this.#ids.has(token)) {
      throw new TokenizerError('format', where, `token ${show(token)} occurs twice`);
    }
    const other = this.#tokens.get(id);
    if (other !== undefined) {
      throw new TokenizerError(
        'format',
        where,
        `id ${id} is both ${show(other)} and ${show(token)}`,
      );
    }
    this.#ids.set(token, id);
    this.#tokens.set(id, token);
    this.#size = Math.max(this.#size, id + 1);
  }

  /** The id of a token. */
  id(token: string): number | undefined {
    return this.#ids.get(token);
  }

  /** The token of an id. */
  token(id: number): string | undefined {
    return this.#tokens.get(id);
  }

  /** Tokens and ids in the order of ids. */
  entries(): [string, number][] {
    return [...this.#ids].sort((a, b) => a[1] - b[1]);
  }

  /** The `{token: id}` object, in the order of ids. */
  toJson(): Record<string, number> {
    return Object.fromEntries(this.entries());
  }
}

/** The token of an id. Throws TokenizerError when there is none, also for a hole in the ids. */
export function requireToken(
  where: string,
  table: TokenTable,
  ids: ArrayLike<number>,
  position: number,
): string {
  const id = ids[position];
  const token = id === undefined ? undefined : table.token(id);
  if (token !== undefined) return token;
  throw new TokenizerError(
    'id',
    where,
    `id ${show(id)} at position ${position} is not in the vocabulary, ids lie in [0, ${table.size})`,
  );
}
