// The packed tarballs of all packages, installed into an empty project and used from there.
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, test } from 'vitest';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../', import.meta.url));
const names = ['core', 'backend-cpu', 'backend-gpu', 'nn', 'tokenizers', 'loretta'];
const minutes = 60_000;

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

let project = '';
let tarballs: string[] = [];

const node = (...argv: string[]): Promise<{ stdout: string }> =>
  run(process.execPath, argv, { cwd: project });

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), 'loretta-consumer-'));
  const { packageManager } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  if (!(await isBuilt())) {
    await run(process.execPath, ['node_modules/tsup/dist/cli-default.js'], { cwd: root });
  }
  const pack = ['-r', '--filter', './packages/*', 'pack', '--pack-destination', project];
  await run('npx', ['--yes', packageManager, ...pack], { cwd: root });
  const packed = await readdir(project);
  tarballs = packed.filter((file) => file.endsWith('.tgz')).map((file) => join(project, file));
  const manifest = { name: 'consumer', private: true, type: 'module' };
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
  const quiet = ['--ignore-scripts', '--prefer-offline', '--no-audit', '--no-fund'];
  const fastCheck = JSON.parse(
    await readFile(join(root, 'packages/core/node_modules/fast-check/package.json'), 'utf8'),
  );
  // core/testing needs fast-check, an optional peer; no other optional peer is there.
  const extra = `fast-check@${fastCheck.version}`;
  await run('npm', ['install', ...quiet, ...tarballs, extra], { cwd: project });
  await cp(new URL('./consumer/', import.meta.url), project, { recursive: true });
}, 5 * minutes);

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
});

test('every package has a tarball', () => {
  expect(tarballs).toHaveLength(names.length);
});

test.each(names)('%s: the manifest fits what is packed', async (name) => {
  const file = tarballs.find((tarball) => tarball.includes(`loretta-ts-${name}-0`));
  const data = await readFile(file ?? '');
  const tarball = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  const problems = messages.filter((message) => message.type !== 'suggestion');
  expect(problems.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
});

test('plain JavaScript imports and calls each package', async () => {
  const { stdout } = await node('imports.mjs');
  expect(stdout.trim()).toBe('core testing cpu gpu nn nnNode tokenizers loretta lorettaNode');
});

test('require() gives each package', async () => {
  const { stdout } = await node('require.cjs');
  expect(stdout.trim()).toBe('9');
});

test.each(['node16', 'bundler'])('TypeScript with module resolution %s', async (resolution) => {
  const tsc = join(root, 'node_modules/typescript-native/bin/tsc');
  const module = resolution === 'bundler' ? 'esnext' : 'node16';
  const options = ['--module', module, '--moduleResolution', resolution, '--target', 'es2022'];
  const lib = ['--lib', 'es2023,esnext.disposable,dom', '--types', 'node', '--typeRoots'];
  const types = join(root, 'node_modules/@types');
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--pretty', 'false'];
  const result = await node(tsc, ...options, ...lib, types, ...flags, 'types.ts').catch(
    (error: { stdout: string }) => error,
  );
  expect(result.stdout).toBe('');
});

test('a browser bundle needs nothing of Node, keeps the tensor methods and drops what is unused', async () => {
  const bundle = async (code: string) => {
    const { outputFiles } = await build({
      stdin: { contents: code, resolveDir: project },
      bundle: true,
      format: 'esm',
      minify: true,
      platform: 'browser',
      write: false,
    });
    return outputFiles[0]?.text ?? '';
  };
  const app = await bundle(`
    import { cpu } from '@loretta-ts/backend-cpu';
    import { setBackend, tensor } from '@loretta-ts/core';
    import '@loretta-ts/loretta';
    import { Linear } from '@loretta-ts/nn';
    setBackend(cpu());
    console.log(typeof Linear, [...tensor([1, 2]).mul(tensor([3, 4])).dataSync()].join());
  `);
  await writeFile(join(project, 'bundle.mjs'), app);
  expect((await node('bundle.mjs')).stdout.trim()).toBe('function 3,8');
  const small = await bundle("export { ByteTokenizer } from '@loretta-ts/tokenizers';");
  expect(small.length).toBeLessThan(10_000);
});
