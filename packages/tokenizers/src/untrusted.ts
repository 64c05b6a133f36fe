import { show, TokenizerError } from './errors';

/** A parsed JSON object whose fields have not been checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>;

/** `value` as a JSON object: a string is parsed first. Throws TokenizerError otherwise. */
export function requireObject(where: string, name: string, value: unknown): JsonObject {
  let parsed = value;
  if (typeof value === 'string') {
    try {
      parsed = JSON.parse(value);
    } catch {
      throw new TokenizerError('format', where, `${name} is not valid JSON`);
    }
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
    return parsed as JsonObject;
  }
  throw new TokenizerError('format', where, `${name} must be an object, got ${show(parsed)}`);
}

/** An own field of an untrusted object; inherited ones do not count. */
export function field(object: JsonObject, name: string): unknown {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

/** An own field that must be a string. */
export function stringField(where: string, object: JsonObject, name: string): string {
  const value = field(object, name);
  if (typeof value === 'string') return value;
  throw new TokenizerError('format', where, `${name} must be a string, got ${show(value)}`);
}

/** An own field that must be an integer in `[low, high]`. */
export function integerField(
  where: string,
  object: JsonObject,
  name: string,
  low: number,
  high: number,
): number {
  const value = field(object, name);
  if (typeof value === 'number' && Number.isInteger(value) && value >= low && value <= high) {
    return value;
  }
  throw new TokenizerError(
    'format',
    where,
    `${name} must be an integer in [${low}, ${high}], got ${show(value)}`,
  );
}

/** An own field that must be an array of `length` finite numbers. */
export function numbersField(
  where: string,
  object: JsonObject,
  name: string,
  length: number,
): number[] {
  const value = field(object, name);
  if (!Array.isArray(value) || value.length !== length) {
    throw new TokenizerError(
      'format',
      where,
      `${name} must be an array of ${length} numbers, got ${show(value)}`,
    );
  }
  return value.map((v: unknown, i) => {
    if (typeof v === 'number' && Number.isFinite(v)) return v;
    throw new TokenizerError('format', where, `${name}[${i}] must be a finite number`);
  });
}

/** Throws unless the object's `type` field is `type`. */
export function requireType(where: string, object: JsonObject, type: string): void {
  const found = field(object, 'type');
  if (found === type) return;
  throw new TokenizerError('format', where, `type must be "${type}", got ${show(found)}`);
}
