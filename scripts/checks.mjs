// `npm test` (all) and `npm run check` (static): every check in turn with its time, then the tests.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import writeSamples from './doc-samples.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const [mode = 'all', ...vitestArgs] = process.argv.slice(2);
const modules = 'node_modules';
const wasm = 'packages/backend-cpu/scripts/build-wasm.mjs';

const fast = [
  ['lint and format', [`${modules}/@biomejs/biome/bin/biome`, 'ci', '--colors=off', '.']],
  ['types', [`${modules}/typescript-native/bin/tsc`, '-b', '--force', '--pretty', 'false']],
  ['layers', ['scripts/check-layers.mjs']],
  [
    'unused files, exports, dependencies',
    [`${modules}/knip/bin/knip.js`, '--no-progress', '--no-config-hints'],
  ],
];
const slow = [
  ['kernels are up to date', [wasm, '--check']],
  ['API documentation', [`${modules}/typedoc/bin/typedoc`, '--options', 'docs/typedoc.json']],
  ['build with types', [`${modules}/tsup/dist/cli-default.js`, '--silent']],
];

const seconds = (since) => `${((performance.now() - since) / 1000).toFixed(1)} s`;

/** Runs node with the arguments; resolves to its exit code and, when captured, what it printed. */
function node(argv, stdio) {
  return new Promise((done, reject) => {
    const child = spawn(process.execPath, argv, { cwd: root, stdio });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => done({ code: code ?? 1, output }));
  });
}

async function check(label, argv) {
  const start = performance.now();
  const { code, output } = await node(argv, ['ignore', 'pipe', 'pipe']);
  console.log(`${code === 0 ? 'ok  ' : 'FAIL'} ${label} (${seconds(start)})`);
  if (code !== 0) console.log(output.trimEnd());
  return code === 0;
}

/** Runs vitest and counts from its JSON report; a crash or an unloadable file is a failure too. */
async function tests() {
  const start = performance.now();
  const dir = mkdtempSync(join(tmpdir(), 'loretta-tests-'));
  const report = join(dir, 'report.json');
  try {
    const { code } = await node(
      [
        `${modules}/vitest/vitest.mjs`,
        'run',
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
        ...vitestArgs,
      ],
      ['ignore', 'inherit', 'inherit'],
    );
    const json = existsSync(report)
      ? JSON.parse(readFileSync(report, 'utf8'))
      : { testResults: [] };
    const files = json.testResults;
    const unloadable = files.filter(
      (f) => f.status === 'failed' && f.assertionResults.length === 0,
    );
    const failed = (json.numFailedTests ?? 0) + unloadable.length;
    console.log(`${code === 0 ? 'ok  ' : 'FAIL'} tests (${seconds(start)})`);
    return {
      passed: json.numPassedTests ?? 0,
      failed: failed === 0 && code !== 0 ? 1 : failed,
      skipped: (json.numPendingTests ?? 0) + (json.numTodoTests ?? 0),
    };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

const total = { passed: 0, failed: 0, skipped: 0 };
const start = performance.now();
writeSamples();
for (const [label, argv] of mode === 'static' ? fast : [...fast, ...slow]) {
  if (await check(label, argv)) total.passed++;
  else total.failed++;
}
if (mode !== 'static') {
  const counts = await tests();
  for (const key of Object.keys(total)) total[key] += counts[key];
}
console.log(`everything took ${seconds(start)}`);
console.log(`${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed ? 1 : 0;
