/** A list of rows with missing modalities: what `loretta impute` reads. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { z } from 'zod';
import { DataError } from '../data/errors';
import type { SvlName } from '../data/svlMnist';

/** What is present of one row: paths of a PNG and a WAV file, and a text. */
export type ManifestRow = Readonly<Partial<Record<SvlName, string>>>;

/**
 * The rows of a manifest: a JSON list of `{ "image": "digit.png", "speech": "digit.wav", "text": "words" }`, of which some
 * are missing or null. Paths are relative to the manifest.
 * @throws DataError that names the row
 */
export function readManifest(path: string): ManifestRow[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    throw new DataError('missing', path, 'cannot read this file: give a JSON list of rows');
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DataError('format', path, `is not JSON: ${(error as Error).message}`);
  }
  const item = z.string().min(1).nullish();
  const row = z.strictObject({ image: item, speech: item, text: item });
  const found = z.array(row).min(1).safeParse(value);
  if (!found.success) {
    const [issue] = found.error.issues;
    const [place] = issue!.path;
    const where = place === undefined ? '' : `row ${String(place)}: `;
    throw new DataError('format', path, `${where}${issue!.message}`);
  }
  const folder = dirname(path);
  return found.data.map(({ image, speech, text: words }, i) => {
    const present = {
      ...(typeof image === 'string' ? { image: resolve(folder, image) } : {}),
      ...(typeof speech === 'string' ? { speech: resolve(folder, speech) } : {}),
      ...(typeof words === 'string' ? { text: words } : {}),
    };
    if (Object.keys(present).length > 0) return present;
    throw new DataError('format', path, `row ${i}: has nothing to go by: give it one modality`);
  });
}
