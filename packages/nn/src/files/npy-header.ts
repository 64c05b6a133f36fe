/** The Python literal of a `.npy` header: one dictionary with three known keys, parsed strictly and not evaluated. */
import { NpyError } from '../errors';

/** What a header says. */
export interface NpyHeader {
  readonly descr: string;
  readonly fortranOrder: boolean;
  readonly shape: readonly number[];
}

const STRING = /'([^'\\\n]*)'|"([^"\\\n]*)"/y;
const BOOL = /True|False/y;
/** `3L` is what Python 2 wrote. */
const INTEGER = /(0|[1-9][0-9]{0,16})L?/y;
const SPACE = /[ \t\r\n]*/y;

/** @throws NpyError that says where the text is wrong */
export function parseNpyHeader(text: string): NpyHeader {
  const p: Parser = new Parser(text);
  let descr: string | null = null;
  let fortranOrder: boolean | null = null;
  let shape: number[] | null = null;
  p.take('{');
  while (!p.skip('}')) {
    const key = p.string();
    p.take(':');
    if (key === 'descr' && descr === null) descr = p.descr();
    else if (key === 'fortran_order' && fortranOrder === null) fortranOrder = p.bool();
    else if (key === 'shape' && shape === null) shape = p.tuple();
    else p.fail(`the key ${JSON.stringify(key).slice(0, 40)} is unknown or comes twice`);
    if (!p.skip(',')) {
      p.take('}');
      break;
    }
  }
  p.end();
  if (descr === null || fortranOrder === null || shape === null)
    p.fail('descr, fortran_order or shape is missing');
  return { descr, fortranOrder, shape };
}

class Parser {
  private readonly text: string;
  private at = 0;

  constructor(text: string) {
    this.text = text;
  }

  string(): string {
    const found = this.match(STRING) ?? this.fail('expected a string without escapes');
    return found[1] ?? found[2]!;
  }

  /** A list describes the fields of records. */
  descr(): string {
    if (this.skip('['))
      this.fail('the elements are records with fields: save the fields one by one');
    return this.string();
  }

  bool(): boolean {
    return (this.match(BOOL) ?? this.fail('expected True or False'))[0] === 'True';
  }

  tuple(): number[] {
    const out: number[] = [];
    this.take('(');
    while (!this.skip(')')) {
      const n = Number((this.match(INTEGER) ?? this.fail('expected a non-negative integer'))[1]);
      if (!Number.isSafeInteger(n)) this.fail('an integer is too large');
      out.push(n);
      if (this.skip(',')) continue;
      if (out.length === 1) this.fail("a tuple of one has a comma: '(3,)'");
      this.take(')');
      break;
    }
    return out;
  }

  end(): void {
    this.match(SPACE);
    if (this.at !== this.text.length) this.fail('there is text behind the dictionary');
  }

  fail(message: string): never {
    throw new NpyError(`header, character ${this.at}: ${message}`);
  }

  take(token: string): void {
    if (!this.skip(token)) this.fail(`expected '${token}'`);
  }

  skip(token: string): boolean {
    this.match(SPACE);
    if (this.text[this.at] !== token) return false;
    this.at++;
    return true;
  }

  private match(pattern: RegExp): RegExpExecArray | null {
    if (pattern !== SPACE) this.match(SPACE);
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found !== null) this.at = pattern.lastIndex;
    return found;
  }
}
