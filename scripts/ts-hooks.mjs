// Module hooks: `./foo` finds foo.ts or foo/index.ts, the name of a built file finds its source
// (for worker threads), and the types are stripped on loading.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { transform } from 'esbuild';

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
  const { code } = await transform(await readFile(file, 'utf8'), {
    loader: 'ts',
    format: 'esm',
    target: 'node20',
    sourcefile: file,
    sourcemap: 'inline',
  });
  return { format: 'module', source: code, shortCircuit: true };
}
