/** Mutation testing of one part, named by LORETTA_MUTATE. Run from the root by `npm run mutation`. */
import { parts } from './parts.mjs';

const name = process.env.LORETTA_MUTATE;

/** @type {import('@stryker-mutator/api/core').PartialStrykerOptions} */
export default {
  testRunner: 'vitest',
  plugins: ['@stryker-mutator/vitest-runner'],
  vitest: { configFile: 'tests/mutation/vitest.config.ts', related: false },
  mutate: [...parts[name].mutate],
  // the words of a message are not behaviour; which error is thrown, and that it names op and shapes, is tested
  mutator: { excludedMutations: ['StringLiteral'] },
  ignoreStatic: true,
  coverageAnalysis: 'perTest',
  reporters: ['clear-text', 'json', 'html', 'progress-append-only'],
  clearTextReporter: { allowColor: false, logTests: false, reportTests: false },
  jsonReporter: { fileName: `bench/results/mutation/${name}.json` },
  htmlReporter: { fileName: `bench/results/mutation/${name}.html` },
  tempDirName: '.mutants',
  ignorePatterns: ['bench/results', 'loretta-out', 'release', 'docs/.site'],
  checkers: [],
  disableTypeChecks: false,
  concurrency: 2,
  timeoutMS: 30_000,
  thresholds: { high: 95, low: 85, break: 85 },
};
