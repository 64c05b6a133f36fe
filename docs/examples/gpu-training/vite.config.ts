import { defaultClientConditions, defineConfig } from 'vite';

/** The packages come from their sources. */
export default defineConfig({
  resolve: { conditions: ['loretta-source', ...defaultClientConditions] },
});
