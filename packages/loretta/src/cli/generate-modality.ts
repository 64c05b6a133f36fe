/** `loretta generate` with a run: one modality from another. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { key, setBackend } from '@loretta-ts/core';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { decodePng, decodeWav, encodePng, encodeWav, TokenizerError } from '@loretta-ts/tokenizers';
import type { ArgsDef } from 'citty';
import { DataError } from '../data/errors';
import { type ModalityData, nearestSequence, tokensAt } from '../data/modality';
import type { RawSample } from '../data/source';
import type { SvlName } from '../data/svlMnist';
import { generateBlock } from '../infer/generate-block';
import { chooseBackend } from '../node/choose-backend';
import { loadArm } from '../node/load-arm';
import { readRun } from '../node/run-folder';
import { fromBlock, toBlock } from '../train/data';
import { UsageError } from './errors';
import { integer, oneOf } from './options';
import { progress } from './progress';

const NAMES: readonly SvlName[] = ['image', 'text', 'speech'];

/** Options of `loretta generate` that belong to a run. */
export const armArgs = {
  run: { type: 'string', description: 'Folder of the run (default: loretta-out)' },
  arm: { type: 'string', description: 'Arm of the run (default: transitive)' },
  from: { type: 'string', description: 'Modality given (default: speech)' },
  to: { type: 'string', description: 'Modality wanted (default: image)' },
  input: {
    type: 'string',
    description: 'A WAV file, a PNG file of the size of the training images, or text',
  },
  row: { type: 'string', description: 'Test sample instead of --input' },
  out: { type: 'string', description: 'File for an image (PNG) or speech (WAV)' },
  guidance: { type: 'string', description: 'Classifier-free guidance, 1 is none (default: 3)' },
} as const satisfies ArgsDef;

type Args = { readonly [K in keyof typeof armArgs]?: string | undefined } & {
  readonly temperature?: string | undefined;
  readonly seed: string;
  readonly backend: string;
  readonly json: boolean;
};

function positive(name: string, text: string): number {
  const x = Number(text);
  if (!(x > 0 && Number.isFinite(x)))
    throw new UsageError(`--${name} is '${text}': give a number above 0`);
  return x;
}

/** @throws UsageError, DataError, and what loading and decoding throw */
export async function generateModality(args: Args): Promise<void> {
  const temperature = positive('temperature', args.temperature ?? '1');
  const guidance = positive('guidance', args.guidance ?? '3');
  const k = key(integer('seed', args.seed));
  const [given, wanted] = [
    oneOf('from', args.from ?? 'speech', NAMES),
    oneOf('to', args.to ?? 'image', NAMES),
  ];
  if (given === wanted) throw new UsageError(`--from and --to are both ${wanted}`);
  if ((args.input === undefined) === (args.row === undefined))
    throw new UsageError('give either --input or --row');
  if (args.out !== undefined && wanted === 'text')
    throw new UsageError('--out is for images and speech: text is printed');
  const row = args.row === undefined ? null : integer('row', args.row);
  const folder = resolve(args.run ?? 'loretta-out');
  const run = readRun(folder);
  const input = args.input === undefined ? null : await read(given, args.input);
  setBackend(chooseBackend(args.backend));
  const bar = progress(args.json);
  try {
    const { model, vocab, loaded } = await loadArm(
      folder,
      run,
      args.arm ?? 'transitive',
      (stage, done, total) => bar.update(`data: ${stage}`, done, total, ''),
    );
    const from = loaded.modalities[given]!;
    const to = loaded.modalities[wanted]!;
    const local = input === null ? testIds(from, row!) : from.encode(input);
    const padded = new Int32Array(from.maxLength);
    padded.set(local);
    const lengths = from.fixedLength ? undefined : Int32Array.of(local.length);
    const condition = toBlock(vocab, from.name, padded, from.maxLength, lengths);
    const ids = await generateBlock(
      model,
      vocab,
      [{ modality: from.name, ids: condition, generated: false }],
      to.name,
      {
        key: k,
        temperature,
        guidance: guidance === 1 ? null : guidance,
      },
    );
    const block = fromBlock(vocab, to.name, ids);
    const made = block.ids.subarray(0, block.lengths[0]!);
    bar.stop();
    const shown = await show(to, made, args.out);
    console.log(
      args.json
        ? JSON.stringify({ from: from.name, to: to.name, ids: [...made], ...shown })
        : Object.values(shown).join('\n'),
    );
  } finally {
    bar.stop();
  }
}

function testIds(m: ModalityData, row: number): Int32Array {
  if (row >= m.test.labels.length) {
    throw new UsageError(`--row ${row}: ${m.name} has ${m.test.labels.length} test samples`);
  }
  return tokensAt(m.test, row);
}

/** What `--input` holds. @throws DataError, TokenizerError for a file that cannot be read */
async function read(name: SvlName, input: string): Promise<RawSample> {
  if (name === 'text') return { kind: 'text', text: input };
  let bytes: Uint8Array;
  try {
    bytes = new Uint8Array(await readFile(input));
  } catch {
    throw new DataError('missing', input, 'cannot read this file');
  }
  try {
    return name === 'image'
      ? { kind: 'image', image: decodePng(bytes) }
      : { kind: 'speech', wave: decodeWav(bytes) };
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error;
    throw new DataError('format', input, error.message);
  }
}

/** Writes what was made, or says it. */
async function show(
  m: ModalityData,
  ids: Int32Array,
  out: string | undefined,
): Promise<Record<string, string>> {
  const sample = m.decode(ids);
  if (sample.kind === 'text') return { text: sample.text };
  if (out === undefined) return { ids: [...ids].join(' ') };
  if (sample.kind === 'image') {
    await writeFileAtomic(resolve(out), encodePng(sample.image));
    return { file: resolve(out) };
  }
  // codes have no waveform of their own: the nearest training recording speaks for them
  const near = m.raw('train', nearestSequence(m.train, ids));
  if (near.kind !== 'speech') throw new DataError('format', m.name, 'has no recordings to play');
  await writeFileAtomic(resolve(out), encodeWav(near.wave));
  return { file: resolve(out), note: 'the training recording nearest to the generated codes' };
}
