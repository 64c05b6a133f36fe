/** Loads the data that a run names. */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { DataError } from '../data/errors';
import { embeddedSvl, folderSvl, type LearnedSvl, type LearnedTokens } from '../data/node/svl';
import type { JobOptions, StageEvent } from '../events';
import type { SvlMnist } from '../data/svlMnist';
import { type TrainData, tokenData } from '../train/data';
import { type DataChoice, tokenizerPath } from './run-folder';

/** Options of `loadData`. */
export interface LoadDataOptions extends JobOptions<StageEvent> {
  /**
   * Folder of the run whose learned tokenizers are loaded; null (default) trains those that the choice names, on the
   * default backend.
   */
  readonly run?: string | null;
}

/** Tokenized and aligned data. @throws DataError for what is missing or damaged; what the signal was aborted with */
export async function loadData(
  choice: DataChoice,
  { run = null, onEvent, signal }: LoadDataOptions = {},
): Promise<SvlMnist> {
  const { folder, link, profile, seed, texts } = choice;
  const base = { seed, link, profile, onEvent, signal, learned: await learnedOf(choice, run) };
  if (folder !== null) return await folderSvl(folder, { ...base, texts });
  return await embeddedSvl({ ...base, cacheDir: cacheFolder() });
}

async function learnedOf(choice: DataChoice, run: string | null): Promise<LearnedSvl> {
  const { imageTokenizer, speechTokenizer, tokenizerSteps: steps } = choice;
  const tokens = async (name: string, kind: 'vq' | 'dvae'): Promise<LearnedTokens> => ({
    kind,
    saved: run === null ? null : await readTokenizer(tokenizerPath(run, name)),
    ...(steps === undefined ? {} : { steps }),
  });
  return {
    ...(imageTokenizer && { image: await tokens('image', imageTokenizer) }),
    ...(speechTokenizer && { speech: await tokens('speech', speechTokenizer) }),
  };
}

async function readTokenizer(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path));
  } catch {
    throw new DataError(
      'missing',
      path,
      'there is no such tokenizer: the run cannot be read without it',
    );
  }
}

/** Where synthesised speech is kept between runs. */
function cacheFolder(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'loretta-ts');
}

/** The plain part of loaded data; `oracle` adds the real pairs of the unseen modalities. */
export function trainDataOf(data: SvlMnist, oracle: boolean): TrainData {
  return {
    modalities: Object.fromEntries(
      Object.entries(data.modalities).map(([name, m]) => [name, tokenData(m)]),
    ),
    pairs: data.pairs,
    test: data.test,
    oracle: oracle ? data.oraclePairs(...data.unseen) : null,
  };
}
