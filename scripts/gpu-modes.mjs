/**
 * Which modes of the GPU backend can be tested on this machine. `node scripts/gpu-modes.mjs` prints them.
 * LORETTA_REQUIRE_MODES=webgpu,headlessgl,chromium:webgl2 makes the absence of one an error.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startDisplay } from './display.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

/** Modes in Node, each in a process of its own: headless GL and Dawn do not share one. */
const inNode = ['cpu', 'webasm', 'webgpu', 'headlessgl'];
const inChromium = ['chromium:webgl', 'chromium:webgl2', 'chromium:webgpu'];

/** Debian's Chromium, or the one that CHROMIUM names. */
export const chromiumPath = process.env.CHROMIUM ?? '/usr/bin/chromium';

/** Null when the mode runs, else why it does not. */
function probe(mode) {
  const program = `
    const { gpu } = await import('@loretta-ts/backend-gpu');
    const backend = await gpu({ mode: '${mode}', require: true });
    await backend.dispose();`;
  return new Promise((done) => {
    const child = spawn(
      process.execPath,
      [
        ...['--conditions=loretta-source', '--import', join(root, 'scripts/ts-loader.mjs')],
        ...['--input-type=module', '-e', program],
      ],
      { cwd: join(root, 'tests'), stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let complaint = '';
    child.stderr.setEncoding('utf8').on('data', (text) => {
      complaint += text;
    });
    child.on('close', (code) => {
      if (code === 0) done(null);
      const line =
        complaint.split('\n').find((text) => /^\S*Error: /.test(text)) ?? `exit code ${code}`;
      done(line.replace(/^\S*Error: /, '').trim());
    });
  });
}

/** Every mode with why it is left out, or null. @throws Error when one that is required is missing */
export async function gpuModes() {
  const stop = await startDisplay();
  const found = new Map();
  const reasons = await Promise.all(inNode.map(probe));
  for (const [i, mode] of inNode.entries()) found.set(mode, reasons[i]);
  stop?.();
  const browser = existsSync(chromiumPath) ? null : `${chromiumPath} is not there`;
  for (const mode of inChromium) found.set(mode, browser);
  const required = (process.env.LORETTA_REQUIRE_MODES ?? '').split(',').filter(Boolean);
  const missing = required.filter((mode) => found.get(mode) !== null);
  if (missing.length > 0) {
    const why = missing.map((mode) => `${mode}: ${found.get(mode) ?? 'there is no such mode'}`);
    throw new Error(`required by LORETTA_REQUIRE_MODES, but missing: ${why.join('; ')}`);
  }
  return found;
}

/** One line for each mode that is left out. */
export function leftOut(modes) {
  return [...modes]
    .filter(([, reason]) => reason !== null)
    .map(
      ([mode, reason]) => `left out: GPU mode ${mode} (${reason}); npm run setup:gpu installs it`,
    );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const modes = await gpuModes();
  for (const [mode, reason] of modes) console.log(`${mode.padEnd(16)} ${reason ?? 'runs'}`);
}
