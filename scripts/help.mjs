// `npm run COMMAND -- --help` of the commands that have no help of their own.
import { parts } from '../tests/mutation/parts.mjs';

const helps = {
  test: `npm test [-- FILE ...] [-t NAME]

Lint, types, layers and unused code, then every test; \`npm run check\` does without the tests. The last line counts what
passed, failed and was skipped; the exit code is 1 when anything failed.

  npm test
  npm test -- packages/core/test/plan.test.ts
  npm test -- -t "the tape"`,
  bench: `npm run bench [-- SUBJECT [--rounds N] [--peers torch,tfjs,jax-js,onnx|none] [--preset S,M] [--quick] [--json] [--save]]

Measures one subject, or all of them, beside the peers that are installed; ratios of one run are what counts. A wrong
subject is answered by their list, a wrong option by those of the subject.

  npm run bench -- gemm --quick
  npm run bench -- train --peers none --json`,
  conformance: `npm run conformance -- DIR [--backend cpu|reference|gpu:MODE] [--dtype f32|f64] [--group NAME]

Runs every golden vector of a folder. Exit code 1 when any differs.

  npm run conformance -- ../shared/conformance
  npm run conformance -- ../shared/conformance --backend gpu:webgpu --group attention`,
  reliability: `npm run reliability [-- --row NAME] [--ci] [--seed N] [--runs N] [--case N] [--fresh]

Runs the rows of the guide on reliability at their release sizes, or those of npm test with --ci, and writes
bench/results/reliability.json. What passed with the same sources, seed and runs is kept, so that an interrupted run goes
on; --fresh runs it again. A failure is printed with the command that repeats it. Exit code 1 when any row failed.

  npm run reliability
  npm run reliability -- --ci --row tape
  npm run reliability -- --row tape --seed 3 --runs 50000 --case 17`,
  mutation: `npm run mutation [-- ${Object.keys(parts).join('|')} ...]

Changes the sources in small ways, one at a time, and counts the changes that the tests notice (Stryker). Each part takes
from a quarter of an hour to some hours. Reports go to bench/results/mutation. Exit code 1 below 85 %.

  npm run mutation -- safetensors
  npm run mutation`,
  playground: `npm run playground [-- --run DIR] [--serve] [--port PORT]

Builds the page that trains in a browser into docs/.site/playground, from loretta-out, another run, or a short one that is
trained first; --serve serves it.

  npm run playground -- --serve
  npm run playground -- --run my-run`,
  example: `npm run example -- NAME [arguments]

Runs an example of docs/examples on the sources; without a name, lists them.

  npm run example -- char-gpt
  npm run example -- mnist --steps 200`,
  release: `npm run release [-- --publish]

Builds and packs every package in the order in which they depend on each other; --publish publishes them.

  npm run release`,
};
helps.check = helps.test;

/** The first line of a command's help, for those who use it wrongly. */
export const usageOf = (command) => `usage: ${helps[command].split('\n')[0]}`;

/** The help that was asked for, or null. */
export function helpOf(command, args) {
  const wanted = args.includes('--help') || args.includes('-h');
  const alone = args.length === 1 || (command !== 'bench' && command !== 'example');
  return wanted && alone && Object.hasOwn(helps, command) ? helps[command] : null;
}
