import { defaultClientConditions, defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';
import { gpuModes, leftOut } from './scripts/gpu-modes.mjs';

/** Packages resolve to their sources: nothing has to be built before a test runs. */
const source = {
  resolve: { conditions: ['loretta-source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['loretta-source', ...defaultServerConditions] } },
};

const modes = await gpuModes();
for (const line of leftOut(modes)) console.log(line);
const present = [...modes].filter(([, reason]) => reason === null).map(([mode]) => mode);
const inChromium = present.filter((mode) => mode.startsWith('chromium:'));

/** Tests of the GPU backend: a project for each mode, since headless GL and Dawn do not share a process. */
const gpuProjects = present
  .filter((mode) => !inChromium.includes(mode))
  .map((mode) => ({
    ...source,
    test: {
      name: `gpu ${mode}`,
      include: ['packages/backend-gpu/test/modes/*.test.ts', 'tests/gpu/*.test.ts'],
      env: { LORETTA_GPU_MODE: mode },
      ...(mode === 'headlessgl' ? { globalSetup: ['scripts/display.mjs'] } : {}),
      pool: 'forks' as const,
      testTimeout: 120_000,
      hookTimeout: 60_000,
    },
  }));

export default defineConfig({
  test: {
    projects: [
      {
        ...source,
        test: {
          name: 'node',
          include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
          exclude: [
            '**/node_modules/**',
            'packages/backend-gpu/test/modes/**',
            'tests/gpu/**',
            'tests/browser/**',
          ],
          pool: 'forks',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      ...gpuProjects,
      ...(inChromium.length === 0
        ? []
        : [
            {
              ...source,
              test: {
                name: 'browser',
                include: ['tests/browser/*.test.ts'],
                env: { LORETTA_CHROMIUM_MODES: inChromium.join(',') },
                pool: 'forks' as const,
                testTimeout: 300_000,
                hookTimeout: 120_000,
              },
            },
          ]),
      {
        ...source,
        test: {
          name: 'docs',
          include: ['docs/*.test.ts'],
          globalSetup: ['scripts/doc-samples.mjs'],
          pool: 'forks',
          testTimeout: 60_000,
        },
      },
    ],
  },
});
