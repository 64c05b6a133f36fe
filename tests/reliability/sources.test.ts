/** What the sources and the lockfile may hold. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const text = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Places in a text that make code from text. */
const evaluations = (source: string): readonly string[] =>
  source.match(/\beval\s*\(|\bnew\s+Function\b|\bFunction\s*\(\s*['"`]|\bnode:vm\b/g) ?? [];

it('no source of ours makes code from text', () => {
  const packages = readdirSync(join(root, 'packages'));
  const files = packages.flatMap((name) =>
    readdirSync(join(root, 'packages', name, 'src'), { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.(ts|mjs|js)$/.test(file))
      .map((file) => join('packages', name, 'src', file)),
  );
  expect(files.length).toBeGreaterThan(200);
  expect(files.filter((file) => evaluations(text(file)).length > 0)).toEqual([]);
  // the search finds what it is for
  for (const bad of ['eval("1")', 'new Function("a")', "Function('a')", "import 'node:vm'"]) {
    expect(evaluations(bad)).toHaveLength(1);
  }
});

/** Blocks of `packages:` in the lockfile whose resolution has no checksum. */
function unchecked(lockfile: string): readonly string[] {
  const section = /\npackages:\n([\s\S]*?)\nsnapshots:\n/.exec(lockfile)?.[1] ?? '';
  return section
    .split(/\n\n/)
    .map((block) => block.trim())
    .filter((block) => block !== '')
    .filter((block) => !/\n {4}resolution: \{integrity: sha512-[A-Za-z0-9+/=]+\}/.test(block));
}

it('every package of the lockfile comes from the registry with a checksum', () => {
  const lockfile = text('pnpm-lock.yaml');
  expect(lockfile.match(/resolution: \{integrity: sha512-/g)!.length).toBeGreaterThan(100);
  expect(unchecked(lockfile)).toEqual([]);
  const broken = lockfile.replace(/\{integrity: sha512-[^}]*\}/, '{tarball: file:x.tgz}');
  expect(unchecked(broken)).toHaveLength(1);
});

it('installing runs no script of a package', () => {
  const workspace = text('pnpm-workspace.yaml');
  const [, allowed = ''] = /\nallowBuilds:\n((?: {2}.*\n)+)/.exec(workspace)!;
  expect(allowed).toBe('  esbuild: false\n  gl: false\n  webgpu: false\n');
  // a package that is not listed and has a script ends the installation
  expect(workspace).toContain('\nstrictDepBuilds: true\n');
  const scripts = ['preinstall', 'install', 'postinstall', 'prepare'];
  const ours = readdirSync(join(root, 'packages')).map((name) => `packages/${name}/package.json`);
  for (const path of ['package.json', ...ours]) {
    const manifest = JSON.parse(text(path)) as { scripts?: Record<string, string> };
    const found = Object.keys(manifest.scripts ?? {}).filter((name) => scripts.includes(name));
    expect(found).toEqual([]);
  }
});
