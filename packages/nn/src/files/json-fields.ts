/** Fields of an untrusted JSON object with their types. Inherited fields do not count; null counts as absent. */
import { CheckpointError } from '../errors';

/** A parsed JSON object, read field by field. Every refusal names the file and the field. */
export class Fields {
  private readonly map: ReadonlyMap<string, unknown>;
  private readonly file: string;

  /** @throws CheckpointError unless it is an object */
  constructor(json: unknown, file = 'config.json') {
    if (typeof json !== 'object' || json === null || Array.isArray(json)) {
      throw new CheckpointError(`${file} is not an object`);
    }
    this.map = new Map(Object.entries(json));
    this.file = file;
  }

  /** Whether the field is there, be it null. */
  has(name: string): boolean {
    return this.map.has(name);
  }

  /** An integer from `least` up. */
  count(name: string, fallback?: number, least = 1): number {
    const n = this.number(name, fallback);
    return Number.isSafeInteger(n) && n >= least
      ? n
      : this.fail(name, `is ${n}, not an integer from ${least} up`);
  }

  /** A positive, finite number. */
  positive(name: string, fallback?: number): number {
    const x = this.number(name, fallback);
    return x > 0 && Number.isFinite(x) ? x : this.fail(name, `is ${x}, not a positive number`);
  }

  string(name: string, fallback: string): string {
    const value = this.map.get(name) ?? fallback;
    return typeof value === 'string' ? value : this.fail(name, 'is not a string');
  }

  flag(name: string, fallback: boolean): boolean {
    const value = this.map.get(name) ?? fallback;
    return typeof value === 'boolean' ? value : this.fail(name, 'is not true or false');
  }

  /** One token id or a list of them; none where the field is absent. */
  ids(name: string): number[] {
    const value = this.map.get(name) ?? [];
    return (Array.isArray(value) ? value : [value]).map((id: unknown) =>
      typeof id === 'number' && Number.isSafeInteger(id)
        ? id
        : this.fail(name, 'is not a token id or a list of them'),
    );
  }

  /** Whether a key has this very value. */
  is(name: string, value: unknown): boolean {
    return this.map.get(name) === value;
  }

  nested(name: string): Fields | null {
    const value = this.map.get(name) ?? null;
    return value === null ? null : new Fields(value, `${this.file}: ${name}`);
  }

  want(name: string, fallback: string, allowed: readonly string[]): void {
    const value = this.string(name, fallback);
    if (!allowed.includes(value))
      this.fail(name, `is '${short(value)}', supported are ${allowed.join(', ')}`);
  }

  fail(name: string, message: string): never {
    throw new CheckpointError(`${this.file}: ${name} ${message}`);
  }

  private number(name: string, fallback?: number): number {
    const value = this.map.get(name) ?? fallback;
    return typeof value === 'number'
      ? value
      : this.fail(name, value === undefined ? 'is missing' : 'is not a number');
  }
}

/** Untrusted text in a message: one line, not long. */
export function short(text: string): string {
  const line = JSON.stringify(text).slice(1, -1);
  return line.length <= 60 ? line : `${line.slice(0, 59)}…`;
}
