/** Spoken digits as the Free Spoken Digit Dataset names them: `{digit}_{speaker}_{index}.wav`. */
import { decodeWav, TokenizerError, type Wave } from '@loretta-ts/tokenizers';
import { DataError } from '../errors';
import type { Labelled, RawSource } from '../source';
import { dataPath, LAYOUT, listFiles, readBytes } from './files';

const CLASSES = 10;
const NAME = /^(\d)_([^_]+)_(\d+)\.wav$/;
/** FSDD's own rule: the first five recordings of each speaker and digit test. */
const TEST_INDICES = 5;

/**
 * All recordings of a folder; index 0–4 of each speaker and digit test, the rest train.
 * @throws DataError for a missing folder, no recordings, different sample rates, or a damaged file
 */
export function fsddFolder(folder: string): RawSource<Wave> {
  const files = listFiles(folder, LAYOUT).flatMap((name) => {
    const match = NAME.exec(name);
    return match ? [{ name, digit: Number(match[1]), index: Number(match[3]) }] : [];
  });
  if (files.length === 0) {
    throw new DataError('missing', folder, 'no {digit}_{speaker}_{index}.wav in it: ' + LAYOUT);
  }
  let sampleRate = 0;
  const read = (chosen: typeof files): Labelled<Wave> => ({
    items: chosen.map(({ name }) => {
      const wave = readWave(dataPath(folder, name));
      if (sampleRate === 0) sampleRate = wave.sampleRate;
      if (wave.sampleRate === sampleRate) return wave;
      throw new DataError(
        'format',
        dataPath(folder, name),
        `${wave.sampleRate} Hz, the others have ${sampleRate}: convert it`,
      );
    }),
    labels: Int32Array.from(chosen, ({ digit }) => digit),
  });
  return {
    name: 'FSDD',
    classes: CLASSES,
    train: read(files.filter(({ index }) => index >= TEST_INDICES)),
    test: read(files.filter(({ index }) => index < TEST_INDICES)),
    credit: 'speech: Free Spoken Digit Dataset, Z. Jackson and contributors, CC BY-SA 4.0',
  };
}

/** The wave of a file. @throws DataError naming the file when it is missing, truncated or not WAV */
function readWave(path: string): Wave {
  const bytes = readBytes(path, LAYOUT);
  try {
    const wave = decodeWav(bytes);
    if (wave.samples.length > 0) return wave;
  } catch (error) {
    if (!(error instanceof TokenizerError)) throw error;
    throw new DataError('format', path, `${error.message}: replace the file or remove it`);
  }
  throw new DataError('format', path, 'holds no samples: replace the file or remove it');
}
