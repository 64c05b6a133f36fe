// Writes every ```ts block of the README files and guides to docs/.samples, at its own line numbers,
// where `tsc -b` types it and docs/samples.test.ts runs it.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'docs/.samples');

function pages() {
  const packages = readdirSync(join(root, 'packages')).map((name) => `packages/${name}/README.md`);
  const guides = readdirSync(join(root, 'docs/guides'), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/guides/${file}`);
  return ['README.md', ...packages, ...guides.sort()].filter((file) =>
    existsSync(join(root, file)),
  );
}

function writeSamples(page) {
  const lines = readFileSync(join(root, page), 'utf8').split('\n');
  let start = -1;
  let kind = '';
  lines.forEach((line, i) => {
    if (start < 0) {
      const fence = /^```ts(?:\s+(\S+))?\s*$/.exec(line);
      if (!fence) return;
      start = i + 1;
      kind = fence[1] ?? '';
      if (kind !== '' && kind !== 'no-run')
        throw new Error(`${page}:${i + 1}: unknown mark ${kind}`);
    } else if (line === '```') {
      const name = page.replace(/\.md$/, '').replace(/[^\w-]+/g, '-');
      const suffix = kind === 'no-run' ? '.no-run' : '';
      const text = '\n'.repeat(start) + lines.slice(start, i).join('\n') + '\n';
      writeFileSync(join(out, `${name}-L${start + 1}${suffix}.ts`), text);
      start = -1;
    }
  });
  if (start >= 0) throw new Error(`${page}:${start}: code block without an end`);
}

/** Called by vitest before the `docs` project, and by the checks before `tsc -b`. */
export default function setup() {
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  for (const page of pages()) writeSamples(page);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) setup();
