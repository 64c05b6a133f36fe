/** Tokenizers on random Unicode, and on long runs of one letter. */
import {
  BpeTokenizer,
  ByteFallbackBpe,
  ByteTokenizer,
  WordPieceTokenizer,
  WordTokenizer,
} from '@loretta-ts/tokenizers';
import type { HostRandom } from '@loretta-ts/core';
import { eachCase, must, pick, type Report, type Row } from '../row';
import { fallbackJson, gpt2Files, llama2cTokenizer } from '../vocabularies';

const CORPUS = [
  'the cat sat on the mat, and the dog sat on the log.   It was 10:45, 23 of them!\n',
  'naïve café — “quoted” 日本語のテキスト 🙂🙂 👩‍👩‍👧 \t\ttabs  and   spaces\r\n',
];

/** What is encoded well and what is not: words, spaces, marks, surrogate pairs, joined emoji, any code point. */
const ALPHABETS: readonly ((random: HostRandom) => string)[] = [
  (r) => String.fromCodePoint(97 + r.int(26)),
  (r) => pick(r, [' ', '  ', '\n', '\t', '\r\n', '\u00a0', '\u2028', '\u3000', '\ufeff']),
  (r) => pick(r, ["'s", "'ll", '...', '<s>', '<|endoftext|>', '##', '<0x41>', '\\', '"']),
  (r) => pick(r, ['e\u0301', 'ǆ', 'ß', 'İ', '\u0000', '\u200d', '\ufffd', '👩‍👩‍👧', '🏳️‍🌈', '🇩🇪']),
  (r) => String.fromCodePoint(0x4e00 + r.int(0x5000)),
  (r) => String.fromCodePoint(0x1f300 + r.int(0x300)),
  (r) => {
    const point = r.int(0x10f800);
    return String.fromCodePoint(point < 0xd800 ? point : point + 0x800);
  },
];

function text(random: HostRandom): string {
  const chosen = Array.from({ length: 1 + random.int(3) }, () => pick(random, ALPHABETS));
  return Array.from({ length: random.int(40) }, () => pick(random, chosen)(random)).join('');
}

interface Tokens {
  encode(text: string): ArrayLike<number>;
  decode(ids: ArrayLike<number>): string;
}

const SIZES = [131_072, 262_144, 524_288, 1_048_576] as const;
const LONG = ['a', ' ', '🙂'];
const LIMIT = 1.2;
const ROUNDS = { least: 3, most: 30 };
/** Milliseconds after which no further round begins. */
const PATIENCE = 5000;

/** Milliseconds of this process's own time: others on the machine do not count. */
function cpuTime(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** The slope of log y over log x, by least squares. */
function exponent(x: readonly number[], y: readonly number[]): number {
  const mean = (list: readonly number[]): number => list.reduce((a, b) => a + b, 0) / list.length;
  const [u, v] = [x.map(Math.log), y.map(Math.log)];
  const [mu, mv] = [mean(u), mean(v)];
  const covariance = mean(u.map((a, i) => (a - mu) * (v[i]! - mv)));
  return covariance / mean(u.map((a) => (a - mu) ** 2));
}

/** One pass over the characters, which does no more than any tokenizer must: what memory alone makes of n. */
function plainPass(text: string): void {
  Int32Array.from(Array.from(text), (character) => character.codePointAt(0)!);
}

/** Least times of several rounds by size: compiling and a busy machine only ever add. */
class Times {
  readonly least: number[] = SIZES.map(() => Infinity);
  /** Milliseconds of all. */
  spent = 0;

  measure(size: number, run: () => void): void {
    const time = cpuTime(run);
    this.spent += time;
    // 1 ms: below that the clock decides
    this.least[size] = Math.max(1, Math.min(this.least[size]!, time));
  }

  get exponent(): number {
    return exponent(SIZES, this.least);
  }
}

/**
 * A megabyte of one letter, whole, and how time grows up to it. Where a plain pass over the same text, between the
 * same measurements, grows faster than n, the limit is as much higher. More rounds bring what is in proportion below
 * the limit, and never what is not.
 */
function checkLong(name: string, tokens: Tokens, lossless: boolean, report: Report): number {
  let worst = 0;
  for (const letter of LONG) {
    const bytes = new TextEncoder().encode(letter).length;
    const texts = SIZES.map((n) => letter.repeat(Math.floor(n / bytes)));
    const where = `${name} of 1 MB of ${JSON.stringify(letter)}`;
    const whole = texts.at(-1)!;
    if (lossless && tokens.decode(tokens.encode(whole)) !== whole) {
      report.fail(where, 'decode(encode(s)) is not s');
    }
    const [own, plain] = [new Times(), new Times()];
    let limit = 0;
    const again = (): boolean => own.exponent > limit && own.spent < PATIENCE;
    for (let n = 0; n < ROUNDS.least || (again() && n < ROUNDS.most); n++) {
      for (const [i, s] of texts.entries()) {
        own.measure(i, () => tokens.encode(s));
        plain.measure(i, () => plainPass(s));
      }
      limit = LIMIT + Math.max(0, plain.exponent - 1);
    }
    worst = Math.max(worst, own.exponent);
    if (own.exponent > limit) {
      const text = `${own.least} ms for ${SIZES} bytes: n^${own.exponent.toFixed(2)}`;
      report.fail(where, `${text}, a plain pass ${plain.least} ms: n^${plain.exponent.toFixed(2)}`);
    }
  }
  return worst;
}

export const tokenizers: Row = {
  name: 'tokenizers',
  holds:
    'decode(encode(s)) is s on any Unicode, and a megabyte of one letter takes time as n^1.2 at most',
  ci: 5000,
  release: 200_000,
  async check(runs, seed, report) {
    const bytes = new ByteTokenizer();
    const [encoder, decoder] = [new TextEncoder(), new TextDecoder('utf-8', { ignoreBOM: true })];
    const bpe = BpeTokenizer.train(CORPUS, { vocabSize: 320 });
    // long runs merge at every rank
    const letters = BpeTokenizer.train(
      LONG.map((letter) => letter.repeat(2000)),
      { vocabSize: 300 },
    );
    const { vocab, merges } = gpt2Files(letters);
    const gpt2 = BpeTokenizer.fromVocabAndMerges(vocab, merges);
    const fallback = ByteFallbackBpe.fromJSON(fallbackJson);
    const llama = ByteFallbackBpe.fromLlama2c(llama2cTokenizer());
    const pieces = WordPieceTokenizer.fromVocab(
      ['[UNK]', '[CLS]', '[SEP]', 'the', 'cat', 'a', 'b', '##a', '##b', '!', '日'].join('\n'),
      { lowercase: true },
    );
    const lossless: readonly (readonly [string, Tokens, (s: string) => string])[] = [
      [
        'bytes',
        {
          encode: (s) => bytes.encode(encoder.encode(s)),
          decode: (ids) => decoder.decode(bytes.decode(ids)),
        },
        (s) => s,
      ],
      ['bpe', bpe, (s) => s],
      ['GPT-2', gpt2, (s) => s],
      // the mark of a space is a space afterwards
      ['byte fallback', fallback, (s) => s.replaceAll('▁', ' ')],
      ['llama2.c', llama, (s) => s.replaceAll('▁', ' ')],
    ];
    await eachCase(runs, seed, report, (random) => {
      const s = text(random);
      for (const [name, tokens, kept] of lossless) {
        const back = tokens.decode(tokens.encode(s));
        must(back === kept(s), () => `${name}: ${JSON.stringify(s)} is ${JSON.stringify(back)}`);
      }
      // WordPiece loses spaces, case and what it does not know; what it decodes it keeps
      const once = pieces.decode(pieces.encode(s), { skipSpecial: true });
      const twice = pieces.decode(pieces.encode(once), { skipSpecial: true });
      must(once === twice, () => `WordPiece: ${JSON.stringify(once)} is ${JSON.stringify(twice)}`);
    });
    if (report.only !== null) return;
    const worst = [
      ...lossless.map(([name, tokens]) => checkLong(name, tokens, true, report)),
      checkLong('WordPiece', pieces, false, report),
      checkLong('words', WordTokenizer.train(CORPUS), false, report),
    ];
    report.note('largest exponent', Number(Math.max(...worst).toFixed(2)));
  },
};
