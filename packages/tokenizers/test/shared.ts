import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of golden values beside the repository; a clone without it runs all other tests. */
const ROOT = new URL('../../../../shared/', import.meta.url);

function sharedPath(path: string): string {
  return fileURLToPath(new URL(path, ROOT));
}

export function hasShared(path: string): boolean {
  return existsSync(sharedPath(path));
}

export function sharedText(path: string): string {
  return readFileSync(sharedPath(path), 'utf8');
}

export function sharedBytes(path: string): Uint8Array {
  return new Uint8Array(readFileSync(sharedPath(path)));
}
