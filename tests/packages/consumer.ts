/** The packages as npm would give them: packed once, installed into empty projects outside the repository. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const run = promisify(execFile);
export const root = fileURLToPath(new URL('../../', import.meta.url));

/** Folders of the packages, each after those that it needs. */
export const names = [
  ...(['core', 'tokenizers', 'backend-cpu', 'backend-gpu', 'nn', 'loretta'] as const),
];
export type PackageName = (typeof names)[number];

/** What a package's manifest says, as far as it is asked. */
interface Manifest {
  readonly packageManager: string;
  readonly dependencies?: Readonly<Record<string, string>>;
}

export async function manifestOf(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** Times of last change of the files under a folder, none where it does not exist. */
async function times(dir: string, wanted: (file: string) => boolean): Promise<number[]> {
  const files = await readdir(dir, { recursive: true }).catch(() => []);
  return Promise.all(files.filter(wanted).map(async (f) => (await stat(join(dir, f))).mtimeMs));
}

/** Whether every package has been built, types included, since its sources last changed. */
async function isBuilt(): Promise<boolean> {
  for (const name of names) {
    const dir = join(root, 'packages', name);
    const sources = await times(join(dir, 'src'), (file) => file.endsWith('.ts'));
    const built = await times(join(dir, 'dist'), (file) => file.endsWith('.d.ts'));
    if (built.length === 0 || Math.max(...sources) > Math.min(...built)) return false;
  }
  return true;
}

/** Builds where that is needed, and packs. @returns tarballs by package, in a folder of their own */
export async function packAll(): Promise<ReadonlyMap<PackageName, string>> {
  const folder = await mkdtemp(join(tmpdir(), 'loretta-tarballs-'));
  if (!(await isBuilt())) {
    await run(process.execPath, ['node_modules/tsup/dist/cli-default.js'], { cwd: root });
  }
  const { packageManager } = await manifestOf(root);
  const pack = ['-r', '--filter', './packages/*', 'pack', '--pack-destination', folder];
  await run('npx', ['--yes', packageManager, ...pack], { cwd: root });
  const files = await readdir(folder);
  return new Map(
    names.flatMap((name) => {
      const file = files.find((f) => f.startsWith(`loretta-ts-${name}-`) && f.endsWith('.tgz'));
      return file === undefined ? [] : [[name, join(folder, file)] as const];
    }),
  );
}

/** Own packages that a package needs, itself first. */
export async function ownClosure(name: PackageName): Promise<PackageName[]> {
  const { dependencies = {} } = await manifestOf(join(root, 'packages', name));
  const own = names.filter((other) => `@loretta-ts/${other}` in dependencies);
  const all = await Promise.all(own.map(ownClosure));
  return [...new Set([name, ...all.flat()])];
}

/** An empty project with these things installed and nothing else. @returns its folder */
export async function projectWith(things: readonly string[]): Promise<string> {
  const project = await mkdtemp(join(tmpdir(), 'loretta-consumer-'));
  const manifest = { name: 'consumer', private: true, type: 'module' };
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', ['install', ...quiet, ...things], { cwd: project });
  return project;
}
