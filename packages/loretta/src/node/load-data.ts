/** Loads the data that a run names. */
import { homedir } from 'node:os';
import { join } from 'node:path';
import { embeddedSvl, folderSvl } from '../data/node/svl';
import type { DataProgress } from '../data/source';
import type { SvlMnist } from '../data/svlMnist';
import { type TrainData, tokenData } from '../train/data';
import type { DataChoice } from './run-folder';

/** Tokenized and aligned data. @throws DataError for what is missing or damaged */
export async function loadData(choice: DataChoice, onProgress: DataProgress): Promise<SvlMnist> {
  const { folder, link, profile, seed, texts } = choice;
  const base = { seed, link, profile, onProgress };
  if (folder !== null) return await folderSvl(folder, { ...base, texts });
  return await embeddedSvl({ ...base, cacheDir: cacheFolder() });
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
