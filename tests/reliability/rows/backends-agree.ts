/** Every op on every backend that opens here, on tensors beyond one row of a texture. */
import { cpu } from '@loretta-ts/backend-cpu';
import { gpu } from '@loretta-ts/backend-gpu';
import { commandOf, runChild } from '../child';
import type { Report, Row } from '../row';
import { agree, type Named } from './agreement/agree';

/** Modes with a device, each in a process of its own: headless GL and Dawn do not share one. */
const DEVICES = ['webgpu', 'headlessgl'] as const;

/** Threads of the backends that are WebAssembly: a plain one in their place is no comparison. */
const WANTED: Readonly<Record<string, number>> = { wasm: 1, 'wasm, 2 threads': 2 };

/** Modes whose absence is an error; those of Chromium are opened by the tests of `tests/browser`. */
function required(): ReadonlySet<string> {
  return new Set((process.env['LORETTA_REQUIRE_MODES'] ?? '').split(','));
}

interface Found {
  readonly missing: string | null;
  readonly failures: readonly (readonly [path: string, what: string])[];
  readonly notes: Readonly<Record<string, number>>;
}

async function onDevice(mode: string, runs: number, seed: number, report: Report): Promise<void> {
  const args = [mode, runs, seed, report.only ?? 'all'].map(String);
  const ended = await runChild(commandOf('agreement/mode.ts', args), undefined, 60 + 10 * runs);
  const last = ended.out.trim().split('\n').at(-1) ?? '';
  if (ended.code !== 0 || !last.startsWith('{')) {
    report.fail(`gpu:${mode}`, `ended with ${ended.signal ?? ended.code}: ${ended.err}`);
    return;
  }
  const { missing, failures, notes } = JSON.parse(last) as Found;
  if (missing !== null) {
    if (required().has(mode)) report.fail(`gpu:${mode}`, `is required, but missing: ${missing}`);
    report.note(`gpu:${mode} (missing)`, 0);
  }
  for (const [path, what] of failures) report.fail(path, what);
  for (const [name, value] of Object.entries(notes)) report.note(name, value);
}

export const backendsAgree: Row = {
  name: 'backends-agree',
  holds: 'every op on every backend that opens here is the f64 reference within its tolerance',
  ci: 20,
  release: 200,
  async check(runs, seed, report) {
    const backends: Named[] = [
      { name: 'wasm', backend: cpu({ threads: 1 }) },
      { name: 'wasm, 2 threads', backend: cpu({ threads: 2 }) },
      { name: 'gpu:cpu', backend: await gpu({ mode: 'cpu', require: true }) },
      { name: 'gpu:webasm', backend: await gpu({ mode: 'webasm', require: true }) },
    ];
    try {
      for (const { name, backend } of backends) {
        const { executor, threads, fallbackReason } = backend.info();
        const wanted = WANTED[name];
        if (wanted !== undefined && (executor === 'reference' || threads !== wanted)) {
          report.fail(name, `runs as ${executor}, ${threads} threads: ${fallbackReason}`);
        }
      }
      await agree(backends, runs, seed, report);
    } finally {
      for (const { backend } of backends) await backend.dispose();
    }
    for (const mode of DEVICES) await onDevice(mode, runs, seed, report);
  },
};
