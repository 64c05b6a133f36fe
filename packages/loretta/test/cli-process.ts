/** The command line as a process. */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const repository = fileURLToPath(new URL('../../../', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** What Node runs the sources with. */
export const argv = (...words: string[]): string[] => [
  '--conditions=loretta-source',
  '--import',
  join(repository, 'scripts/ts-loader.mjs'),
  join(repository, 'packages/loretta/src/cli/main.ts'),
  ...words,
];

/** Runs `loretta` in a folder to its end. */
export function runLoretta(folder: string, ...words: string[]): Ended {
  const { status, stdout, stderr } = spawnSync(process.execPath, argv(...words), {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  return { code: status, out: stdout, err: stderr };
}

/** Progress lines aside, one line that begins with the program's name. */
export function complaint(ended: Ended): string {
  const lines = ended.err.trimEnd().split('\n');
  expect(lines.filter((line) => line.startsWith('loretta:'))).toHaveLength(1);
  expect(ended.out).toBe('');
  return lines.at(-1)!;
}
