// What a kept result was made from: a result of other sources is no result.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A hash of the TypeScript files of some folders, and of some files. @param root they stand below it */
export function sourceHash(root, places) {
  const hash = createHash('sha256');
  for (const place of places) {
    const path = join(root, place);
    if (statSync(path).isFile()) hash.update(place).update(readFileSync(path));
    else {
      const files = readdirSync(path, { recursive: true }).filter((file) => file.endsWith('.ts'));
      for (const file of files.sort()) hash.update(file).update(readFileSync(join(path, file)));
    }
  }
  return hash.digest('hex').slice(0, 16);
}
