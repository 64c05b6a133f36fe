// The packed tarballs of all packages: what they say of themselves, each installed alone and all in one empty project, and
// what they weigh in a browser.
import { cp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  manifestOf,
  names,
  ownClosure,
  type PackageName,
  packAll,
  projectWith,
  root,
  run,
} from './consumer';

const minutes = 60_000;
let project = '';
let tarballs: ReadonlyMap<PackageName, string> = new Map();

const node = (...argv: string[]): Promise<{ stdout: string }> =>
  run(process.execPath, argv, { cwd: project });

beforeAll(async () => {
  tarballs = await packAll();
  const fastCheck = JSON.parse(
    await readFile(join(root, 'packages/core/node_modules/fast-check/package.json'), 'utf8'),
  );
  // core/testing needs fast-check, an optional peer; no other optional peer is there.
  project = await projectWith([...tarballs.values(), `fast-check@${fastCheck.version}`]);
  await cp(new URL('./consumer/', import.meta.url), project, { recursive: true });
  // the same program as CommonJS
  await cp(join(project, 'types.ts'), join(project, 'types.cts'));
}, 5 * minutes);

afterAll(async () => {
  await rm(project, { recursive: true, force: true });
  for (const file of tarballs.values()) await rm(dirname(file), { recursive: true, force: true });
});

test('every package has a tarball', () => {
  expect([...tarballs.keys()]).toEqual([...names]);
});

test.each(names)('%s: the manifest fits what is packed', async (name) => {
  const data = await readFile(tarballs.get(name)!);
  const tarball = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  const problems = messages.filter((message) => message.type !== 'suggestion');
  expect(problems.map((message) => formatMessage(message, pkg ?? {}))).toEqual([]);
});

test.each(names)('%s: the types are those of the code, however they are resolved', async (name) => {
  const cli = join(root, 'tests/node_modules/@arethetypeswrong/cli/dist/index.js');
  // Packages are ES modules only, which require() loads from Node 20.19 on.
  const argv = [cli, tarballs.get(name)!, '--profile', 'esm-only', '--format', 'json'];
  const { stdout } = await node(...argv).catch((error: { stdout: string }) => error);
  const { analysis, problems } = JSON.parse(stdout) as {
    analysis: { types: object };
    problems?: Record<string, readonly { resolutionKind?: string }[]>;
  };
  expect(analysis.types).toEqual({ kind: 'included' });
  const others = ['node10', 'node16-cjs'];
  const found = Object.values(problems ?? {}).flat();
  expect(found.filter((p) => !others.includes(p.resolutionKind ?? ''))).toEqual([]);
});

test('plain JavaScript imports and calls each package', async () => {
  const { stdout } = await node('imports.mjs');
  expect(stdout.trim()).toBe('core debug testing cpu gpu nn nnNode tokenizers loretta lorettaNode');
});

test('require() gives each package', async () => {
  const { stdout } = await node('require.cjs');
  expect(stdout.trim()).toBe('10');
});

test.each([
  ['node16', 'node16', 'types.ts'],
  ['bundler', 'esnext', 'types.ts'],
  ['nodenext', 'nodenext', 'types.cts'],
])('TypeScript with module resolution %s', async (resolution, module, file) => {
  const tsc = join(root, 'node_modules/typescript-native/bin/tsc');
  const options = ['--module', module, '--moduleResolution', resolution, '--target', 'es2022'];
  const lib = ['--lib', 'es2023,esnext.disposable,dom', '--types', 'node', '--typeRoots'];
  const types = join(root, 'node_modules/@types');
  const flags = ['--noEmit', '--strict', '--exactOptionalPropertyTypes', '--pretty', 'false'];
  const result = await node(tsc, ...options, ...lib, types, ...flags, file).catch(
    (error: { stdout: string }) => error,
  );
  expect(result.stdout).toBe('');
});

/** What each package does when nothing else is there; prints `true`. */
const uses: Readonly<Record<PackageName, string>> = {
  core: "import { ShapeError, sizeOf, tensor } from '@loretta-ts/core'; console.log(sizeOf([2, 3]) === 6 && typeof tensor === 'function' && ShapeError.name === 'ShapeError');",
  tokenizers:
    "import { ByteTokenizer } from '@loretta-ts/tokenizers'; const t = new ByteTokenizer(); console.log(t.decodeText(t.encodeText('é')) === 'é');",
  'backend-cpu':
    "import { cpu } from '@loretta-ts/backend-cpu'; console.log(cpu({ threads: 1 }).info().simd !== 'none');",
  'backend-gpu':
    "import { gpu, gpuModes } from '@loretta-ts/backend-gpu'; const e = await gpu({ mode: 'webgl', require: true }).catch((x) => x); console.log(gpuModes.length === 6 && /gpu\\.js/.test(e.message));",
  nn: "import { Decoder } from '@loretta-ts/nn'; console.log(typeof Decoder === 'function');",
  loretta:
    "import { ModalityGraph } from '@loretta-ts/loretta'; console.log(new ModalityGraph(['a', 'b', 'c'], [['a', 'b'], ['b', 'c']]).missing().length === 1);",
};

test.each(names)(
  '%s alone: imported, required, and no dependency that it does not need',
  async (name) => {
    const closure = await ownClosure(name);
    const project = await projectWith(closure.map((own) => tarballs.get(own)!));
    try {
      await writeFile(join(project, 'use.mjs'), uses[name]);
      const imported = await run(process.execPath, ['use.mjs'], { cwd: project });
      expect(imported.stdout.trim()).toBe('true');
      const code = `process.stdout.write(String(Object.keys(require('@loretta-ts/${name}')).length > 0))`;
      const required = await run(process.execPath, ['--input-type=commonjs', '-e', code], {
        cwd: project,
      });
      expect(required).toEqual({ stdout: 'true', stderr: '' });
      const own = await readdir(join(project, 'node_modules/@loretta-ts'));
      expect(own.sort()).toEqual([...closure].sort());
      const all = await readdir(join(project, 'node_modules'));
      const heavy = all.filter((dir) => ['gpu.js', 'gl', 'webgpu', 'fast-check'].includes(dir));
      expect(heavy).toEqual([]);
      const named = await Promise.all(closure.map((o) => manifestOf(join(root, 'packages', o))));
      const wanted = new Set(named.flatMap((m) => Object.keys(m.dependencies ?? {})));
      const direct = [...wanted].filter((dep) => !dep.startsWith('@'));
      expect(all).toEqual(expect.arrayContaining(direct));
      if (wanted.size === closure.length - 1) {
        expect(all.filter((dir) => !dir.startsWith('.'))).toEqual(['@loretta-ts']);
      }
    } finally {
      await rm(project, { recursive: true, force: true });
    }
  },
  3 * minutes,
);

/** For browsers, minified; an import of a Node built-in that is reached fails the build. */
async function bundle(code: string, external: readonly string[] = []): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: code, resolveDir: project },
    ...{ bundle: true, format: 'esm', minify: true, platform: 'browser', write: false },
    external: [...external],
  });
  return outputFiles[0]!.text;
}

/** Kilobytes of 1000, gzipped, of everything that a package exports; other packages of ours are not counted. */
const budgets: Readonly<Record<PackageName, number>> = {
  core: 30,
  tokenizers: 46,
  'backend-cpu': 60,
  'backend-gpu': 36,
  nn: 38,
  loretta: 140,
};

test.each(names)('%s stays within its budget', async (name) => {
  const others = names.filter((other) => other !== name).map((other) => `@loretta-ts/${other}`);
  const text = await bundle(`export * from '@loretta-ts/${name}';`, [...others, 'gpu.js']);
  const size = gzipSync(text, { level: 9 }).length / 1000;
  console.log(`${name}: ${size.toFixed(1)} of ${budgets[name]} kB gzipped`);
  expect(size).toBeLessThan(budgets[name]);
});

test('tensor and matmul bring no fused op', async () => {
  const text = await bundle("export { matmul, tensor } from '@loretta-ts/core';");
  for (const op of ['attention', 'layerNorm', 'selectiveScan', 'crossEntropy', 'adamw', 'fft']) {
    expect(text, op).not.toContain(op);
  }
  expect(gzipSync(text, { level: 9 }).length).toBeLessThan(12_000);
});

test('one tokenizer brings no other', async () => {
  const text = await bundle("export { ByteTokenizer } from '@loretta-ts/tokenizers';");
  expect(text.length).toBeLessThan(10_000);
});

test('a bundle for browsers keeps the tensor methods and runs', async () => {
  const app = await bundle(`
    import { cpu } from '@loretta-ts/backend-cpu';
    import { setBackend, tensor } from '@loretta-ts/core';
    import '@loretta-ts/loretta';
    import { Linear } from '@loretta-ts/nn';
    setBackend(cpu());
    console.log(typeof Linear, [...tensor([1, 2]).mul(tensor([3, 4])).dataSync()].join());
  `);
  await writeFile(join(project, 'bundle.mjs'), app);
  const { stdout } = await run(process.execPath, ['bundle.mjs'], { cwd: project });
  expect(stdout.trim()).toBe('function 3,8');
});
