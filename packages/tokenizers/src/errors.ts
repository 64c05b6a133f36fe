/** Why a tokenizer refused: bad `id`, bad `input`, bad `config`, or a malformed or unsupported `format`. */
export type TokenizerErrorKind = 'id' | 'input' | 'config' | 'format';

/**
 * Thrown by everything in this package. The message is one line: `where: what, and the way out`.
 * A subclass of RangeError, because most refusals name a value and the range it must lie in.
 */
export class TokenizerError extends RangeError {
  /** What was wrong. */
  readonly kind: TokenizerErrorKind;
  /** The operation that refused, such as `PixelTokenizer.decode`. */
  readonly where: string;

  constructor(kind: TokenizerErrorKind, where: string, what: string) {
    super(`${where}: ${what}`);
    this.name = 'TokenizerError';
    this.kind = kind;
    this.where = where;
  }
}

/** A short printable form of an untrusted value for error messages. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    const text = JSON.stringify(value);
    return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
  }
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) return 'an object';
  return String(value);
}

/** Throws unless `value` is an integer in `[low, high]`. */
export function requireInteger(
  where: string,
  name: string,
  value: unknown,
  low: number,
  high: number,
): asserts value is number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) return;
  throw new TokenizerError(
    'config',
    where,
    `${name} must be an integer in [${low}, ${high}], got ${show(value)}`,
  );
}

/** Throws unless `value` is a finite number in `[low, high]`. */
export function requireNumber(
  where: string,
  name: string,
  value: unknown,
  low: number,
  high: number,
): asserts value is number {
  if (typeof value === 'number' && value >= low && value <= high) return;
  throw new TokenizerError(
    'config',
    where,
    `${name} must be a number in [${low}, ${high}], got ${show(value)}`,
  );
}

/** Throws unless every id is an integer in `[0, vocabSize)`. */
export function requireIds(where: string, ids: ArrayLike<number>, vocabSize: number): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i];
    if (id !== undefined && Number.isInteger(id) && id >= 0 && id < vocabSize) continue;
    throw new TokenizerError(
      'id',
      where,
      `id ${show(id)} at position ${i} is outside [0, ${vocabSize})`,
    );
  }
}

/** Throws unless there are exactly `length` ids, each in `[0, vocabSize)`. */
export function requireBlock(
  where: string,
  ids: ArrayLike<number>,
  length: number,
  vocabSize: number,
): void {
  if (ids.length !== length) {
    throw new TokenizerError('id', where, `expected ${length} ids, got ${ids.length}`);
  }
  requireIds(where, ids, vocabSize);
}
