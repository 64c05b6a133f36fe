/** The tests of one part. Every package resolves to the sources beside this file, mutants among them. */
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { parts } from './parts.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const part = parts[process.env.LORETTA_MUTATE ?? ''];
if (part === undefined) throw new Error(`LORETTA_MUTATE must be one of ${Object.keys(parts)}`);

/** Quick files first: most mutants are dead before the laws of every op begin. */
class QuickFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const slow = ({ moduleId }: TestSpecification) => Number(moduleId.includes('/laws/'));
    return [...files].sort((a, b) => slow(a) - slow(b));
  }
}

export default defineConfig({
  root,
  resolve: {
    alias: [
      { find: /^@loretta-ts\/([\w-]+)$/, replacement: `${root}packages/$1/src/index.ts` },
      {
        find: /^@loretta-ts\/core\/testing$/,
        replacement: `${root}packages/core/src/testing/index.ts`,
      },
      { find: /^@loretta-ts\/([\w-]+)\/(\w+)$/, replacement: `${root}packages/$1/src/$2.ts` },
    ],
  },
  test: {
    include: [...part.tests],
    setupFiles: ['tests/mutation/setup.ts'],
    sequence: { sequencer: QuickFirst },
    maxWorkers: 1,
    isolate: false,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
