/** `loretta tokenize`: the ids of a text, the pieces that they stand for, and the way back. */
import { resolve } from 'node:path';
import { recoverFolder } from '@loretta-ts/nn/node';
import { ByteTokenizer, TextStream } from '@loretta-ts/tokenizers';
import { loadTokenizer } from '../node/pretrained';
import { command } from './command';
import { UsageError } from './errors';

export const tokenize = command({
  name: 'tokenize',
  description: 'Show the tokens of a text, or the text of ids',
  examples: [
    'loretta tokenize "Once upon a time" --tokenizer stories260K',
    'loretta tokenize "naïve" --tokenizer bytes --json',
    'loretta tokenize --decode "403 407 261" --tokenizer llama/tokenizer.json',
    'cat book.txt | loretta tokenize --tokenizer gpt2 --json',
  ],
  args: {
    text: {
      type: 'positional',
      description: 'What to tokenize; without it, standard input',
      valueHint: 'TEXT',
      required: false,
    },
    tokenizer: {
      type: 'string',
      description:
        'bytes, or a folder or file of a tokenizer: tokenizer.json, vocab.json with merges.txt, vocab.txt, tok*.bin',
      valueHint: 'PATH',
      default: 'bytes',
    },
    decode: { type: 'string', description: 'Ids, to be turned into text', valueHint: 'IDS' },
    json: { type: 'boolean', description: 'Print one JSON object', default: false },
  },
  main,
});

interface Args {
  readonly text?: string | undefined;
  readonly tokenizer: string;
  readonly decode?: string | undefined;
  readonly json: boolean;
}

/** What the command needs of a tokenizer of texts. */
interface Texts {
  readonly vocabSize: number;
  encode(text: string): ArrayLike<number>;
  decode(ids: ArrayLike<number>): string;
  /** What each id adds to the text; an id that only begins a character adds nothing. */
  pieces(ids: readonly number[]): string[];
}

async function main(args: Args): Promise<void> {
  const texts = await textsOf(args.tokenizer);
  if (args.decode !== undefined) {
    if (args.text !== undefined) throw new UsageError('give either TEXT or --decode');
    const ids = idsOf(args.decode, texts.vocabSize);
    const text = texts.decode(ids);
    console.log(args.json ? JSON.stringify({ ids, text }) : text);
    return;
  }
  if (args.text === undefined && process.stdin.isTTY)
    throw new UsageError('TEXT is missing: give one, or pipe a file in');
  const text = args.text ?? (await standardInput());
  const ids = Array.from(texts.encode(text));
  const back = texts.decode(ids);
  if (args.json) {
    console.log(
      JSON.stringify({ text, ids, count: ids.length, vocabulary: texts.vocabSize, decoded: back }),
    );
    return;
  }
  texts.pieces(ids).forEach((piece, i) => {
    console.log(`${String(ids[i]).padStart(7)}  ${JSON.stringify(piece)}`);
  });
  const characters = [...text].length;
  const share =
    ids.length === 0 ? '' : `, ${(characters / ids.length).toFixed(2)} characters a token`;
  console.log(
    `${ids.length} tokens${share}; ${back === text ? 'decodes to the same text' : `decodes to ${JSON.stringify(back)}`}`,
  );
}

async function textsOf(name: string): Promise<Texts> {
  if (name !== 'bytes') {
    const tokenizer = loadTokenizer(await recoverFolder(resolve(name)));
    return {
      vocabSize: tokenizer.vocabSize,
      encode: (text) => tokenizer.encode(text),
      decode: (ids) => tokenizer.decode(ids),
      pieces(ids) {
        const stream = new TextStream(tokenizer);
        const pieces = ids.map((id) => stream.push(id));
        if (pieces.length > 0) pieces[pieces.length - 1] += stream.end();
        return pieces;
      },
    };
  }
  const bytes = new ByteTokenizer();
  return {
    vocabSize: bytes.vocabSize,
    encode: (text) => bytes.encodeText(text),
    decode: (ids) => bytes.decodeText(Int32Array.from(ids)),
    pieces: (ids) => ids.map((id) => (id < 128 ? String.fromCharCode(id) : `0x${id.toString(16)}`)),
  };
}

/** @throws UsageError */
function idsOf(text: string, vocabSize: number): number[] {
  return text
    .split(/[\s,]+/)
    .filter((word) => word !== '')
    .map((word) => {
      const id = Number(word);
      if (!/^\d+$/.test(word) || id >= vocabSize)
        throw new UsageError(
          `--decode: '${word}' is not an id: give integers from 0 to ${vocabSize - 1}`,
        );
      return id;
    });
}

async function standardInput(): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of process.stdin) parts.push(part as Buffer);
  return Buffer.concat(parts).toString('utf8');
}
