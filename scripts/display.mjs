/**
 * An X display for headless GL, which draws nothing but needs one: the one that is there, or a virtual one (Xvfb) for as
 * long as this process runs. As a vitest globalSetup, all test files share it.
 */
import { spawn } from 'node:child_process';

/** Sets DISPLAY. Returns what stops the display that was started, or null where there is no Xvfb. */
export async function startDisplay() {
  if (process.env.DISPLAY !== undefined) return () => undefined;
  const server = spawn(
    'Xvfb',
    ['-displayfd', '3', '-screen', '0', '64x64x24', '-nolisten', 'tcp', '-noreset'],
    { stdio: ['ignore', 'ignore', 'ignore', 'pipe'] },
  );
  const number = await new Promise((resolve) => {
    server.once('error', () => resolve(null));
    server.once('exit', () => resolve(null));
    server.stdio[3].once('data', (digits) => resolve(String(digits).trim()));
  });
  if (number === null) return null;
  process.env.DISPLAY = `:${number}`;
  // Nothing waits for the server; it ends with the process that started it.
  server.unref();
  server.stdio[3].unref?.();
  const stop = () => {
    server.kill();
    delete process.env.DISPLAY;
  };
  process.once('exit', () => server.kill());
  return stop;
}

/** vitest's globalSetup. */
export async function setup() {
  return (await startDisplay()) ?? undefined;
}
