import { defaultClientConditions, defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

/** Packages resolve to their sources: nothing has to be built before a test runs. */
const source = {
  resolve: { conditions: ['loretta-source', ...defaultClientConditions] },
  ssr: { resolve: { conditions: ['loretta-source', ...defaultServerConditions] } },
};

export default defineConfig({
  test: {
    projects: [
      {
        ...source,
        test: {
          name: 'node',
          include: ['packages/*/test/**/*.test.ts', 'tests/**/*.test.ts'],
          pool: 'forks',
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        ...source,
        test: {
          name: 'docs',
          include: ['docs/samples.test.ts'],
          globalSetup: ['scripts/doc-samples.mjs'],
          pool: 'forks',
          testTimeout: 60_000,
        },
      },
    ],
  },
});
