import { resolve } from 'node:path';
import { defineConfig } from 'tsup';

/** Entry points of each package, as its `exports` name them. */
const packages: Record<string, readonly string[]> = {
  core: ['index', 'debug', 'testing/index'],
  'backend-cpu': ['index'],
  'backend-gpu': ['index'],
  nn: ['index', 'node'],
  tokenizers: ['index'],
  loretta: ['index', 'node', 'cli/main', 'node/arm-worker', 'node/cell-worker'],
};

export default defineConfig(
  Object.entries(packages).map(([name, entries]) => ({
    name,
    entry: Object.fromEntries(entries.map((e) => [e, `packages/${name}/src/${e}.ts`])),
    outDir: `packages/${name}/dist`,
    tsconfig: `packages/${name}/tsconfig.json`,
    format: ['esm'],
    target: 'es2022',
    platform: 'neutral',
    splitting: true,
    treeshake: true,
    clean: true,
    // Everything that is imported by name stays an import.
    skipNodeModulesBundle: true,
    dts: process.env['SKIP_DTS']
      ? false
      : {
          compilerOptions: {
            ignoreDeprecations: '6.0',
            composite: false,
            noCheck: true, // the types are checked by tsc -b
            rootDir: resolve(`packages/${name}/src`),
          },
        },
  })),
);
