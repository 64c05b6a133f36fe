/** Samples from files and into files: PNG, WAV, text. */
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { writeFileAtomic } from '@loretta-ts/nn/node';
import { decodePng, decodeWav, encodePng, encodeWav, TokenizerError } from '@loretta-ts/tokenizers';
import { DataError } from '../data/errors';
import { type ModalityData, nearestSequence } from '../data/modality';
import type { RawSample } from '../data/source';
import type { SvlName } from '../data/svlMnist';
import { toBlock } from '../train/data';
import type { Vocabulary } from '../vocabulary';

/** The modalities of a run. */
export const NAMES: readonly SvlName[] = ['image', 'text', 'speech'];

/** The sample in a PNG or WAV file, or a text as it is. @throws DataError for a file that cannot be read */
export async function readSample(name: SvlName, input: string): Promise<RawSample> {
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

/** Local ids of one sample as a block `[length]` of joint ids. */
export function sampleBlock(vocab: Vocabulary, m: ModalityData, local: Int32Array): Int32Array {
  const padded = new Int32Array(m.maxLength);
  padded.set(local);
  const lengths = m.fixedLength ? undefined : Int32Array.of(local.length);
  return toBlock(vocab, m.name, padded, m.maxLength, lengths);
}

/** What a sample is, in the file it was written to where there is one. */
export interface Shown {
  readonly text?: string;
  readonly ids?: string;
  readonly file?: string;
  readonly note?: string;
}

/** Writes what local ids stand for, to `out` where it is given, or says it. */
export async function writeSample(
  m: ModalityData,
  ids: Int32Array,
  out: string | undefined,
): Promise<Shown> {
  const sample = m.decode(ids);
  const file = out === undefined ? undefined : resolve(out);
  if (sample.kind === 'text') {
    if (file === undefined) return { text: sample.text };
    await writeFileAtomic(file, new TextEncoder().encode(`${sample.text}\n`));
    return { text: sample.text, file };
  }
  if (file === undefined) return { ids: [...ids].join(' ') };
  if (sample.kind === 'image') {
    await writeFileAtomic(file, encodePng(sample.image));
    return { file };
  }
  if (sample.kind === 'speech') {
    await writeFileAtomic(file, encodeWav(sample.wave));
    return { file };
  }
  // codes have no waveform of their own: the nearest training recording speaks for them
  const near = m.raw('train', nearestSequence(m.train, ids));
  if (near.kind !== 'speech') throw new DataError('format', m.name, 'has no recordings to play');
  await writeFileAtomic(file, encodeWav(near.wave));
  return { file, note: 'the training recording nearest to the generated codes' };
}

/** Ending of a modality's files. */
export const ENDING: Readonly<Record<SvlName, string>> = {
  image: 'png',
  speech: 'wav',
  text: 'txt',
};
