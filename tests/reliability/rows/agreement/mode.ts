/** `mode.ts MODE RUNS SEED CASE`: one GPU mode in a process of its own; the last line is what it found, in JSON. */
import { gpu, type GpuMode } from '@loretta-ts/backend-gpu';
import { startDisplay } from '../../../../scripts/display.mjs';
import { agree } from './agree';

const [mode, runs, seed, only] = process.argv.slice(2);
const failures: (readonly [string, string])[] = [];
const notes: Record<string, number> = {};
let missing: string | null = null;
try {
  const stop = mode === 'headlessgl' ? await startDisplay() : null;
  const backend = await gpu({ mode: mode as GpuMode, require: true }).catch((error: Error) => {
    missing = error.message;
    return null;
  });
  if (backend !== null) {
    await agree([{ name: `gpu:${mode}`, backend }], Number(runs), Number(seed), {
      only: only === 'all' ? null : Number(only),
      fail: (path, what) => failures.push([path, what]),
      note: (name, value) => {
        notes[name] = value;
      },
      progress: () => {},
    });
    await backend.dispose();
  }
  stop?.();
} catch (error) {
  failures.push([
    `gpu:${mode}`,
    error instanceof Error ? (error.stack ?? error.message) : `${error}`,
  ]);
}
// what Dawn keeps open would keep the process
process.stdout.write(`${JSON.stringify({ missing, failures, notes })}\n`, () => process.exit(0));
