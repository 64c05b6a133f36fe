import { defaultServerConditions } from 'vite';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  ssr: { resolve: { conditions: ['loretta-source', ...defaultServerConditions] } },
  test: {
    include: ['**/kernels.check.ts'],
    pool: 'forks',
    coverage: { provider: 'v8', reporter: ['json-summary'], include: ['**/backend-gpu/src/**'] },
  },
});
