/** `npm run COMMAND -- --help` says what a command does, with examples, and runs nothing. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const script = fileURLToPath(new URL('../scripts/run.mjs', import.meta.url));

test.each([
  'test',
  'check',
  'bench',
  'conformance',
  'reliability',
  'mutation',
  'playground',
  'example',
  'release',
  'setup:gpu',
])('%s', (command) => {
  const argv = [script, command, '--help'];
  const { status, stdout, stderr } = spawnSync(process.execPath, argv, { encoding: 'utf8' });
  expect([status, stderr]).toEqual([0, '']);
  const examples = stdout.split('\n').filter((line) => line.startsWith('  npm '));
  expect(examples.length).toBeGreaterThan(0);
  expect(examples.every((line) => line.includes(command === 'check' ? 'test' : command))).toBe(
    true,
  );
});
