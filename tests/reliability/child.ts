/** TypeScript sources in child processes. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';

const loader = fileURLToPath(new URL('../../scripts/ts-loader.mjs', import.meta.url));

/** How a child ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly out: string;
  readonly err: string;
}

/** The command line of a source file beside the rows. */
export function commandOf(file: string, args: readonly string[]): readonly string[] {
  const path = fileURLToPath(new URL(`rows/${file}`, import.meta.url));
  return [process.execPath, '--conditions=loretta-source', '--import', loader, path, ...args];
}

/** Runs a command to its end, or to the end that `watch` makes of it; after `seconds` it is killed. */
export function runChild(
  [file, ...args]: readonly string[],
  watch: (child: ChildProcessByStdio<null, Readable, Readable>, out: string) => void = () => {},
  seconds = 60,
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(file!, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    const bound = setTimeout(() => child.kill('SIGKILL'), seconds * 1000);
    let [out, err] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      watch(child, out);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(bound);
      resolve({ code, signal, out, err });
    });
  });
}
