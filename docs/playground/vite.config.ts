import { defaultClientConditions, defineConfig } from 'vite';

/** Pages that may share memory, which the CPU backend's threads need. */
const isolated = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** The packages come from their sources; the page works from any folder of any static server. */
export default defineConfig({
  base: './',
  resolve: { conditions: ['loretta-source', ...defaultClientConditions] },
  worker: { format: 'es' },
  build: { target: 'es2022', chunkSizeWarningLimit: 4096 },
  server: { headers: isolated },
  preview: { headers: isolated },
});
