/** The GPU backend behind the tools that people build with: tsup, Vite, vitest with coverage. */
import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build as tsup } from 'tsup';
import { defaultServerConditions, build as vite } from 'vite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { main } from './app';

const run = promisify(execFile);
const local = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const root = local('../../');
/** Inside the package, so that what stays an import (gpu.js) is found from there. */
const out = join(root, 'packages/backend-gpu/node_modules/.bundle-test');
let want: number[];

beforeAll(async () => {
  want = await main('webasm');
  await rm(out, { recursive: true, force: true });
  await mkdir(out, { recursive: true });
});
afterAll(() => rm(out, { recursive: true, force: true }));

/** Runs a bundle in a Node of its own. */
async function numbersOf(file: string): Promise<number[]> {
  const program = `const { main } = await import(${JSON.stringify(file)}); console.log(JSON.stringify(await main('webasm')));`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program]);
  return JSON.parse(stdout) as number[];
}

describe('the GPU backend', { timeout: 120_000 }, () => {
  it.each([false, true])('runs after tsup, minified: %s', async (minify) => {
    await tsup({
      ...{ config: false, entry: [local('./app.ts')], outDir: join(out, `tsup-${minify}`) },
      ...{
        format: 'esm',
        minify,
        silent: true,
        dts: false,
        clean: false,
        tsconfig: join(root, 'tests/tsconfig.json'),
      },
      ...{ noExternal: [/@loretta-ts/], external: ['gpu.js', 'webgpu'] },
      esbuildOptions(options) {
        options.conditions = ['loretta-source'];
      },
    });
    expect(await numbersOf(join(out, `tsup-${minify}`, 'app.js'))).toEqual(want);
  });

  it('runs after a minified Vite production build', async () => {
    const outDir = join(out, 'vite');
    await vite({
      ...{ root: local('.'), configFile: false, logLevel: 'error' },
      resolve: { conditions: ['loretta-source', ...defaultServerConditions] },
      ssr: { resolve: { conditions: ['loretta-source', ...defaultServerConditions] } },
      build: {
        ...{ outDir, minify: true, target: 'es2022' },
        lib: { entry: local('./app.ts'), formats: ['es'], fileName: 'app' },
        rolldownOptions: { external: ['gpu.js', 'webgpu'] },
      },
    });
    expect(await numbersOf(join(outDir, 'app.js'))).toEqual(want);
  });

  it('runs under vitest with coverage by v8', async () => {
    const reports = await mkdtemp(join(tmpdir(), 'loretta-coverage-'));
    const require = createRequire(import.meta.url);
    const cli = join(dirname(require.resolve('vitest/package.json')), 'vitest.mjs');
    const argv = [cli, 'run', '--config', local('./covered/vitest.config.ts'), '--root', root];
    const more = ['--coverage.enabled', `--coverage.reportsDirectory=${reports}`];
    const { stdout } = await run(process.execPath, [...argv, ...more], { cwd: root });
    expect(stdout).toMatch(/2 passed/);
    const summary = JSON.parse(await readFile(join(reports, 'coverage-summary.json'), 'utf8'));
    expect(summary.total.lines.covered).toBeGreaterThan(100);
    await rm(reports, { recursive: true, force: true });
  });
});
