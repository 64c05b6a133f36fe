/**
 * Why data were refused: a `missing` file, a malformed `format`, a `class` with too few samples, a bad `config`,
 * or a `leak` of a pair that must never be seen.
 */
export type DataErrorKind = 'missing' | 'format' | 'class' | 'config' | 'leak';

/** Thrown by everything in `data`. The message is one line: `where: what: the way out`. */
export class DataError extends Error {
  /** The class. */
  override readonly name = 'DataError';
  /** What was wrong. */
  readonly kind: DataErrorKind;
  /** The file, modality or option that was refused. */
  readonly where: string;

  constructor(kind: DataErrorKind, where: string, what: string) {
    super(`${where}: ${what}`);
    this.kind = kind;
    this.where = where;
  }
}

/** Throws DataError unless `value` is an integer in `[low, high]`. */
export function requireCount(where: string, value: number, low: number, high: number): void {
  if (Number.isInteger(value) && value >= low && value <= high) return;
  throw new DataError('config', where, `must be an integer in [${low}, ${high}], got ${value}`);
}

/** Throws DataError unless `value` is a number in `[low, high]`. */
export function requireReal(where: string, value: number, low: number, high: number): void {
  if (value >= low && value <= high) return;
  throw new DataError('config', where, `must be a number in [${low}, ${high}], got ${value}`);
}
