/** Reading files with errors that name the file and say what to do. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { DataError } from '../errors';

/** What `--data` expects, for error messages. */
export const LAYOUT =
  'give a folder with mnist/, fsdd/recordings/ and, for real texts, wine/ or sotu/';

/** The bytes of a file. @throws DataError when it cannot be read */
export function readBytes(path: string, remedy: string): Uint8Array<ArrayBuffer> {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new DataError('missing', path, `${reason(error)}: ${remedy}`);
  }
}

/** The bytes of `path.gz`, inflated, or else of `path`. @throws DataError when neither can be read */
export function readMaybeGzip(path: string, remedy: string): { bytes: Uint8Array; file: string } {
  const zipped = `${path}.gz`;
  if (!existsSync(zipped)) return { bytes: readBytes(path, remedy), file: path };
  const packed = readBytes(zipped, remedy);
  try {
    // A plain array: `slice` of a Buffer would share its memory.
    return { bytes: new Uint8Array(gunzipSync(packed)), file: zipped };
  } catch (error) {
    throw new DataError(
      'format',
      zipped,
      `not a whole gzip file (${reason(error)}); fetch it again`,
    );
  }
}

/** Names of the files in a folder, sorted. @throws DataError when it cannot be read */
export function listFiles(folder: string, remedy: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch (error) {
    throw new DataError('missing', folder, `${reason(error)}: ${remedy}`);
  }
}

/** Where a file of a data folder lies. */
export function dataPath(folder: string, ...parts: readonly string[]): string {
  return join(folder, ...parts);
}

/** One line about an error of Node. */
export function reason(error: unknown): string {
  if (typeof error === 'object' && error !== null && 'code' in error) {
    if (error.code === 'ENOENT') return 'no such file or folder';
    if (error.code === 'ENOTDIR') return 'not a folder';
    if (error.code === 'EISDIR') return 'is a folder';
  }
  return error instanceof Error ? error.message.split('\n')[0]! : String(error);
}
