/**
 * The JSON of a safetensors header, read strictly: only the form that the format has, no duplicate names, integers
 * written as integers, no nesting to overflow a stack. `JSON.parse` accepts too much and keeps the last duplicate.
 */
import { SafetensorsError } from '../errors';

/** One tensor of the header, as written. */
export interface RawEntry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface RawHeader {
  readonly tensors: ReadonlyMap<string, RawEntry>;
  readonly metadata: ReadonlyMap<string, string>;
}

/** @throws SafetensorsError that says where the text is wrong */
export function parseHeaderText(text: string): RawHeader {
  const p = new Parser(text);
  const tensors = new Map<string, RawEntry>();
  let metadata: Map<string, string> | null = null;
  p.object((name) => {
    if (name === '__metadata__') {
      if (metadata !== null) p.fail('__metadata__ comes twice');
      metadata = p.stringMap();
    } else {
      if (tensors.has(name)) p.fail(`tensor ${show(name)} comes twice`);
      tensors.set(name, entry(p, name));
    }
  });
  p.end();
  return { tensors, metadata: metadata ?? new Map() };
}

function entry(p: Parser, name: string): RawEntry {
  let dtype: string | null = null;
  let shape: number[] | null = null;
  let offsets: number[] | null = null;
  p.object((field) => {
    if (field === 'dtype' && dtype === null) dtype = p.string();
    else if (field === 'shape' && shape === null) shape = p.integers();
    else if (field === 'data_offsets' && offsets === null) offsets = p.integers();
    else p.fail(`tensor ${show(name)} has the field ${show(field)}, unknown or twice`);
  });
  return complete(p, name, dtype, shape, offsets);
}

function complete(
  p: Parser,
  name: string,
  dtype: string | null,
  shape: number[] | null,
  offsets: number[] | null,
): RawEntry {
  if (dtype === null || shape === null || offsets === null) {
    p.fail(`tensor ${show(name)} lacks dtype, shape or data_offsets`);
  }
  const [begin, end] = offsets;
  if (offsets.length !== 2 || begin === undefined || end === undefined) {
    p.fail(`tensor ${show(name)} has ${offsets.length} data_offsets, not 2`);
  }
  return { dtype, shape, begin, end };
}

/** A name in a message: quoted, one line, not long. */
export function show(name: string): string {
  const text = JSON.stringify(name);
  return text.length <= 80 ? text : `${text.slice(0, 79)}…`;
}

const INTEGER = /(?:0|[1-9][0-9]{0,16})(?![0-9.eE])/y;
const SPACE = /[ \t\r\n]*/y;

class Parser {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  object(member: (name: string) => void): void {
    this.take('{');
    if (this.skip('}')) return;
    do {
      const name = this.string();
      this.take(':');
      member(name);
    } while (this.skip(','));
    this.take('}');
  }

  string(): string {
    this.take('"');
    const start = this.at - 1;
    while (this.at < this.text.length && this.text[this.at] !== '"') {
      this.at += this.text[this.at] === '\\' ? 2 : 1;
    }
    this.at++;
    try {
      return JSON.parse(this.text.slice(start, this.at)) as string;
    } catch {
      return this.fail('a string is cut off, or has an invalid escape or a control character');
    }
  }

  integers(): number[] {
    const out: number[] = [];
    this.take('[');
    if (this.skip(']')) return out;
    do {
      const n = Number(this.match(INTEGER) ?? this.fail('expected a non-negative integer'));
      if (!Number.isSafeInteger(n)) this.fail('an integer is too large');
      out.push(n);
    } while (this.skip(','));
    this.take(']');
    return out;
  }

  stringMap(): Map<string, string> {
    const out = new Map<string, string>();
    this.object((name) => {
      if (out.has(name)) this.fail(`metadata ${show(name)} comes twice`);
      out.set(name, this.string());
    });
    return out;
  }

  end(): void {
    this.match(SPACE);
    if (this.at !== this.text.length) this.fail('there is text after the header');
  }

  fail(message: string): never {
    throw new SafetensorsError(`header, character ${this.at}: ${message}`);
  }

  private take(token: string): void {
    if (!this.skip(token)) this.fail(`expected '${token}'`);
  }

  private skip(token: string): boolean {
    this.match(SPACE);
    if (this.text[this.at] !== token) return false;
    this.at++;
    return true;
  }

  private match(pattern: RegExp): string | null {
    if (pattern !== SPACE) this.match(SPACE);
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found === null) return null;
    this.at = pattern.lastIndex;
    return found[0];
  }
}
