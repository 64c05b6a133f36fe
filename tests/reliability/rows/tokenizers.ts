/** Tokenizers on random Unicode, and on long runs of one letter. */
import {
  BpeTokenizer,
  ByteFallbackBpe,
  ByteTokenizer,
  WordPieceTokenizer,
} from '@loretta-ts/tokenizers';
import type { HostRandom } from '@loretta-ts/core';
import { eachCase, must, pick, type Report, type Row } from '../row';

const CORPUS = [
  'the cat sat on the mat, and the dog sat on the log.   It was 10:45, 23 of them!\n',
  'naïve café — “quoted” 日本語のテキスト 🙂🙂 👩‍👩‍👧 \t\ttabs  and   spaces\r\n',
];

const fallbackVocab = [
  ...['<unk>', '<s>'],
  ...Array.from({ length: 256 }, (_, b) => `<0x${b.toString(16).toUpperCase().padStart(2, '0')}>`),
  ...['▁', 'a', 'b', 't', 'h', 'e', '▁t', 'he', '▁the', 'aa', 'aaaa', '▁▁', '▁▁▁▁'],
];
const fallbackJson = {
  version: '1.0',
  added_tokens: [{ id: 0, content: '<unk>', special: true }],
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  model: {
    type: 'BPE',
    unk_token: '<unk>',
    fuse_unk: true,
    byte_fallback: true,
    vocab: Object.fromEntries(fallbackVocab.map((token, id) => [token, id])),
    merges: ['▁ t', 'h e', '▁t he', 'a a', 'aa aa', '▁ ▁', '▁▁ ▁▁'],
  },
};

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

const CUTS = [65_536, 1_048_576] as const;
const LONG = ['a', ' ', '🙂'];
/** A quadratic one has 2; n log n and the memory behind it stay at 1.1 to 1.3, collection of garbage included. */
const LIMIT = 1.75;

/** Milliseconds of this process's own time: others on the machine do not count. */
function cpuTime(run: () => void): number {
  const before = process.cpuUsage();
  run();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** A megabyte of one letter, whole; time against that of a sixteenth. */
function checkLong(name: string, tokens: Tokens, lossless: boolean, report: Report): number {
  let worst = 0;
  for (const letter of LONG) {
    const bytes = new TextEncoder().encode(letter).length;
    const [short, long] = CUTS.map((n) => letter.repeat(Math.floor(n / bytes)));
    const where = `${name} of 1 MB of ${JSON.stringify(letter)}`;
    let ids: ArrayLike<number> = [];
    const first = cpuTime(() => tokens.encode(short!));
    const second = cpuTime(() => tokens.encode(short!));
    const after = cpuTime(() => {
      ids = tokens.encode(long!);
    });
    if (lossless && tokens.decode(ids) !== long) report.fail(where, 'decode(encode(s)) is not s');
    // 20 ms: below that clocks and warming up decide
    const [a, b] = [Math.max(20, Math.min(first, second)), Math.max(20, after)];
    const exponent = Math.log(b / a) / Math.log(CUTS[1] / CUTS[0]);
    worst = Math.max(worst, exponent);
    if (exponent > LIMIT) {
      report.fail(where, `${a} ms for ${CUTS[0]} bytes, ${b} ms for ${CUTS[1]}`);
    }
  }
  return worst;
}

export const tokenizers: Row = {
  name: 'tokenizers',
  holds: 'decode(encode(s)) is s on any Unicode, and a megabyte of one letter is not quadratic',
  ci: 5000,
  release: 200_000,
  async check(runs, seed, report) {
    const bytes = new ByteTokenizer();
    const [encoder, decoder] = [new TextEncoder(), new TextDecoder('utf-8', { ignoreBOM: true })];
    const bpe = BpeTokenizer.train(CORPUS, { vocabSize: 320 });
    const fallback = ByteFallbackBpe.fromJSON(fallbackJson);
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
      // the mark of a space is a space afterwards
      ['byte fallback', fallback, (s) => s.replaceAll('▁', ' ')],
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
    ];
    report.note('largest exponent', Number(Math.max(...worst).toFixed(2)));
  },
};
