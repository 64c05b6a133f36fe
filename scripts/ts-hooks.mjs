// Module hooks: `./foo` finds foo.ts or foo/index.ts, the name of a built file finds its source
// (for worker threads), and the types are stripped on loading: once for each version of a file, in a cache.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { threadId } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(new URL('../node_modules/.cache/ts', import.meta.url));

export async function resolve(specifier, context, next) {
  const relative = /^\.{1,2}(\/|$)/.test(specifier) && context.parentURL?.startsWith('file:');
  if (relative || specifier.startsWith('file:')) {
    const base = new URL(specifier, context.parentURL);
    if (!existsSync(fileURLToPath(base)) || !/\.\w+$/.test(specifier)) {
      const stem = base.href.replace(/\.js$/, '');
      const source = [`${stem}.ts`, `${stem}/index.ts`].find((u) => existsSync(fileURLToPath(u)));
      if (source) return next(source, context);
    }
  }
  return next(specifier, context);
}

export async function load(url, context, next) {
  if (!url.startsWith('file:') || !/\.ts(\?|$)/.test(url)) return next(url, context);
  const file = fileURLToPath(url);
  const code = await stripped(file, await readFile(file, 'utf8'));
  return { format: 'module', source: code, shortCircuit: true };
}

/** The code of a file without its types. */
async function stripped(file, text) {
  const name = createHash('sha256').update(`2 ${file} ${text}`).digest('hex');
  const place = join(cache, `${name}.mjs`);
  const known = await readFile(place, 'utf8').catch(() => null);
  if (known !== null) return known;
  const { transform } = await import('esbuild');
  const { code } = await transform(text, {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    sourcefile: file,
    sourcemap: 'inline',
  });
  // whole or not at all: other processes read it
  await mkdir(dirname(place), { recursive: true });
  const part = `${place}.${process.pid}.${threadId}`;
  await writeFile(part, code);
  await rename(part, place);
  return code;
}
