// `npm run release`: builds every package with its types and packs them, each after those that it needs, into release/.
// With --publish the tarballs then go to the registry that npm is configured for, in the same order.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const out = join(root, 'release');

/** Folders of the packages, each after those of ours that it depends on. @throws Error for a circle */
export function inOrder() {
  const manifests = new Map(
    readdirSync(join(root, 'packages'))
      .filter((name) => existsSync(join(root, 'packages', name, 'package.json')))
      .map((name) => [
        name,
        JSON.parse(readFileSync(join(root, 'packages', name, 'package.json'), 'utf8')),
      ]),
  );
  const order = [];
  const visit = (name, path) => {
    if (order.includes(name)) return;
    if (path.includes(name)) throw new Error(`a circle: ${[...path, name].join(' → ')}`);
    for (const dependency of Object.keys(manifests.get(name).dependencies ?? {})) {
      const own = dependency.replace('@loretta-ts/', '');
      if (own !== dependency && manifests.has(own)) visit(own, [...path, name]);
    }
    order.push(name);
  };
  for (const name of [...manifests.keys()].sort()) visit(name, []);
  return order.map((name) => ({ name, manifest: manifests.get(name) }));
}

/**
 * @param run runs a program and resolves to its exit code
 * @param args `--publish` publishes too
 */
export async function release(run, args) {
  const unknown = args.find((arg) => arg !== '--publish');
  if (unknown !== undefined) {
    console.error(`release: unknown option ${unknown}; there is --publish`);
    return 2;
  }
  rmSync(out, { recursive: true, force: true });
  mkdirSync(out, { recursive: true });
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const built = await run(process.execPath, [
    join(root, 'node_modules/tsup/dist/cli-default.js'),
    '--silent',
  ]);
  if (built !== 0) return built;
  for (const { name, manifest } of inOrder()) {
    const argv = ['--yes', packageManager, 'pack', '--pack-destination', out];
    const code = await run('npx', argv, {
      cwd: join(root, 'packages', name),
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    if (code !== 0) return code;
    const file = join(out, `loretta-ts-${name}-${manifest.version}.tgz`);
    const bytes = readFileSync(file);
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    const size = `${(bytes.length / 1000).toFixed(0)} kB`;
    console.log(
      `${manifest.name.padEnd(24)} ${manifest.version}  ${size.padStart(7)}  sha256 ${hash}…`,
    );
    if (args.includes('--publish')) {
      const published = await run('npm', ['publish', file, '--access', 'public']);
      if (published !== 0) return published;
    }
  }
  console.log(`packed into ${out}`);
  return 0;
}
